using Cairn.Protocol;
using Cairn.State.Alarms;
using Cairn.State.Auth;
using Cairn.State.Healing;
using Cairn.State.Lease;
using Cairn.State.Members;
using Cairn.State.Mvcc;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State;

/// <summary>The state at one published moment, for reading: immutable, any thread, never waits and is never waited for.</summary>
/// <remarks>The lease table is the exception: it shows the present, under its own short lock.</remarks>
public sealed class ReadView
{
    private readonly KeySpaceView _keys;

    internal ReadView(KeySpaceView keys, LeaseTable leases, AppliedPosition applied)
    {
        _keys = keys;
        Leases = leases;
        Applied = applied;
    }

    /// <summary>The last entry that is in it.</summary>
    public AppliedPosition Applied { get; }

    /// <summary>Revision of the store.</summary>
    public long Revision => _keys.Revision;

    /// <summary>Oldest revision that can be read; -1 before the first compaction.</summary>
    public long CompactedRevision => _keys.CompactedRevision;

    /// <summary>The leases; as they are now, not as they were.</summary>
    public LeaseTable Leases { get; }

    /// <summary>Users, roles and whether they matter.</summary>
    public required AuthTables Auth { get; init; }

    /// <summary>The simple tokens that are valid.</summary>
    public required TokenTable Tokens { get; init; }

    /// <summary>The raised alarms.</summary>
    public required AlarmTable Alarms { get; init; }

    /// <summary>The members, the cluster version, a downgrade.</summary>
    public required MemberTable Members { get; init; }

    /// <summary>What the cluster is meant to be, and what healing does to keep it so.</summary>
    public required HealingTable Healing { get; init; }

    /// <summary>Number of keys that exist.</summary>
    public required long LiveKeys { get; init; }

    /// <summary>The hashes kept of the newest compactions.</summary>
    public required CompactionHashes CompactionHashes { get; init; }

    internal KeySpaceView Keys => _keys;

    /// <summary>Answers a range request.</summary>
    /// <param name="request">A validated request.</param>
    /// <param name="result">The answer; its rows are read when it is written out.</param>
    /// <returns>None, Compacted or FutureRevision.</returns>
    /// <exception cref="Cairn.Storage.CorruptionException">A row on disk is not what was written.</exception>
    public StoreError Range(RangeRequest request, out RangeResult result) => RangeReader.Read(_keys, request, out result);

    /// <summary>Starts to answer a range in pieces, in the order of keys.</summary>
    /// <param name="request">A validated request without filters and without another order.</param>
    /// <param name="cursor">Where the pieces come from.</param>
    /// <returns>None, Compacted or FutureRevision.</returns>
    public StoreError OpenRange(RangeRequest request, out RangeCursor? cursor) => RangeCursor.Open(_keys, request, out cursor);

    /// <summary>Answers a transaction that only reads (<see cref="RequestValidation.IsReadOnly"/>).</summary>
    /// <param name="request">A validated request.</param>
    /// <param name="response">The answer, its headers with the revision alone; null after an error.</param>
    /// <returns>None, Compacted or FutureRevision.</returns>
    /// <exception cref="Cairn.Storage.CorruptionException">A row on disk is not what was written.</exception>
    public StoreError Txn(TxnRequest request, out TxnResponse? response) => ReadOnlyTxn.Run(_keys, Leases, request, out response);

    /// <summary>Starts to compute the hash of the key space at a revision, which members compare.</summary>
    /// <param name="revision">
    /// Which; 0 is that of the view. That of a recent compaction is answered from memory. A negative one comes before all rows, and is hashed so, as etcd does.
    /// </param>
    /// <param name="cursor">Computes it, step by step; null after an error.</param>
    /// <returns>None, Compacted or FutureRevision.</returns>
    public StoreError OpenHash(long revision, out HashCursor? cursor)
    {
        cursor = null;
        if (CompactionHashes.TryFind(revision, out var known))
        {
            cursor = HashCursor.Known(known);
            return StoreError.None;
        }

        var error = revision <= 0 ? StoreError.None : _keys.Resolve(revision, out _);
        cursor = error == StoreError.None ? HashCursor.Of(_keys, revision == 0 ? Revision : revision) : null;
        return error;
    }

    /// <summary>Opens history for a reader that is behind: a late watcher, a follower.</summary>
    /// <param name="from">First revision.</param>
    /// <returns>All rows from there up to the view, in revision order. Below <see cref="CompactedRevision"/> rows may be missing.</returns>
    public RevisionLogReader ReadHistory(Revision from) => _keys.Log.ReadFrom(from, Revision);

    /// <summary>Starts to find out what the keys take, and below which prefixes.</summary>
    /// <param name="share">Bytes from which a prefix is worth naming; at least 1.</param>
    /// <returns>Finds it, step by step.</returns>
    public Mvcc.SpaceCursor OpenSpace(long share) => new(_keys, share);

    /// <summary>Finds what is needed of one segment, without reading it. Walks over the whole index.</summary>
    /// <param name="segment">Number of the segment.</param>
    /// <returns>By ascending revision.</returns>
    public IReadOnlyList<Mvcc.NeededRecord> FindRecords(uint segment) => Mvcc.SegmentRecords.Find(_keys, segment);

    /// <summary>Reads one of <see cref="FindRecords"/>.</summary>
    /// <param name="record">Which.</param>
    /// <returns>Its payload.</returns>
    /// <exception cref="Cairn.Storage.CorruptionException">It is not what was written.</exception>
    public byte[] ReadRecord(Mvcc.NeededRecord record)
    {
        var payload = new byte[record.Place.Length];
        _keys.Log.Read(record.Place, payload);
        return payload;
    }

    /// <summary>Whether bytes can be the record that belongs in a place: its key, revision and length are right.</summary>
    /// <param name="record">The record.</param>
    /// <param name="payload">What another member has at its revision.</param>
    /// <returns>False if it is something else.</returns>
    public static bool IsPayloadOf(Mvcc.NeededRecord record, ReadOnlySpan<byte> payload) =>
        payload.Length == record.Place.Length
        && Mvcc.RowCodec.TryDecode(payload, out var fields, out var key, out _)
        && key.SequenceEqual(record.Key)
        && (record.IsTombstone || fields.ModRevision == record.Revision.Main);

    /// <summary>Makes the question that a cleaner asks of each record; take the view after the round began.</summary>
    /// <param name="checkpointRevision">
    /// Revision of the index checkpoint that the newest manifest names, 0 without one. Deletions after it are kept even if they are compacted: without them a
    /// restart, which reads the rows after the checkpoint, would take the key for alive.
    /// </param>
    /// <returns>The question; any thread.</returns>
    public RecordLookup CleanerLookup(long checkpointRevision) => MoveCollector.LookupIn(() => _keys.Root, checkpointRevision);

    /// <summary>Reads one key at a revision: the previous value that a watcher asked for is the one at its event's revision less 1.</summary>
    /// <param name="key">Which key.</param>
    /// <param name="revision">At which revision, at most that of the view.</param>
    /// <returns>Canonical mvccpb.KeyValue; null if the key did not exist then, or history does not reach back so far.</returns>
    /// <exception cref="Cairn.Storage.CorruptionException">The row on disk is not what was written.</exception>
    public byte[]? ReadRow(ReadOnlySpan<byte> key, long revision) =>
        revision >= CompactedRevision && _keys.TryFind(key, revision, out var version) ? _keys.ReadRow(version) : null;
}

/// <summary>How far the log was applied.</summary>
/// <param name="Index">Index of the last applied entry; 0 before the first.</param>
/// <param name="Term">Its term.</param>
public readonly record struct AppliedPosition(ulong Index, ulong Term);
