namespace Cairn.Client;

/// <summary>The history that a watcher needs is compacted: events were missed, and the caller has to read the keys anew.</summary>
public sealed class WatchCompactedException : Exception
{
    internal WatchCompactedException(long compactRevision)
        : base($"the history before revision {compactRevision} is compacted")
    {
        CompactRevision = compactRevision;
    }

    /// <summary>The oldest revision from which a watcher can start.</summary>
    public long CompactRevision { get; }
}
