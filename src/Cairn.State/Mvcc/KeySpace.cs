using Cairn.State.Lease;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Mvcc;

/// <summary>The key space as the apply loop sees and changes it: one transaction at a time, each at most one revision.</summary>
/// <remarks>
/// A transaction begins by itself with the first change and ends with <see cref="Commit"/>; without a change there is no new revision. Owned by the apply
/// loop. Source: etcd server/storage/mvcc/kvstore_txn.go.
/// </remarks>
internal sealed class KeySpace
{
    private readonly LeaseTable _leases;
    private readonly EventBuffer _events;
    private int _changes;

    public KeySpace(RevisionLog log, KeyIndex index, LeaseTable leases, EventBuffer events)
    {
        Log = log;
        Index = index;
        _leases = leases;
        _events = events;
    }

    public RevisionLog Log { get; }

    public KeyIndex Index { get; }

    /// <summary>Revision of the last committed transaction; 1 for a fresh store.</summary>
    public long Revision { get; private set; } = 1;

    /// <summary>The newest compaction: history below it cannot be read. -1 if there was none.</summary>
    public long CompactedRevision { get; private set; } = -1;

    /// <summary>Number of keys that exist. Writer only.</summary>
    public long LiveKeys { get; private set; }

    /// <summary>Whether the open transaction has changed anything.</summary>
    public bool IsChanged => _changes > 0;

    /// <summary>The revision that a read inside the open transaction sees.</summary>
    public long ReadRevision => IsChanged ? Revision + 1 : Revision;

    /// <summary>The state that a read inside the open transaction sees.</summary>
    public KeySpaceView View => new(Index.Root, ReadRevision, CompactedRevision, Log.View);

    /// <summary>Writes a key. Lease and flags were checked before.</summary>
    public void Put(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, long lease)
    {
        Invariant.Holds(!key.IsEmpty);
        var history = Index.Find(key);
        var revision = NextRevision();
        var isCreation = history is null || !history.IsAlive;
        var numbers = isCreation ? new RecordNumbers(revision.Main, 1) : Next(history!.Numbers); // A history that is alive is not null.
        var row = RowCodec.EncodePut(key, value, new RowFields(numbers.CreateRevision, revision.Main, numbers.Version, lease));
        var record = RecordVersion.Put(revision, lease != 0, Log.Append(RecordKind.Put, revision, row));
        if (history is null)
        {
            history = new KeyHistory(key.ToArray(), record, numbers);
            Index.Insert(history);
        }
        else
        {
            history.Append(record);
        }

        LiveKeys += isCreation ? 1 : 0;
        _leases.Attach(history.Key, lease);
        _events.Add(new StateEvent(revision, IsDeletion: false, HadPrevious: !isCreation, history.Key, row));
    }

    /// <summary>Deletes all keys of a range that exist, in their order.</summary>
    /// <returns>How many.</returns>
    public int Delete(KeyRange range)
    {
        if (range.IsSingleKey)
        {
            var history = Index.Find(range.Start.Span);
            return history is { IsAlive: true } ? Delete(history) : 0;
        }

        var deleted = 0;
        var cursor = range.Walk(Index.Root);
        while (cursor.MoveNext())
        {
            deleted += cursor.Current.IsAlive ? Delete(cursor.Current) : 0;
        }

        return deleted;
    }

    /// <summary>Ends the transaction.</summary>
    /// <returns>The store's revision afterwards.</returns>
    public long Commit()
    {
        if (IsChanged)
        {
            Revision++;
            _changes = 0;
        }

        return Revision;
    }

    /// <summary>Raises the floor below which history cannot be read.</summary>
    public StoreError Compact(long revision)
    {
        Invariant.Holds(!IsChanged);
        if (revision <= CompactedRevision)
        {
            return StoreError.Compacted;
        }

        if (revision > Revision)
        {
            return StoreError.FutureRevision;
        }

        CompactedRevision = revision;
        return StoreError.None;
    }

    /// <summary>Takes over what was loaded from disk.</summary>
    public void Load(long revision, long compactedRevision, long liveKeys)
    {
        Invariant.Holds(revision >= 1 && compactedRevision >= -1 && compactedRevision <= revision);
        Revision = revision;
        CompactedRevision = compactedRevision;
        LiveKeys = liveKeys;
    }

    public void AssertInvariants()
    {
        Invariant.Holds(!IsChanged && Revision >= 1);
        Invariant.Holds(CompactedRevision <= Revision);
        Index.AssertInvariants();
        long live = 0;
        var cursor = new IndexCursor(Index.Root, default, default);
        while (cursor.MoveNext())
        {
            live += cursor.Current.IsAlive ? 1 : 0;
            Invariant.Holds(cursor.Current.Newest.Main <= Revision);
        }

        Invariant.Holds(live == LiveKeys);
    }

    private int Delete(KeyHistory history)
    {
        var revision = NextRevision();
        var row = RowCodec.EncodeTombstone(history.Key);
        history.Append(RecordVersion.Tombstone(revision, Log.Append(RecordKind.Tombstone, revision, row)));
        LiveKeys--;
        _leases.Attach(history.Key, 0);
        _events.Add(new StateEvent(revision, IsDeletion: true, HadPrevious: true, history.Key, RowCodec.EncodeDeletion(history.Key, revision.Main)));
        return 1;
    }

    private static RecordNumbers Next(RecordNumbers numbers) => numbers with { Version = numbers.Version + 1 };

    private Revision NextRevision() => new(Revision + 1, _changes++);
}
