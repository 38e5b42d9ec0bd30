using System.CommandLine;
using Cairn.Bench.Load;
using Cairn.Bench.Measure;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Bench.Commands;

/// <summary><c>range</c>, <c>txn-mixed</c> and <c>lease-keepalive</c>.</summary>
internal static class UnaryCommands
{
    // Long enough for any run, so that no lease ends in one.
    private const long LeaseSeconds = 3600;

    /// <summary>A load from the shared options.</summary>
    /// <param name="values">The shared options.</param>
    /// <param name="total">Calls in all.</param>
    /// <param name="rate">Calls a second, or 0.</param>
    /// <returns>The plan.</returns>
    public static LoadPlan Plan(CommonValues values, long total, long rate) => new()
    {
        Endpoints = values.Endpoints,
        Connections = values.Connections,
        Clients = values.Clients,
        Total = total,
        Rate = rate,
        Processor = values.Processor,
        ServerProcesses = values.ServerProcess is { } id ? [id] : [],
    };

    /// <summary>Builds <c>range</c>.</summary>
    /// <param name="common">The shared options.</param>
    /// <param name="clock">The clock of its runs.</param>
    /// <returns>The command.</returns>
    public static Command BuildRange(CommonOptions common, NanoClock clock)
    {
        var key = new Argument<string>("key") { Description = "The key, or the begin of the range." };
        var end = new Argument<string?>("end") { Description = "The end of the range.", Arity = ArgumentArity.ZeroOrOne };
        var total = Options.Number("--total", 10_000, "Reads in all.");
        var rate = Options.Number("--rate", 0, "Reads a second; 0 is no limit.");
        var consistency = Options.Text("--consistency", "l", "Linearizable (l) or serializable (s).");
        var limit = Options.Number("--limit", 0, "Most keys of a reply; 0 is no limit.");
        var countOnly = Options.Flag("--count-only", "Replies with the number of keys only.");
        var keysOnly = Options.Flag("--keys-only", "Replies without values.");
        var command = new Command("range", "Reads keys.") { key, end, total, rate, consistency, limit, countOnly, keysOnly };
        command.SetAction(parsed =>
        {
            var values = common.Read(parsed);
            var request = new RangeRequest
            {
                Key = ByteString.CopyFromUtf8(parsed.GetRequiredValue(key)),
                RangeEnd = ByteString.CopyFromUtf8(parsed.GetValue(end) ?? ""),
                Limit = parsed.GetRequiredValue(limit),
                Serializable = IsSerializable(parsed.GetRequiredValue(consistency)),
                CountOnly = parsed.GetValue(countOnly),
                KeysOnly = parsed.GetValue(keysOnly),
            };
            var result = LoadRun.Run(Plan(values, parsed.GetRequiredValue(total), parsed.GetRequiredValue(rate)), Workloads.Range(request), clock);
            new Report(parsed.InvocationConfiguration.Output).Print("range", result, values.ServerProcess);
        });
        return command;
    }

    /// <summary>Builds <c>txn-mixed</c>.</summary>
    /// <param name="common">The shared options.</param>
    /// <param name="clock">The clock of its runs.</param>
    /// <returns>The command.</returns>
    public static Command BuildTxnMixed(CommonOptions common, NanoClock clock)
    {
        var key = new Argument<string>("key") { Description = "The begin of the range that is read.", DefaultValueFactory = static _ => "\0" };
        var end = Options.Text("--end-key", "\0", "The end of the range that is read; by default all keys from the begin on.");
        var keySize = Options.Size("--key-size", 8, "Bytes of a key.");
        var valueSize = Options.Size("--val-size", 8, "Bytes of a value.");
        var total = Options.Number("--total", 10_000, "Transactions in all.");
        var rate = Options.Number("--rate", 0, "Transactions a second; 0 is no limit.");
        var keySpace = Options.Number("--key-space-size", 1, "Number of different keys that are written.");
        var limit = Options.Number("--limit", 1000, "Most keys of a read.");
        var consistency = Options.Text("--consistency", "l", "Linearizable (l) or serializable (s).");
        var ratio = new Option<double>("--rw-ratio") { Description = "Reads for each write.", DefaultValueFactory = static _ => 1 };
        var command = new Command("txn-mixed", "Reads and writes in transactions.")
        {
            key, end, keySize, valueSize, total, rate, keySpace, limit, consistency, ratio,
        };
        command.SetAction(parsed =>
        {
            var values = common.Read(parsed);
            var read = new RangeRequest
            {
                Key = ByteString.CopyFromUtf8(parsed.GetRequiredValue(key)),
                RangeEnd = ByteString.CopyFromUtf8(parsed.GetRequiredValue(end)),
                Limit = parsed.GetRequiredValue(limit),
                Serializable = IsSerializable(parsed.GetRequiredValue(consistency)),
            };
            var keys = new KeySpace(parsed.GetRequiredValue(keySize), parsed.GetRequiredValue(keySpace), Sequential: true);
            var mix = Workloads.TxnMixed(keys, parsed.GetRequiredValue(valueSize), read, parsed.GetRequiredValue(ratio));
            var result = LoadRun.Run(Plan(values, parsed.GetRequiredValue(total), parsed.GetRequiredValue(rate)), mix, clock);
            var report = new Report(parsed.InvocationConfiguration.Output);
            report.Print("txn-mixed", result, values.ServerProcess);
            report.Line($"reads: {result.Kinds[0].Count}");
            report.Print(result.Kinds[0]);
            report.Line($"writes: {result.Kinds[1].Count}");
            report.Print(result.Kinds[1]);
        });
        return command;
    }

    /// <summary>Builds <c>lease-keepalive</c>.</summary>
    /// <param name="common">The shared options.</param>
    /// <param name="clock">The clock of its runs.</param>
    /// <returns>The command.</returns>
    public static Command BuildLeaseKeepAlive(CommonOptions common, NanoClock clock)
    {
        var total = Options.Number("--total", 10_000, "Renewals in all.");
        var rate = Options.Number("--rate", 0, "Renewals a second; 0 is no limit.");
        var command = new Command("lease-keepalive", "Renews leases, one for each client.") { total, rate };
        command.SetAction(parsed =>
        {
            var values = common.Read(parsed);
            var leases = GrantLeases(values);
            var plan = Plan(values, parsed.GetRequiredValue(total), parsed.GetRequiredValue(rate));
            var result = LoadRun.Run(plan, Workloads.KeepAlive(leases), clock);
            new Report(parsed.InvocationConfiguration.Output).Print("lease-keepalive", result, values.ServerProcess);
        });
        return command;
    }

    private static List<long> GrantLeases(CommonValues values)
    {
        using var client = new ControlClient(values.Endpoints[0]);
        var leases = new List<long>();
        for (var i = 0; i < values.Clients; i++)
        {
            leases.Add(client.Call<LeaseGrantResponse>(Paths.LeaseGrant, new LeaseGrantRequest { TTL = LeaseSeconds }).ID);
        }

        return leases;
    }

    private static bool IsSerializable(string consistency) => consistency switch
    {
        "l" => false,
        "s" => true,
        _ => throw new ArgumentException("--consistency is l or s"),
    };
}
