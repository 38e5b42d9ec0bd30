using Cairn.State.Mvcc;

namespace Cairn.Server.Reads;

/// <summary>A range answered in pieces, all of one revision. Owned by the call that asked; not thread-safe.</summary>
/// <remarks>
/// The first piece is small, so that something arrives soon; each later one has twice or half as many rows as the one before, so that a piece comes near the
/// size of the largest request. Source: etcd 3.7, RangeStream.
/// </remarks>
public sealed class RangeChunks
{
    private const int RowsAtFirst = 10;

    // A piece of the smallest rows stays well below what one gRPC message may carry.
    private const int RowsMax = 16_384;

    private readonly NodeRuntime _node;
    private readonly RangeCursor _cursor;
    private int _rows = RowsAtFirst;

    /// <summary>Starts before the first piece.</summary>
    /// <param name="node">The node.</param>
    /// <param name="cursor">Where the pieces come from.</param>
    internal RangeChunks(NodeRuntime node, RangeCursor cursor)
    {
        _node = node;
        _cursor = cursor;
    }

    /// <summary>Takes the next piece. Header, count and "more" are on the last piece only.</summary>
    /// <returns>The piece; null after the last one; or why the rest cannot be had (history was compacted meanwhile).</returns>
    public (RangeAnswer? Chunk, NodeError Error) Next()
    {
        if (_cursor.IsAtEnd)
        {
            return (null, NodeError.None);
        }

        if (_cursor.PinnedRevision < _node.View.CompactedRevision)
        {
            return (null, NodeError.Compacted);
        }

        var result = _cursor.Next(_rows);
        var chunk = new RangeAnswer(result, _cursor.IsAtEnd ? _node.Headers.Make(_cursor.PinnedRevision) : null, _node.Disks.Damage.Note);
        var aim = _node.Options.RequestBytesMax;
        var bytes = chunk.ByteCount;
        _rows = bytes > aim ? Math.Max(_rows / 2, 1) : bytes * 2 <= aim ? Math.Min(_rows * 2, RowsMax) : _rows;
        return (chunk, NodeError.None);
    }
}
