namespace Cairn.Storage.Revisions;

/// <summary>Sizes of the revision log.</summary>
public sealed record RevisionLogOptions
{
    /// <summary>Bytes at which a segment is sealed and the next one begun; from 4 KiB to 1 GiB. A record larger than that gets a segment of its own.</summary>
    public int SegmentBytes { get; init; } = 64 << 20;

    /// <summary>Bytes of one buffer of the tail; a power of two, from 256, at most a segment.</summary>
    public int ChunkBytes { get; init; } = 256 << 10;

    /// <summary>
    /// Bytes of the newest records kept in memory, synced or not, so that reading them costs no system call. Also the bound of what may wait for the disk:
    /// see <see cref="RevisionLog.TailRoomBytes"/>. At least two buffers.
    /// </summary>
    public int TailBytes { get; init; } = 16 << 20;

    /// <summary>Checks the ranges.</summary>
    internal void AssertInvariants()
    {
        Invariant.Holds(SegmentBytes is >= 4096 and <= 1 << 30);
        Invariant.Holds(ChunkBytes >= 256 && int.IsPow2(ChunkBytes) && ChunkBytes <= SegmentBytes);
        Invariant.Holds(TailBytes >= 2 * ChunkBytes);
    }
}
