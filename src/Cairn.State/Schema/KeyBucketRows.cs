using Cairn.Bbolt;
using Cairn.State.Mvcc;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Schema;

/// <summary>The rows of etcd's bucket "key": history from the compaction on, and of each key that existed then its newest row before.</summary>
/// <remarks>
/// What a compaction made superfluous is left out even where it still lies on disk, as if each sweep had come to its end: so what is said of the compaction
/// in the bucket "meta" holds. A tombstone exactly at the compaction stays, as etcd keeps it. One user at a time, any thread.
/// </remarks>
/// <param name="view">The key space at one moment.</param>
internal sealed class KeyBucketRows(KeySpaceView view) : IBboltRows
{
    private readonly RevisionLogReader _rows = view.Log.ReadFrom(new Revision(0, 0), view.Revision);
    private readonly byte[] _key = new byte[RowCodec.TombstoneKeyLength];
    private int _keyLength;

    /// <inheritdoc/>
    public ReadOnlySpan<byte> Key => _key.AsSpan(0, _keyLength);

    /// <inheritdoc/>
    public int ValueLength => _rows.Payload.Length;

    /// <inheritdoc/>
    public bool MoveNext()
    {
        while (_rows.MoveNext())
        {
            if (_rows.Revision.Main > view.CompactedRevision || IsKept())
            {
                _keyLength = RowCodec.WriteRevisionKey(_key, _rows.Revision, _rows.Kind == RecordKind.Tombstone);
                return true;
            }
        }

        return false;
    }

    /// <inheritdoc/>
    public void CopyValue(Span<byte> destination) => _rows.Payload.CopyTo(destination);

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    private bool IsKept()
    {
        if (_rows.Kind == RecordKind.Tombstone && _rows.Revision.Main < view.CompactedRevision)
        {
            return false;
        }

        Invariant.Holds(RowCodec.TryDecode(_rows.Payload, out _, out var key, out _));
        if (KeyIndex.Find(view.Root, key) is not { } history)
        {
            return false;
        }

        var position = history.PositionAt(view.CompactedRevision);
        return position >= 0 && history[position].Revision == _rows.Revision;
    }
}
