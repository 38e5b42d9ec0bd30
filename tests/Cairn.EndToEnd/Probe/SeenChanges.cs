namespace Cairn.EndToEnd.Probe;

/// <summary>Changes of one key by their revisions: those that were acknowledged to who made them, and those that a watcher was given. Any thread.</summary>
internal sealed class SeenChanges
{
    private readonly Lock _lock = new();
    private readonly List<long> _acknowledged = [];
    private readonly HashSet<long> _seen = [];
    private long _newest;
    private long _compacted;
    private int _outOfOrder;

    /// <summary>How many were given twice, or after a newer one.</summary>
    public int OutOfOrder => Volatile.Read(ref _outOfOrder);

    /// <summary>One was acknowledged.</summary>
    /// <param name="revision">Its revision.</param>
    public void Acknowledge(long revision)
    {
        lock (_lock)
        {
            _acknowledged.Add(revision);
        }
    }

    /// <summary>The watcher was given one.</summary>
    /// <param name="revision">Its revision.</param>
    public void See(long revision)
    {
        lock (_lock)
        {
            _seen.Add(revision);
            _outOfOrder += revision > _newest ? 0 : 1;
            _newest = Math.Max(_newest, revision);
        }
    }

    /// <summary>The watcher was told that history is compacted: it cannot be given what lies there.</summary>
    /// <param name="upTo">The revision up to which it is.</param>
    public void Excuse(long upTo)
    {
        lock (_lock)
        {
            _compacted = Math.Max(_compacted, upTo);
        }
    }

    /// <summary>Those that were acknowledged so far.</summary>
    public long[] Acknowledged()
    {
        lock (_lock)
        {
            return [.. _acknowledged];
        }
    }

    /// <summary>Whether the watcher is as far as the newest of some.</summary>
    /// <param name="revisions">Their revisions.</param>
    public bool HasCaughtUp(long[] revisions)
    {
        lock (_lock)
        {
            return Math.Max(_newest, _compacted) >= revisions.DefaultIfEmpty().Max();
        }
    }

    /// <summary>Those of some that the watcher has not been given although it could be.</summary>
    /// <param name="revisions">Their revisions.</param>
    public long[] Missed(long[] revisions)
    {
        lock (_lock)
        {
            return [.. revisions.Where(revision => revision > _compacted && !_seen.Contains(revision))];
        }
    }
}
