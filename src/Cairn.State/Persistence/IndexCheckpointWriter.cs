using System.Buffers;
using Cairn.State.Mvcc;

namespace Cairn.State.Persistence;

/// <summary>Writes the index of a read view as chunks, so that a restart need not read every row. In the background, a chunk at a time.</summary>
/// <remarks>
/// Any one thread. Chunks stand for themselves: whoever stores them keeps their order and their lengths, and checks their bytes.
/// <code>
///   chunk   = head | keys
///   head    = 0 format revision                                                                        the first chunk
///   keys    = 1 { shared rest key-rest count lease create version { main-delta sub-and-kind segment offset length } }
/// </code>
/// Numbers are varints; "shared" is how many bytes the key has in common with the one before in the chunk; create and version are those of the oldest
/// version, lease is that of the newest.
/// </remarks>
public sealed class IndexCheckpointWriter
{
    internal const byte HeadChunk = 0;
    internal const byte KeysChunk = 1;
    internal const ulong Format = 1;

    private readonly KeySpaceView _view;
    private readonly IndexCursor _cursor;
    private bool _isBegun;
    private KeyHistory? _pending;

    /// <summary>Starts before the first chunk.</summary>
    /// <param name="view">What to write.</param>
    public IndexCheckpointWriter(ReadView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        _view = view.Keys;
        _cursor = new IndexCursor(_view.Root, default, default);
    }

    /// <summary>Revision of the view: rows above it are not in the index that is written.</summary>
    public long Revision => _view.Revision;

    /// <summary>Writes the next chunk.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="bytesTarget">The chunk ends with the first key that reaches this many bytes.</param>
    /// <returns>False if nothing was left to be written.</returns>
    public bool TryWriteChunk(IBufferWriter<byte> writer, int bytesTarget)
    {
        Invariant.Holds(bytesTarget > 0);
        if (!_isBegun)
        {
            _isBegun = true;
            WriteHead(writer);
            return true;
        }

        var chunk = new ArrayBufferWriter<byte>(bytesTarget);
        var fields = new WireWriter(chunk);
        byte[] previous = [];
        while (chunk.WrittenCount < bytesTarget && NextSeen() is { } history)
        {
            WriteKey(fields, previous, history);
            previous = history.Key;
        }

        if (chunk.WrittenCount == 0)
        {
            return false;
        }

        var whole = new WireWriter(writer);
        whole.Varint(KeysChunk);
        whole.Raw(chunk.WrittenSpan);
        return true;
    }

    private void WriteHead(IBufferWriter<byte> writer)
    {
        var fields = new WireWriter(writer);
        fields.Varint(HeadChunk);
        fields.Varint(Format);
        fields.Varint((ulong)_view.Revision);
    }

    private KeyHistory? NextSeen()
    {
        _pending = null;
        while (_pending is null && _cursor.MoveNext())
        {
            _pending = _cursor.Current.PositionAt(_view.Revision) >= 0 ? _cursor.Current : null;
        }

        return _pending;
    }

    private void WriteKey(WireWriter fields, byte[] previous, KeyHistory history)
    {
        var last = history.PositionAt(_view.Revision);
        var shared = history.Key.AsSpan().CommonPrefixLength(previous);
        var numbers = history.NumbersAt(0);
        fields.Varint((ulong)shared);
        fields.Varint((ulong)(history.Key.Length - shared));
        fields.Raw(history.Key.AsSpan(shared));
        fields.Varint((ulong)last + 1);
        fields.Varint((ulong)LeaseAt(history, last));
        fields.Varint((ulong)numbers.CreateRevision);
        fields.Varint((ulong)numbers.Version);
        long main = 0;
        for (var i = 0; i <= last; i++)
        {
            var version = history[i];
            fields.Varint((ulong)(version.Main - main));
            fields.Varint((ulong)version.SubAndFlags);
            fields.Varint(version.Place.Segment);
            fields.Varint(version.Place.Offset);
            fields.Varint((ulong)version.Place.Length);
            main = version.Main;
        }
    }

    private long LeaseAt(KeyHistory history, int position)
    {
        if (!history[position].HasLease)
        {
            return 0;
        }

        Invariant.Holds(RowCodec.TryDecode(_view.ReadRow(history[position]), out var fields, out _, out _));
        return fields.Lease;
    }
}
