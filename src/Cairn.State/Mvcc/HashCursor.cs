using System.Numerics;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Mvcc;

/// <summary>Computes the hash of a key space step by step, reading its rows in revision order.</summary>
/// <remarks>
/// <para>
/// Fed are: the name of etcd's bucket; then, for each row up to the revision, its revision key and its bytes. Rows that the compaction drops are left out,
/// also those that are still there: what counts is the state, not how far a sweep or a cleaner came. A tombstone exactly at the compaction is left out.
/// </para>
/// <para>
/// One rule is etcd's accident, kept to be equal: if no key exists at the revision, every row that the compaction itself kept is fed.
/// </para>
/// <para>Any one thread. Source: etcd server/storage/mvcc/hash.go.</para>
/// </remarks>
public sealed class HashCursor
{
    private readonly KeySpaceView _view;
    private readonly RevisionLogReader? _rows;
    private readonly long _compacted;
    private readonly long _revision;
    private readonly bool _isCompaction;
    private IndexCursor? _search;
    private bool _isAnyKept;
    private uint _crc;

    private HashCursor(KeySpaceView view, long compacted, long revision, bool isCompaction)
    {
        _view = view;
        _compacted = compacted;
        _revision = revision;
        _isCompaction = isCompaction;
        _rows = view.Log.ReadFrom(new Revision(0, 0), revision);
        _search = compacted > 0 ? new IndexCursor(view.Root, default, default) : null;
        _crc = Update(uint.MaxValue, "key"u8);
    }

    private HashCursor(KeySpaceHash known)
    {
        Result = known;
        IsDone = true;
    }

    /// <summary>Whether <see cref="Result"/> is there.</summary>
    public bool IsDone { get; private set; }

    /// <summary>The hash, once done.</summary>
    public KeySpaceHash Result { get; private set; }

    /// <summary>Goes on.</summary>
    /// <param name="budget">Most rows or keys to look at.</param>
    /// <returns>True if there is more to do.</returns>
    /// <exception cref="CorruptionException">A row on disk is not what was written.</exception>
    public bool Step(int budget)
    {
        Invariant.Holds(budget > 0);
        if (IsDone)
        {
            return false;
        }

        while (_search is not null && budget > 0)
        {
            budget--;
            SearchKept();
        }

        while (_search is null && budget > 0)
        {
            budget--;
            if (!Rows.MoveNext())
            {
                Result = new KeySpaceHash(~_crc, _compacted, _revision);
                IsDone = true;
                return false;
            }

            Feed();
        }

        return true;
    }

    internal static HashCursor Known(KeySpaceHash hash) => new(hash);

    internal static HashCursor Of(KeySpaceView view, long revision) => new(view, view.CompactedRevision, revision, isCompaction: false);

    /// <summary>Hashes what a compaction sees: the state as its predecessor left it.</summary>
    internal static HashCursor OfCompaction(KeySpaceView view, long previous, long revision) => new(view, previous, revision, isCompaction: true);

    private RevisionLogReader Rows => _rows ?? throw Invariant.Unreachable("a known hash reads no rows");

    /// <summary>Looks whether the compaction at the revision keeps anything at all.</summary>
    private void SearchKept()
    {
        if (_search is { } search && search.MoveNext())
        {
            var position = search.Current.PositionAt(_revision);
            _isAnyKept = position >= 0 && (!search.Current[position].IsTombstone || (_isCompaction && search.Current[position].Main == _revision));
            _search = _isAnyKept ? null : search;
            return;
        }

        _search = null;
    }

    private void Feed()
    {
        var revision = Rows.Revision;
        var isTombstone = Rows.Kind == RecordKind.Tombstone;
        if (revision.Main <= _compacted && (isTombstone || !IsKept(revision)))
        {
            return;
        }

        Span<byte> key = stackalloc byte[RowCodec.TombstoneKeyLength];
        _crc = Update(_crc, key[..RowCodec.WriteRevisionKey(key, revision, isTombstone)]);
        _crc = Update(_crc, Rows.Payload);
    }

    private bool IsKept(Revision revision)
    {
        Invariant.Holds(RowCodec.TryDecode(Rows.Payload, out _, out var key, out _));
        return KeyIndex.Find(_view.Root, key) is { } history
            && history.TryGetAt(_isAnyKept ? _revision : _compacted, out var version)
            && version.Revision == revision;
    }

    private static uint Update(uint crc, ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length >= 8)
        {
            crc = BitOperations.Crc32C(crc, System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[8..];
        }

        foreach (var b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return crc;
    }
}
