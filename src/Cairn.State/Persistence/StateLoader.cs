using Cairn.State.Lease;
using Cairn.State.Mvcc;
using Cairn.State.Transfer;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Persistence;

/// <summary>Brings a captured state back: the small state, the index from its checkpoint, and the rows that are newer than the checkpoint.</summary>
/// <remarks>
/// <para>
/// Compaction is carried out on the way, whatever the sweep had come to: what it dropped may already be gone from the files. Rows may be missing between
/// others for the same reason; what their numbers do not continue begins a new history, since everything before was dropped by that compaction.
/// </para>
/// <para>
/// If the checkpoint names a segment that is no more, the cleaner has moved rows since: their new places are found by reading all rows. A row that is nowhere
/// is damage.
/// </para>
/// </remarks>
internal sealed class StateLoader
{
    private readonly RevisionLog _log;
    private readonly SmallState _small;
    private readonly KeyIndex _index;
    private readonly LeaseTable _leases;
    private readonly long _indexedRevision;
    private readonly long _throughRevision;
    private readonly bool _isSalvage;

    private StateLoader(RevisionLog log, SmallState small, IndexCheckpointReader? checkpoint, StateOptions options)
    {
        _log = log;
        _small = small;
        _throughRevision = small.Revision;
        _leases = new LeaseTable(options.LeaseTtlMinimum);
        _index = checkpoint?.Build() ?? new KeyIndex();
        _indexedRevision = checkpoint?.Revision ?? 0;
        foreach (var lease in small.Leases)
        {
            _leases.Load(lease);
        }

        foreach (var (key, lease) in checkpoint?.Leased ?? [])
        {
            _leases.Attach(key, lease);
        }
    }

    private StateLoader(RevisionLog log, SmallState small, IndexCheckpointReader? checkpoint, StateOptions options, long soundRevision)
        : this(log, small, checkpoint, options)
    {
        _throughRevision = soundRevision;
        _isSalvage = true;
    }

    private StateLoader(RevisionLog log, SmallState small, StateParts current, StateOptions options)
        : this(log, small, checkpoint: null, options)
    {
        _index = current.Keys.Index;
        _indexedRevision = current.Keys.Revision;
        foreach (var (key, lease) in current.Leases.ListKeys())
        {
            _leases.Attach(key, lease);
        }
    }

    public static StateParts Load(RevisionLog log, ReadOnlySpan<byte> smallState, IndexCheckpointReader? checkpoint, StateOptions options)
    {
        return new StateLoader(log, Decode(smallState, checkpoint), checkpoint, options).Load();
    }

    /// <summary>Loads what verifies of a damaged log: the state of the last transaction before the first damage that matters.</summary>
    /// <remarks>
    /// Its revision is raised above all that was ever seen, and all below is compacted: the history behind it will be another one. A key that was attached to a
    /// lease which is gone was deleted with it; that it was is not lost.
    /// </remarks>
    /// <exception cref="CorruptionException">History before the damage was compacted, so that there is no such state; or the index names a row that is nowhere.</exception>
    public static (StateParts Parts, StateLoss? Loss) Salvage(
        RevisionLog log, ReadOnlySpan<byte> smallState, IndexCheckpointReader? checkpoint, StateOptions options, AppliedPosition givenUp)
    {
        var small = Decode(smallState, checkpoint);
        var (sound, damage) = log.View.FindSound((checkpoint?.Revision ?? 0) + 1, small.Revision);
        if (damage is null)
        {
            return (new StateLoader(log, small, checkpoint, options, sound).Load(), null);
        }

        if (sound < small.CompactedRevision)
        {
            throw new CorruptionException(damage.Path, damage.Offset, $"{damage.Message}; history before revision {small.CompactedRevision} is compacted, so that there is no earlier state to go back to");
        }

        var revision = checked(small.Revision + StateLoss.SkippedRevisions);
        var after = small with { Revision = revision, CompactedRevision = revision, Applied = givenUp };
        var parts = new StateLoader(log, after, checkpoint, options, sound).Load();
        return (parts, new StateLoss(sound, small.Revision, damage));
    }

    private static SmallState Decode(ReadOnlySpan<byte> smallState, IndexCheckpointReader? checkpoint)
    {
        if (!SmallState.TryDecode(smallState, out var small))
        {
            throw new CorruptionException("MANIFEST", 0, "the small state is none that this version understands");
        }

        if (checkpoint is not null && checkpoint.Revision > small.Revision)
        {
            throw new CorruptionException("MANIFEST", 0, $"the index is of revision {checkpoint.Revision}, the state of {small.Revision}");
        }

        return small;
    }

    /// <summary>Makes the newer state of the parts of an older one. The index of the older one is changed in place; readers keep what they had.</summary>
    public static StateParts Install(StateParts current, StateDelta delta, StateOptions options)
    {
        if (!SmallState.TryDecode(delta.SmallState.Span, out var small))
        {
            throw new CorruptionException("snapshot", 0, "the small state is none that this version understands");
        }

        var log = current.Keys.Log;
        var received = log.Adopt(delta.Segments, delta.IsWhole);
        var loader = delta.IsWhole ? new StateLoader(log, small, checkpoint: null, options) : new StateLoader(log, small, current, options);
        if (!delta.IsWhole && delta.Kept is not null && small.CompactedRevision > loader._indexedRevision)
        {
            loader.DropAllBut(delta.Kept, received.ReadFrom(new Revision(delta.BaseRevision + 1, 0), loader._indexedRevision));
        }

        return loader.Load();
    }

    private StateParts Load()
    {
        Replay();
        if (_isSalvage)
        {
            DropUnleased();
        }

        DropCompacted();
        FindMoved();
        var parts = new StateParts(_log, _index, _leases)
        {
            Alarms = _small.Alarms,
            Members = _small.Members,
            Healing = _small.Healing,
            Auth = _small.Auth,
            Tokens = _small.Tokens,
            Applied = _small.Applied,
        };
        parts.Keys.Load(_small.Revision, _small.CompactedRevision, CountLive());
        parts.Sweep.Load(_small.CompactedRevision);
        return parts;
    }

    /// <summary>Takes the rows that are newer than the checkpoint.</summary>
    private void Replay()
    {
        var rows = Read(_indexedRevision + 1, _throughRevision);
        while (rows.MoveNext())
        {
            if (!RowCodec.TryDecode(rows.Payload, out var fields, out var key, out _))
            {
                throw Damage(rows.Place, "the payload of a verified record is no row");
            }

            var isTombstone = rows.Kind == RecordKind.Tombstone;
            var version = isTombstone ? RecordVersion.Tombstone(rows.Revision, rows.Place) : RecordVersion.Put(rows.Revision, fields.Lease != 0, rows.Place);
            var history = Take(key, version, new RecordNumbers(fields.CreateRevision, fields.Version));
            _leases.Attach(history.Key, isTombstone ? 0 : fields.Lease);
        }
    }

    private RevisionLogReader Read(long from, long through) =>
        _isSalvage ? _log.View.ReadSound(new Revision(from, 0), through) : _log.View.ReadFrom(new Revision(from, 0), through);

    /// <summary>Drops the keys whose lease ended behind the rows that are there.</summary>
    private void DropUnleased()
    {
        var gone = new List<byte[]>();
        var cursor = new IndexCursor(_index.Root, default, default);
        while (cursor.MoveNext())
        {
            if (cursor.Current is { IsAlive: true, Newest.HasLease: true } history && _leases.LeaseOf(history.Key) == 0)
            {
                gone.Add(history.Key);
            }
        }

        gone.ForEach(key => _index.Remove(key));
    }

    private KeyHistory Take(ReadOnlySpan<byte> key, RecordVersion version, RecordNumbers numbers)
    {
        var history = _index.Find(key);
        if (history is null)
        {
            history = new KeyHistory(key.ToArray(), version, numbers);
            _index.Insert(history);
        }
        else if (Continues(history, version, numbers))
        {
            history.Append(version);
        }
        else
        {
            history = new KeyHistory(history.Key, version, numbers);
            _index.Replace(history);
        }

        return history;
    }

    private static bool Continues(KeyHistory history, RecordVersion version, RecordNumbers numbers)
    {
        if (version.IsTombstone)
        {
            return history.IsAlive;
        }

        return numbers == (history.IsAlive ? history.Numbers with { Version = history.Numbers.Version + 1 } : new RecordNumbers(version.Main, 1));
    }

    private void DropCompacted()
    {
        var affected = new List<KeyHistory>();
        var cursor = new IndexCursor(_index.Root, default, default);
        while (cursor.MoveNext())
        {
            if (cursor.Current.DroppedBy(_small.CompactedRevision) > 0)
            {
                affected.Add(cursor.Current);
            }
        }

        foreach (var history in affected)
        {
            var dropped = history.DroppedBy(_small.CompactedRevision);
            if (dropped < history.Count)
            {
                _index.Replace(history.Without(dropped));
            }
            else
            {
                _index.Remove(history.Key);
            }
        }
    }

    /// <summary>Of each key, drops everything but the version that a compaction beyond this state has left, if it has left one.</summary>
    /// <param name="kept">The versions left up to the base, ascending.</param>
    /// <param name="since">What was received of the revisions that this state has come to since the base.</param>
    private void DropAllBut(IReadOnlyList<Revision> kept, RevisionLogReader since)
    {
        var left = new List<Revision>(kept);
        while (since.MoveNext())
        {
            left.Add(since.Revision);
        }

        var affected = new List<(KeyHistory History, bool IsKept)>();
        var found = 0;
        var cursor = new IndexCursor(_index.Root, default, default);
        while (cursor.MoveNext())
        {
            var history = cursor.Current;
            var isKept = history.IsAlive && left.BinarySearch(history.Newest.Revision) >= 0;
            found += isKept ? 1 : 0;
            if (!isKept || history.Count > 1)
            {
                affected.Add((history, isKept));
            }
        }

        if (found != left.Count)
        {
            throw new CorruptionException("snapshot", 0, $"{left.Count - found} rows that are to be kept are not here");
        }

        foreach (var (history, isKept) in affected)
        {
            DropAll(history, isKept);
        }
    }

    private void DropAll(KeyHistory history, bool butNewest)
    {
        if (butNewest)
        {
            _index.Replace(history.Without(history.Count - 1));
            return;
        }

        _leases.Attach(history.Key, 0);
        _index.Remove(history.Key);
    }

    /// <summary>Finds the rows whose segment is gone, because the cleaner moved them after the checkpoint.</summary>
    private void FindMoved()
    {
        var segments = _log.Capture().Segments.Select(segment => segment.Id).ToHashSet();
        var lost = new Dictionary<Revision, (KeyHistory History, RecordVersion Version)>();
        var cursor = new IndexCursor(_index.Root, default, default);
        while (cursor.MoveNext())
        {
            var history = cursor.Current;
            for (var i = 0; i < history.Count; i++)
            {
                if (!segments.Contains(history[i].Place.Segment))
                {
                    lost.Add(history[i].Revision, (history, history[i]));
                }
            }
        }

        if (lost.Count > 0)
        {
            TakeOver(lost);
        }
    }

    private void TakeOver(Dictionary<Revision, (KeyHistory History, RecordVersion Version)> lost)
    {
        var moves = new Dictionary<KeyHistory, List<RecordMove>>(ReferenceEqualityComparer.Instance);
        var rows = Read(0, _indexedRevision);
        while (rows.MoveNext())
        {
            if (lost.Remove(rows.Revision, out var found))
            {
                if (!moves.TryGetValue(found.History, out var list))
                {
                    moves.Add(found.History, list = []);
                }

                list.Add(new RecordMove(rows.Kind, rows.Revision, found.Version.Place, rows.Place, found.History));
            }
        }

        foreach (var (revision, entry) in lost)
        {
            throw Damage(entry.Version.Place, $"the index needs the row of revision {revision}, which is in no segment");
        }

        foreach (var (history, list) in moves)
        {
            _index.Replace(history.With(list));
        }
    }

    /// <summary>Counts the keys that exist, and tells the log which rows are needed.</summary>
    private long CountLive()
    {
        long live = 0;
        _log.ClearLive();
        var cursor = new IndexCursor(_index.Root, default, default);
        while (cursor.MoveNext())
        {
            live += cursor.Current.IsAlive ? 1 : 0;
            for (var i = 0; i < cursor.Current.Count; i++)
            {
                _log.MarkLive(cursor.Current[i].Place);
            }
        }

        return live;
    }

    private static CorruptionException Damage(RecordPlace place, string what) => new($"segment {place.Segment}", place.Offset, what);
}
