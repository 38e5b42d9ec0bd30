using Cairn.Bench.Measure;

namespace Cairn.Bench.Load;

/// <summary>What a load measured.</summary>
internal sealed record LoadResult
{
    /// <summary>From the first request to the last reply.</summary>
    public required TimeSpan Elapsed { get; init; }

    /// <summary>Latencies of the calls that succeeded, one histogram a kind of request.</summary>
    public required LatencyHistogram[] Kinds { get; init; }

    /// <summary>Calls that failed, by status and text.</summary>
    public required IReadOnlyDictionary<string, long> Failures { get; init; }

    /// <summary>Processor time of this process.</summary>
    public required TimeSpan ClientCpu { get; init; }

    /// <summary>Processor time of the server, or zero if it is not known.</summary>
    public required TimeSpan ServerCpu { get; init; }

    /// <summary>Latencies of all calls that succeeded.</summary>
    public LatencyHistogram Latency
    {
        get
        {
            var all = new LatencyHistogram();
            foreach (var kind in Kinds)
            {
                all.Add(kind);
            }

            return all;
        }
    }

    /// <summary>Calls that succeeded.</summary>
    public long Completed => Kinds.Sum(static kind => kind.Count);

    /// <summary>Calls that failed.</summary>
    public long Failed => Failures.Values.Sum();

    /// <summary>Successful calls a second.</summary>
    public double Throughput => Completed / Elapsed.TotalSeconds;

    /// <summary>Server's processor time a call, in microseconds.</summary>
    public double ServerMicrosecondsPerCall => ServerCpu.TotalMicroseconds / Math.Max(1, Completed);

    /// <summary>This process's processor time a call, in microseconds.</summary>
    public double ClientMicrosecondsPerCall => ClientCpu.TotalMicroseconds / Math.Max(1, Completed);
}
