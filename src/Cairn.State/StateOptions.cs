namespace Cairn.State;

/// <summary>What the members of a cluster must agree on beside the log.</summary>
public sealed record StateOptions
{
    /// <summary>Shortest lease, in seconds; etcd's is the election timeout times 1.5, rounded up. From 1.</summary>
    public long LeaseTtlMinimum { get; init; } = 2;

    /// <summary>Most learners at a time.</summary>
    public int LearnersMax { get; init; } = 1;

    /// <summary>
    /// Whether each compaction reads all rows once, to remember the hash that etcd members ask each other for. Without it they are answered that the
    /// revision is compacted, which they accept.
    /// </summary>
    public bool HashesCompactions { get; init; } = true;
}
