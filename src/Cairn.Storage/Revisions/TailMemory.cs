namespace Cairn.Storage.Revisions;

/// <summary>The buffers that hold the newest records. The oldest is used again once the disk has its bytes for sure.</summary>
/// <remarks>
/// Owned by the appender; not thread-safe. Synced, not only written, is what lets a buffer go: after a failed sync the file proves nothing, and these bytes are
/// the only copy (docs/decisions/0004). If the disk does not keep up, buffers are added rather than the appender stopped in the middle of an entry; the caller
/// bounds that by <see cref="RevisionLog.TailRoomBytes"/>, and the surplus goes when the disk has caught up.
/// </remarks>
internal sealed class TailMemory
{
    private readonly int _chunkBytes;
    private readonly int _chunksMax;
    private readonly Queue<(Segment Segment, int Index)> _held = new();

    /// <summary>Creates the set; nothing is allocated yet.</summary>
    /// <param name="chunkBytes">Size of a buffer.</param>
    /// <param name="tailBytes">Size of all of them.</param>
    public TailMemory(int chunkBytes, int tailBytes)
    {
        _chunkBytes = chunkBytes;
        _chunksMax = tailBytes / chunkBytes;
    }

    /// <summary>Gives a segment its next buffer.</summary>
    /// <param name="segment">Who.</param>
    /// <param name="index">Which piece of the segment it is for.</param>
    /// <returns>The buffer, handed over.</returns>
    public TailChunk Take(Segment segment, int index)
    {
        TailChunk? chunk = null;
        while (_held.Count >= _chunksMax && _held.Peek() is var oldest && oldest.Segment.CanRelease(oldest.Index))
        {
            chunk = oldest.Segment.Release(oldest.Index);
            _held.Dequeue();
        }

        chunk ??= new TailChunk(_chunkBytes);
        chunk.HandTo(segment.Id, index);
        _held.Enqueue((segment, index));
        return chunk;
    }

    /// <summary>Forgets the buffers of a segment; they live for as long as somebody can still read that segment.</summary>
    /// <param name="segment">A segment whose file failed.</param>
    public void Abandon(Segment segment)
    {
        for (var count = _held.Count; count > 0; count--)
        {
            var held = _held.Dequeue();
            if (held.Segment != segment)
            {
                _held.Enqueue(held);
            }
        }
    }
}
