using System.Runtime.ExceptionServices;
using Cairn.Bench.Measure;

namespace Cairn.Bench.Load;

/// <summary>Runs a load: one thread and one connection each for a share of the clients.</summary>
internal static class LoadRun
{
    // The loop needs next to nothing, and there may be a thousand of them.
    private const int StackBytes = 256 * 1024;

    /// <summary>Runs a load to its end.</summary>
    /// <param name="plan">How much.</param>
    /// <param name="mix">Of what.</param>
    /// <param name="clock">The clock.</param>
    /// <returns>What was measured.</returns>
    /// <exception cref="IOException">A connection failed.</exception>
    public static LoadResult Run(LoadPlan plan, RequestMix mix, NanoClock clock)
    {
        var loops = new List<LoadLoop>();
        try
        {
            for (var number = 0; number < plan.Connections; number++)
            {
                loops.Add(new LoadLoop(plan, number, mix, clock));
            }

            return Run(plan, loops, clock);
        }
        finally
        {
            loops.ForEach(static loop => loop.Dispose());
        }
    }

    private static LoadResult Run(LoadPlan plan, List<LoadLoop> loops, NanoClock clock)
    {
        ExceptionDispatchInfo? failure = null;
        var serverBefore = ServerCpu(plan);
        var clientBefore = ProcessUsage.Of(Environment.ProcessId).Cpu;
        var start = clock.Now;
        var office = new TicketOffice(plan, clock);
        var threads = loops.ConvertAll(loop => new Thread(() => failure = RunLoop(plan, loop, office) ?? failure, StackBytes));
        threads.ForEach(static thread => thread.Start());
        threads.ForEach(static thread => thread.Join());
        var elapsed = NanoClock.Span(clock.Now - start);
        failure?.Throw();
        return new LoadResult
        {
            Elapsed = elapsed,
            ClientCpu = ProcessUsage.Of(Environment.ProcessId).Cpu - clientBefore,
            ServerCpu = ServerCpu(plan) - serverBefore,
            Kinds = [.. Enumerable.Range(0, loops[0].Latency.Count).Select(kind => Merge(loops, kind))],
            Failures = loops.SelectMany(static loop => loop.Failures)
                .GroupBy(static failed => failed.Key)
                .ToDictionary(static group => group.Key, static group => group.Sum(static failed => failed.Value)),
        };
    }

    private static ExceptionDispatchInfo? RunLoop(LoadPlan plan, LoadLoop loop, TicketOffice office)
    {
        try
        {
            if (plan.Processor is { } processor)
            {
                Native.BindThread(processor);
            }

            loop.Run(office);
            return null;
        }
        catch (Exception e)
        {
            return ExceptionDispatchInfo.Capture(e);
        }
    }

    private static TimeSpan ServerCpu(LoadPlan plan) => plan.ServerProcesses.Aggregate(TimeSpan.Zero, static (sum, id) => sum + ProcessUsage.Of(id).Cpu);

    private static LatencyHistogram Merge(List<LoadLoop> loops, int kind)
    {
        var merged = new LatencyHistogram();
        loops.ForEach(loop => merged.Add(loop.Latency[kind]));
        return merged;
    }
}
