namespace Cairn.Storage.Revisions;

/// <summary>A buffer of the tail: one aligned piece of one segment, until it is handed to another.</summary>
/// <remarks>
/// Readers copy without a lock and look at the stamp before and after: if it changed, what they copied may be of the next owner, and they read the file
/// instead (a sequence lock). Stamps never repeat, because numbers of segments never do. The array is pinned, so that the disk's threads need not pin it.
/// </remarks>
internal sealed class TailChunk
{
    private readonly byte[] _bytes;
    private ulong _stamp;

    /// <summary>Allocates a buffer that nobody owns.</summary>
    /// <param name="bytes">Its size.</param>
    public TailChunk(int bytes) => _bytes = GC.AllocateUninitializedArray<byte>(bytes, pinned: true);

    /// <summary>Makes it a piece of a segment. Called by the appender, after nobody can find it any more under its former name.</summary>
    /// <param name="segment">Number of the segment; from 1.</param>
    /// <param name="index">Which piece of it.</param>
    public void HandTo(uint segment, int index)
    {
        Volatile.Write(ref _stamp, StampOf(segment, index));

        // No byte of the new owner may become visible before the stamp has changed.
        Volatile.WriteBarrier();
    }

    /// <summary>Where the appender writes; the bytes become visible with the segment's end.</summary>
    /// <param name="from">First byte in the buffer.</param>
    /// <returns>The rest of the buffer.</returns>
    public Span<byte> SpanFrom(int from) => _bytes.AsSpan(from);

    /// <summary>What goes to the file. Stable for as long as it is not synced.</summary>
    /// <param name="from">First byte in the buffer.</param>
    /// <param name="length">How many.</param>
    /// <returns>That part of the buffer.</returns>
    public ReadOnlyMemory<byte> Slice(int from, int length) => _bytes.AsMemory(from, length);

    /// <summary>Copies, on any thread.</summary>
    /// <param name="segment">Number of the segment that the reader means.</param>
    /// <param name="index">Which piece of it.</param>
    /// <param name="from">First byte in the buffer.</param>
    /// <param name="destination">What to fill.</param>
    /// <returns>False if the buffer belongs to somebody else by now; the bytes are in the file then.</returns>
    public bool TryCopy(uint segment, int index, int from, Span<byte> destination)
    {
        var stamp = StampOf(segment, index);
        if (Volatile.Read(ref _stamp) != stamp)
        {
            return false;
        }

        _bytes.AsSpan(from, destination.Length).CopyTo(destination);
        Volatile.ReadBarrier();
        return Volatile.Read(ref _stamp) == stamp;
    }

    private static ulong StampOf(uint segment, int index) => ((ulong)segment << 32) | (uint)index;
}
