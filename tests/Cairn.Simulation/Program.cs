using System.Globalization;

namespace Cairn.Simulation;

/// <summary>
/// Runs seeds: "--seed 42" with the members' log lines, "--seeds 1..1000" until one fails, each with "--members 3" or
/// a size that the seed decides; "--all" goes on after a failure. "--plant StaleRead" tells how many seeds it takes to find a planted bug. "--flips 10000" runs seeds in which bits
/// flip, until so many have, "--pairs 300" seeds in which members heal, until so many faults began during the heal of another, and a table by kind. Without any, runs the tests.</summary>
internal static class Program
{
    // Far more than any planted bug takes.
    private const ulong SeedsToFindMax = 2000;

    public static async Task<int> Main(string[] args)
    {
        if (Value(args, "--plant") is { } plant)
        {
            return Find(Enum.Parse<Plant>(plant, ignoreCase: true), Members(args));
        }

        if (Value(args, "--flips") is { } flips)
        {
            return RunFlips((int)Number(flips));
        }

        if (Value(args, "--pairs") is { } pairs)
        {
            return RunPairs((int)Number(pairs));
        }

        if (Value(args, "--seeds") is { } range)
        {
            var ends = range.Split("..");
            return RunMany(Number(ends[0]), Number(ends[^1]), seed => Options(args, seed), keepGoing: args.Contains("--all"));
        }

        if (Value(args, "--seed") is { } seed)
        {
            return Report(Simulation.Run(Options(args, Number(seed)) with { Log = args.Contains("--log") ? Console.Out : null })) ? 0 : 1;
        }

        return args.Contains("--server") || args.Contains("--internal-msbuild-node")
            ? await Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions)
            : await Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args);
    }

    private static SimulationOptions Options(string[] args, ulong seed) =>
        new() { Seed = seed, Members = Members(args), Rots = args.Contains("--rots"), Heals = args.Contains("--heals") };

    private static int RunMany(ulong first, ulong last, Func<ulong, SimulationOptions> options, bool keepGoing)
    {
        var (run, failed, simulated, pairs, lost) = (0, 0, TimeSpan.Zero, new List<string>(), 0);
        for (var seed = first; seed <= last && (failed == 0 || keepGoing); seed++)
        {
            var result = Simulation.Run(options(seed));
            failed += Report(result) ? 0 : 1;
            simulated += result.Lasted;
            pairs.AddRange(result.Failure is null ? result.Pairs.Split(' ', StringSplitOptions.RemoveEmptyEntries) : []);
            lost += result.Lost;
            run++;
        }

        if (pairs.Count > 0)
        {
            ReportPairs(pairs);
            Console.WriteLine($"{pairs.Count} pairs of faults, the second one begun during the heal of the first; {lost} committed entries lost with a majority, all announced");
        }

        Console.WriteLine($"{run} seeds, {failed} failed, {simulated.TotalHours:F1} simulated hours");
        return failed == 0 ? 0 : 1;
    }

    /// <summary>Runs seeds until enough faults began while what another had done was noticed, and not healed yet; lists them by kind of pair.</summary>
    private static int RunPairs(int count)
    {
        var (pairs, runs, failed) = (new List<string>(), 0, 0);
        for (ulong seed = 1; pairs.Count < count; seed++)
        {
            var result = Simulation.Run(new SimulationOptions { Seed = seed, Heals = true });
            failed += Report(result) ? 0 : 1;
            pairs.AddRange(result.Failure is null ? result.Pairs.Split(' ', StringSplitOptions.RemoveEmptyEntries) : []);
            runs++;
        }

        ReportPairs(pairs);
        Console.WriteLine($"{pairs.Count} pairs of faults in {runs - failed} runs, all healed; {failed} runs failed");
        return failed == 0 ? 0 : 1;
    }

    private static void ReportPairs(List<string> pairs)
    {
        var counts = pairs.GroupBy(pair => pair).ToDictionary(group => group.Key, group => group.Count());
        string[] firsts = [.. pairs.Select(pair => pair.Split('+')[0]).Distinct().Order(StringComparer.Ordinal)];
        string[] seconds = [.. pairs.Select(pair => pair.Split('+')[1]).Distinct().Order(StringComparer.Ordinal)];
        Console.WriteLine($"| being healed | {string.Join(" | ", seconds)} |");
        Console.WriteLine($"|---|{string.Concat(seconds.Select(_ => "---|"))}");
        foreach (var first in firsts)
        {
            Console.WriteLine($"| {first} | {string.Join(" | ", seconds.Select(second => counts.GetValueOrDefault($"{first}+{second}")))} |");
        }
    }

    /// <summary>Runs seeds until enough bits have flipped.</summary>
    private static int RunFlips(int count)
    {
        var (done, failed) = (0, 0);
        for (ulong seed = 1; done < count; seed++)
        {
            var result = Simulation.Run(new SimulationOptions { Seed = seed, Rots = true });
            done += result.Flips;
            failed += Report(result) ? 0 : 1;
        }

        Console.WriteLine($"{done} bits flipped, {failed} runs failed");
        return failed == 0 ? 0 : 1;
    }

    /// <summary>Runs seeds until one finds a planted bug.</summary>
    private static int Find(Plant plant, int? members)
    {
        for (ulong seed = 1; seed <= SeedsToFindMax; seed++)
        {
            var result = Simulation.Run(new SimulationOptions { Seed = seed, Members = members, Plant = plant });
            if (result.Failure is { } failure)
            {
                Console.WriteLine($"{plant} is found after {seed} seeds, {failure.Split('\n')[0]}");
                return 0;
            }
        }

        Console.WriteLine($"{plant} is not found in {SeedsToFindMax} seeds");
        return 1;
    }

    private static bool Report(SimulationResult result)
    {
        Console.WriteLine($"seed {result.Seed}: {(result.Failure is null ? "ok" : "FAILED")}, trace {result.Trace:x16}, {result.Summary}");
        if (result.Failure is not null)
        {
            Console.WriteLine($"  {result.Failure}");
            Console.WriteLine($"  replay: dotnet run --project tests/Cairn.Simulation -- --seed {result.Seed} --members {result.Members} {result.Mode}--log");
        }

        return result.Failure is null;
    }

    private static string? Value(string[] args, string name)
    {
        var at = Array.IndexOf(args, name);
        return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
    }

    private static int? Members(string[] args) => Value(args, "--members") is { } members ? (int)Number(members) : null;

    private static ulong Number(string text) => ulong.Parse(text, CultureInfo.InvariantCulture);
}
