using System.Runtime.ExceptionServices;
using Cairn.Bench.Measure;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Bench.Load;

/// <summary>What a watch run measured.</summary>
/// <param name="Puts">The puts.</param>
/// <param name="Latency">From when a put was due to the arrival of its event at a watcher.</param>
/// <param name="Elapsed">From the first put to the last event.</param>
/// <param name="ServerCpu">Processor time of the server, or zero if it is not known.</param>
internal sealed record WatchResult(LoadResult Puts, LatencyHistogram Latency, TimeSpan Elapsed, TimeSpan ServerCpu)
{
    /// <summary>Events a second.</summary>
    public double Throughput => Latency.Count / Elapsed.TotalSeconds;
}

/// <summary>Runs watchers and puts against each other.</summary>
internal static class WatchRun
{
    private const int StackBytes = 256 * 1024;

    // How long the last events may take after the last put, before the run has failed.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    /// <summary>Runs to the last event.</summary>
    /// <param name="plan">How much.</param>
    /// <param name="clock">The clock.</param>
    /// <returns>What was measured.</returns>
    /// <exception cref="IOException">A stream failed, or events did not arrive.</exception>
    public static WatchResult Run(WatchPlan plan, NanoClock clock)
    {
        var keys = new KeySpace(plan.KeySize, plan.WatchedKeys, Sequential: true);
        var loops = new List<WatchLoop>();
        try
        {
            for (var number = 0; number < Math.Min(plan.Connections, plan.Streams); number++)
            {
                loops.Add(new WatchLoop(plan, number, keys, clock));
            }

            return Run(plan, loops, keys, clock);
        }
        finally
        {
            loops.ForEach(static loop => loop.Dispose());
        }
    }

    private static WatchResult Run(WatchPlan plan, List<WatchLoop> loops, KeySpace keys, NanoClock clock)
    {
        using var over = new CancellationTokenSource();
        ExceptionDispatchInfo? failure = null;
        var threads = loops.ConvertAll(loop => new Thread(() => failure = RunLoop(plan, loop, over.Token) ?? failure, StackBytes));
        threads.ForEach(static thread => thread.Start());
        var before = ServerCpu(plan);
        var start = clock.Now;
        LoadResult puts;
        try
        {
            puts = LoadRun.Run(PutsOf(plan), PutMix(plan, keys), clock);
            AwaitEvents(plan, loops, clock);
        }
        finally
        {
            over.Cancel();
            threads.ForEach(static thread => thread.Join());
        }

        failure?.Throw();
        var latency = new LatencyHistogram();
        loops.ForEach(loop => latency.Add(loop.Latency));
        return new WatchResult(puts, latency, NanoClock.Span(loops.Max(static loop => loop.LastEvent) - start), ServerCpu(plan) - before);
    }

    private static LoadPlan PutsOf(WatchPlan plan) => new()
    {
        Endpoints = plan.Endpoints,
        Connections = Math.Min(plan.Connections, plan.Clients),
        Clients = plan.Clients,
        Total = plan.Puts,
        Rate = plan.PutRate,
        Processor = plan.Processor,
    };

    private static RequestMix PutMix(WatchPlan plan, KeySpace keys)
    {
        var value = new byte[plan.ValueSize];
        RequestTemplate.PlaceholderStamp.Span.CopyTo(value);
        var put = new PutRequest { Key = RequestTemplate.PlaceholderKey(plan.KeySize), Value = ByteString.CopyFrom(value) };
        return new RequestMix(keys, RequestTemplate.Of(Paths.Put, put, plan.KeySize));
    }

    // Each put of a key makes an event for every watcher of that key.
    private static long Expected(WatchPlan plan)
    {
        var watchers = (long)plan.Streams * plan.WatchersPerStream;
        long events = 0;
        for (long key = 0; key < plan.WatchedKeys; key++)
        {
            events += Shares(plan.Puts, plan.WatchedKeys, key) * Shares(watchers, plan.WatchedKeys, key);
        }

        return events;
    }

    private static long Shares(long all, long parts, long part) => (all / parts) + (part < all % parts ? 1 : 0);

    private static void AwaitEvents(WatchPlan plan, List<WatchLoop> loops, NanoClock clock)
    {
        var expected = Expected(plan);
        var deadline = clock.Now + (Patience.Ticks * TimeSpan.NanosecondsPerTick);
        using var never = new ManualResetEventSlim();
        while (loops.Sum(static loop => loop.Events) < expected)
        {
            if (clock.Now > deadline)
            {
                throw new IOException($"only {loops.Sum(static loop => loop.Events)} of {expected} events arrived");
            }

            never.Wait(1);
        }
    }

    private static ExceptionDispatchInfo? RunLoop(WatchPlan plan, WatchLoop loop, CancellationToken over)
    {
        try
        {
            if (plan.Processor is { } processor)
            {
                Native.BindThread(processor);
            }

            loop.Run(over);
            return null;
        }
        catch (Exception e)
        {
            return ExceptionDispatchInfo.Capture(e);
        }
    }

    private static TimeSpan ServerCpu(WatchPlan plan) => plan.ServerProcess is { } id ? ProcessUsage.Of(id).Cpu : TimeSpan.Zero;
}
