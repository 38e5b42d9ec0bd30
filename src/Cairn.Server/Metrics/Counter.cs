namespace Cairn.Server.Metrics;

/// <summary>Counts. Any thread.</summary>
internal sealed class Counter
{
    private long _count;

    /// <summary>The count.</summary>
    public long Value => Volatile.Read(ref _count);

    /// <summary>Counts more.</summary>
    /// <param name="by">How many, not negative.</param>
    public void Add(long by = 1) => Interlocked.Add(ref _count, by);
}
