using System.CommandLine;
using Cairn.Bench.Load;
using Cairn.Bench.Measure;

namespace Cairn.Bench.Commands;

/// <summary><c>watch</c> and <c>watch-latency</c>.</summary>
internal static class WatchCommands
{
    /// <summary>Builds <c>watch</c>: many watchers, puts as fast as they go.</summary>
    /// <param name="common">The shared options.</param>
    /// <param name="clock">The clock of its runs.</param>
    /// <returns>The command.</returns>
    public static Command BuildWatch(CommonOptions common, NanoClock clock)
    {
        var streams = Options.Size("--streams", 10, "Watch streams.");
        var watchers = Options.Size("--watch-per-stream", 100, "Watchers on each stream.");
        var keys = Options.Size("--watched-key-total", 1, "Number of keys that are watched, in turn.");
        var puts = Options.Number("--put-total", 1000, "Puts in all.");
        var rate = Options.Number("--put-rate", 0, "Puts a second; 0 is no limit.");
        var keySize = Options.Size("--key-size", 32, "Bytes of a key.");
        var valueSize = Options.Size("--val-size", 8, "Bytes of a value, at least 8.");
        var command = new Command("watch", "Sends each change to many watchers.") { streams, watchers, keys, puts, rate, keySize, valueSize };
        command.SetAction(parsed => Run(parsed, common.Read(parsed), clock, values => new WatchPlan
        {
            Endpoints = values.Endpoints,
            Connections = values.Connections,
            Clients = values.Clients,
            Streams = parsed.GetRequiredValue(streams),
            WatchersPerStream = parsed.GetRequiredValue(watchers),
            WatchedKeys = parsed.GetRequiredValue(keys),
            KeySize = parsed.GetRequiredValue(keySize),
            ValueSize = parsed.GetRequiredValue(valueSize),
            Puts = parsed.GetRequiredValue(puts),
            PutRate = parsed.GetRequiredValue(rate),
            ServerProcess = values.ServerProcess,
            Processor = values.Processor,
        }));
        return command;
    }

    /// <summary>Builds <c>watch-latency</c>: one key, puts at a rate, time until watchers see them.</summary>
    /// <param name="common">The shared options.</param>
    /// <param name="clock">The clock of its runs.</param>
    /// <returns>The command.</returns>
    public static Command BuildWatchLatency(CommonOptions common, NanoClock clock)
    {
        var streams = Options.Size("--streams", 10, "Watch streams.");
        var watchers = Options.Size("--watchers-per-stream", 10, "Watchers on each stream.");
        var previous = Options.Flag("--prevkv", "Events carry the former value.");
        var puts = Options.Number("--put-total", 1000, "Puts in all.");
        var rate = Options.Number("--put-rate", 100, "Puts a second.");
        var keySize = Options.Size("--key-size", 32, "Bytes of the key.");
        var valueSize = Options.Size("--val-size", 32, "Bytes of a value, at least 8.");
        var command = new Command("watch-latency", "Measures the time from a put to its event.")
        {
            streams, watchers, previous, puts, rate, keySize, valueSize,
        };
        command.SetAction(parsed => Run(parsed, common.Read(parsed), clock, values => new WatchPlan
        {
            Endpoints = values.Endpoints,
            Connections = values.Connections,
            Clients = values.Clients,
            Streams = parsed.GetRequiredValue(streams),
            WatchersPerStream = parsed.GetRequiredValue(watchers),
            WatchedKeys = 1,
            KeySize = parsed.GetRequiredValue(keySize),
            ValueSize = parsed.GetRequiredValue(valueSize),
            Puts = parsed.GetRequiredValue(puts),
            PutRate = parsed.GetRequiredValue(rate),
            PreviousValue = parsed.GetValue(previous),
            ServerProcess = values.ServerProcess,
            Processor = values.Processor,
        }));
        return command;
    }

    private static void Run(ParseResult parsed, CommonValues values, NanoClock clock, Func<CommonValues, WatchPlan> plan)
    {
        var watch = plan(values);
        if (watch.ValueSize < sizeof(long))
        {
            throw new ArgumentException("--val-size must be at least 8: the value carries the time of its put");
        }

        new Report(parsed.InvocationConfiguration.Output).Print(WatchRun.Run(watch, clock), values.ServerProcess);
    }
}
