namespace Cairn.Server;

/// <summary>How a metric behaves.</summary>
public enum MetricKind
{
    /// <summary>Only grows.</summary>
    Counter,

    /// <summary>Goes up and down.</summary>
    Gauge,

    /// <summary>Counts observations in buckets.</summary>
    Histogram,
}

/// <summary>One metric, at one moment, under etcd's name.</summary>
/// <param name="Name">As on /metrics ("etcd_server_has_leader").</param>
/// <param name="Kind">How it behaves.</param>
/// <param name="Help">One sentence.</param>
/// <param name="Value">The value; the sum of observations of a histogram.</param>
public sealed record MetricSample(string Name, MetricKind Kind, string Help, double Value)
{
    /// <summary>Labels, in order; empty for most.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Labels { get; init; } = [];

    /// <summary>Of a histogram: upper bound and cumulative count of each bucket, the last one without bound (infinity).</summary>
    public IReadOnlyList<(double UpperBound, long Count)> Buckets { get; init; } = [];
}
