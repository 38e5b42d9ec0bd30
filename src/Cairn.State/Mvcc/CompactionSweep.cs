namespace Cairn.State.Mvcc;

/// <summary>Carries compactions out behind the apply loop's back, a few keys at a time: hashes the state if wanted, then drops superseded versions.</summary>
/// <remarks>
/// <para>
/// The floor rises at apply, so nobody can tell how far a sweep is. One sweep at a time, in the order of keys; a compaction that comes meanwhile waits, and
/// of several only the last is swept. As with etcd, only a compaction that found its predecessor finished is hashed: otherwise rows would be missing.
/// </para>
/// <para>Owned by the apply loop. Source: etcd server/storage/mvcc/kvstore_compaction.go.</para>
/// </remarks>
internal sealed class CompactionSweep(KeySpace keys)
{
    private readonly List<KeyHistory> _affected = [];
    private HashCursor? _hash;
    private byte[] _next = [];
    private long _floor = -1;
    private volatile CompactionHashes _hashes = CompactionHashes.Empty;

    /// <summary>The last compaction that was swept to the end; -1 if none was.</summary>
    public long Finished { get; private set; } = -1;

    /// <summary>Versions dropped since the process began.</summary>
    public long Dropped { get; private set; }

    public bool IsUnderWay => Finished < keys.CompactedRevision;

    public CompactionHashes Hashes => _hashes;

    /// <summary>Takes over what was loaded from disk.</summary>
    public void Load(long finished)
    {
        Invariant.Holds(finished <= keys.CompactedRevision);
        Finished = finished;
    }

    /// <summary>Notes that the floor has risen.</summary>
    /// <param name="previous">The floor before.</param>
    /// <param name="isHashed">Whether to hash it.</param>
    public void Schedule(long previous, bool isHashed)
    {
        Invariant.Holds(previous < keys.CompactedRevision);
        if (isHashed && Finished == previous)
        {
            _hash = HashCursor.OfCompaction(keys.View with { Root = keys.Index.Seal() }, previous, keys.CompactedRevision);
        }
    }

    /// <summary>Sweeps on without the hash.</summary>
    public void ForgoHash() => _hash = null;

    /// <summary>Goes one step further.</summary>
    /// <returns>True if there is more to do.</returns>
    public bool Step(int budget)
    {
        Invariant.Holds(budget > 0);
        if (!IsUnderWay)
        {
            return false;
        }

        if (_hash is { } hash)
        {
            if (!hash.Step(budget))
            {
                _hashes = _hashes.With(hash.Result);
                _hash = null;
            }

            return true;
        }

        _floor = _floor < 0 ? keys.CompactedRevision : _floor;
        if (!SweepKeys(budget))
        {
            Finished = _floor;
            _floor = -1;
            _next = [];
        }

        return IsUnderWay;
    }

    private bool SweepKeys(int budget)
    {
        Invariant.Holds(!keys.IsChanged && _affected.Count == 0);
        var cursor = new IndexCursor(keys.Index.Root, _next, default);
        byte[]? last = null;
        while (budget-- > 0 && cursor.MoveNext())
        {
            last = cursor.Current.Key;
            if (cursor.Current.DroppedBy(_floor) > 0)
            {
                _affected.Add(cursor.Current);
            }
        }

        foreach (var history in _affected)
        {
            Drop(history);
        }

        _affected.Clear();
        _next = last is null ? [] : [.. last, 0];
        return last is not null;
    }

    private void Drop(KeyHistory history)
    {
        var dropped = history.DroppedBy(_floor);
        Dropped += dropped;
        for (var i = 0; i < dropped; i++)
        {
            keys.Log.MarkDead(history[i].Place);
        }

        if (dropped < history.Count)
        {
            keys.Index.Replace(history.Without(dropped));
            return;
        }

        Invariant.Holds(!history.IsAlive);
        keys.Index.Remove(history.Key);
    }
}
