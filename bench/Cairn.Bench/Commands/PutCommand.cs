using System.CommandLine;
using Cairn.Bench.Load;
using Cairn.Bench.Measure;
using Cairn.Protocol;

namespace Cairn.Bench.Commands;

/// <summary><c>put</c>: writes.</summary>
internal static class PutCommand
{
    /// <summary>Builds the command.</summary>
    /// <param name="common">The shared options.</param>
    /// <param name="clock">The clock of its runs.</param>
    /// <returns>The command.</returns>
    public static Command Build(CommonOptions common, NanoClock clock)
    {
        var keySize = Options.Size("--key-size", 8, "Bytes of a key.");
        var valueSize = Options.Size("--val-size", 8, "Bytes of a value.");
        var total = Options.Number("--total", 10_000, "Puts in all.");
        var rate = Options.Number("--rate", 0, "Puts a second; 0 is no limit.");
        var keySpace = Options.Number("--key-space-size", 1, "Number of different keys.");
        var sequential = Options.Flag("--sequential-keys", "Keys come in order.");
        var interval = Options.Time("--compact-interval", "Time between compactions; 0 does not compact.");
        var delta = Options.Number("--compact-index-delta", 1000, "Revisions that a compaction leaves.");
        var check = Options.Flag("--check-hashkv", "Compares the hash of all endpoints at the end.");
        var command = new Command("put", "Writes keys.") { keySize, valueSize, total, rate, keySpace, sequential, interval, delta, check };
        command.SetAction(parsed =>
        {
            var values = common.Read(parsed);
            var keys = new KeySpace(parsed.GetRequiredValue(keySize), parsed.GetRequiredValue(keySpace), parsed.GetValue(sequential));
            var plan = UnaryCommands.Plan(values, parsed.GetRequiredValue(total), parsed.GetRequiredValue(rate));
            var every = parsed.GetValue(interval);
            var report = new Report(parsed.InvocationConfiguration.Output);
            using (var compactor = every > TimeSpan.Zero ? new Compactor(values.Endpoints[0], every, parsed.GetRequiredValue(delta), clock) : null)
            {
                report.Print("put", LoadRun.Run(plan, Workloads.Put(keys, parsed.GetRequiredValue(valueSize)), clock), values.ServerProcess);
                if (compactor is not null)
                {
                    report.Line($"  compactions  {compactor.Count}, slowest {compactor.Slowest.TotalMilliseconds:F1} ms {compactor.Failure}");
                }
            }

            return !parsed.GetValue(check) || HashesAgree(values, report) ? 0 : 1;
        });
        return command;
    }

    private static bool HashesAgree(CommonValues values, Report report)
    {
        HashKVResponse? first = null;
        foreach (var endpoint in values.Endpoints)
        {
            using var client = new ControlClient(endpoint);
            var hash = client.Call<HashKVResponse>(Paths.HashKv, new HashKVRequest { Revision = first?.Header.Revision ?? 0 });
            report.Line($"  {endpoint} hash {hash.Hash} at revision {first?.Header.Revision ?? hash.Header.Revision}");
            first ??= hash;
            if (hash.Hash != first.Hash)
            {
                report.Line($"  the hashes differ");
                return false;
            }
        }

        return true;
    }
}
