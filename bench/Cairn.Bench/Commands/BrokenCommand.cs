using System.CommandLine;
using System.Globalization;
using System.Net;
using Cairn.Bench.Broken;
using Cairn.Bench.Load;
using Cairn.Bench.Measure;

namespace Cairn.Bench.Commands;

/// <summary><c>broken</c>: how clients fare while thousands of connections are broken on purpose.</summary>
internal sealed class BrokenCommand
{
    private const int WarmUpShare = 5;
    private const int Parts = 3;

    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(1);

    private readonly Option<int> _count = Options.Size("--broken", 10_000, "Broken connections of each kind.");
    private readonly Option<int> _perSecond = Options.Size("--per-second", 1000, "Broken connections a second.");
    private readonly Option<int> _rounds = Options.Size("--rounds", 3, "Rounds of each kind.");
    private readonly Option<int> _rate = Options.Size("--rate", 500, "Puts a second of the clients that behave.");
    private readonly Option<string> _kinds = Options.Text("--kinds", string.Join(',', BrokenKind.All.Select(static kind => kind.Name)), "Kinds, separated by commas.");
    private readonly Option<string> _tls = Options.Text("--tls-endpoint", "", "HOST:PORT on which the server speaks TLS; without it, kinds about TLS are left out.");
    private readonly CommonOptions _common;
    private readonly NanoClock _clock;

    private BrokenCommand(CommonOptions common, NanoClock clock) => (_common, _clock) = (common, clock);

    /// <summary>Builds the command.</summary>
    /// <param name="common">The shared options.</param>
    /// <param name="clock">The clock of its runs.</param>
    /// <returns>The command.</returns>
    public static Command Build(CommonOptions common, NanoClock clock)
    {
        var self = new BrokenCommand(common, clock);
        var command = new Command("broken", "Breaks connections in many ways while clients put, and prints what that did to the latency of their puts.")
        {
            self._count, self._perSecond, self._rounds, self._rate, self._kinds, self._tls,
        };
        command.SetAction(self.RunAsync);
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancelled)
    {
        var values = _common.Read(parsed);
        var tls = parsed.GetRequiredValue(_tls) is { Length: > 0 } text ? IPEndPoint.Parse(text) : null;
        var output = parsed.InvocationConfiguration.Output;
        var (count, perSecond, rounds) = (parsed.GetRequiredValue(_count), parsed.GetRequiredValue(_perSecond), parsed.GetRequiredValue(_rounds));
        var plan = Plan(parsed.GetRequiredValue(_rate), values, TimeSpan.FromSeconds((double)count / perSecond));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Each kind: a flood of {count / WarmUpShare} to warm up, then {rounds} rounds of three parts in changing order, {plan.Total} puts in each:"));
        output.WriteLine("without a flood, with one of a listener that only reads (which shows what the flooding process itself takes), with one of the server.");
        output.WriteLine("p99 of the puts in ms: the middle of the rounds (the least and the greatest). The flood has a process of its own.");
        Print(output, "kind", "made", "refused", "open", "quiet", "bare", "broken", "ratio", "to bare", "failed", "us each", "server MB");

        // A second one for its listener alone: it holds as many connections as the first, and a process may not open twice as many.
        using var idle = await Attacker.StartAsync();
        using var attacker = await Attacker.StartAsync();
        foreach (var name in parsed.GetRequiredValue(_kinds).Split(','))
        {
            var kind = BrokenKind.All.FirstOrDefault(known => known.Name == name) ?? throw new ArgumentException($"{name} is no kind");
            if (kind.NeedsTls && tls is null)
            {
                Print(output, kind.Name, "left out: no --tls-endpoint");
                continue;
            }

            var target = kind.NeedsTls ? tls! : values.Endpoints[0]; // Asked for above.
            await MeasureAsync(output, attacker, idle.Bare, new Flood(kind, target, count, perSecond), plan, rounds);
        }

        return 0;
    }

    private async Task MeasureAsync(TextWriter output, Attacker attacker, IPEndPoint bare, Flood flood, LoadPlan plan, int rounds)
    {
        var warmUp = flood with { Count = flood.Count / WarmUpShare };
        await LoadAsync(plan with { Total = plan.Total / WarmUpShare }, attacker, warmUp with { Target = bare });
        await LoadAsync(plan with { Total = plan.Total / WarmUpShare }, attacker, warmUp);
        var measured = new BrokenMeasurement();
        var outcome = new FloodOutcome(0, 0);
        for (var round = 0; round < rounds; round++)
        {
            var parts = new LoadResult[Parts];
            for (var turn = 0; turn < Parts; turn++)
            {
                // What the part before left behind is cleared away at nobody's expense.
                await Task.Delay(Rest, TimeProvider.System, CancellationToken.None);
                var part = (round + turn) % Parts;
                (parts[part], var became) = await LoadAsync(plan, attacker, part == 0 ? null : part == 1 ? flood with { Target = bare } : flood);
                outcome = part == 2 ? became : outcome;
            }

            measured.Add(parts[0], parts[1], parts[2], flood.Count);
        }

        var (quiet, beside, broken) = measured.Show();
        var hasProcess = plan.ServerProcesses is [_, ..];
        Print(
            output, flood.Kind.Name, Number(flood.Count), Number(outcome.Refused), flood.Kind.IsHeld ? Number(outcome.StillOpen) : "-", quiet, beside, broken,
            Rounded(measured.Ratio), Rounded(measured.RatioToBare), Number(measured.Failed), hasProcess ? Number((long)measured.MicrosecondsPerConnection) : "-",
            hasProcess ? Number(ProcessUsage.Of(plan.ServerProcesses[0]).ResidentBytes >> 20) : "-");
    }

    private async Task<(LoadResult Load, FloodOutcome Outcome)> LoadAsync(LoadPlan plan, Attacker attacker, Flood? flood)
    {
        var load = Task.Factory.StartNew(
            () => LoadRun.Run(plan, Workloads.Put(new KeySpace(16, 1000, Sequential: false), 256), _clock), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var outcome = flood is null ? new FloodOutcome(0, 0) : await attacker.FloodAsync(flood.Kind, flood.Target, flood.Count, flood.PerSecond);
        return (await load, outcome);
    }

    private static LoadPlan Plan(int rate, CommonValues values, TimeSpan lasts) => new()
    {
        Endpoints = values.Endpoints,
        Connections = values.Connections,
        Clients = values.Clients,
        Rate = rate,
        Total = (long)(rate * lasts.TotalSeconds),
        Processor = values.Processor,
        ServerProcesses = values.ServerProcess is { } process ? [process] : [],
    };

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Rounded(double value) => value.ToString("F2", CultureInfo.InvariantCulture);

    private static void Print(TextWriter output, params string[] columns) =>
        output.WriteLine(string.Join("  ", columns.Select(static (column, i) => column.PadRight(i == 0 ? 18 : i is >= 4 and <= 6 ? 18 : 7))).TrimEnd());

    private sealed record Flood(BrokenKind Kind, IPEndPoint Target, int Count, int PerSecond);
}
