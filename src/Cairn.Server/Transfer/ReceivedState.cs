using Cairn.Raft;
using Cairn.State.Transfer;
using Cairn.Storage.Revisions;

namespace Cairn.Server.Transfer;

/// <summary>A state of another member, whole and verified as far as it can be without installing it. Its rows lie in segments that nothing names yet.</summary>
/// <param name="Metadata">The snapshot that it is.</param>
/// <param name="Delta">What makes it out of the present state.</param>
/// <param name="RowCount">Rows that came with it.</param>
internal sealed record ReceivedState(SnapshotMetadata Metadata, StateDelta Delta, long RowCount)
{
    /// <summary>Sets numbers of segments of a running node aside.</summary>
    /// <param name="node">The node.</param>
    /// <returns>Given how many, returns the first.</returns>
    public static Func<uint, Task<uint>> NumbersOf(NodeRuntime node) => count => node.ApplyLoop.CallAsync(_ => node.RevisionLog.ReserveIds(count));

    /// <summary>Begins segments beside those of the node.</summary>
    /// <param name="world">What the member touches.</param>
    /// <param name="reserveIds">Sets numbers of segments aside, given how many; returns the first.</param>
    /// <param name="rowBytes">Bytes of all rows to come.</param>
    /// <param name="rowCount">How many.</param>
    /// <returns>Where the rows go.</returns>
    /// <exception cref="TransferException">The disk has no room for them.</exception>
    public static async ValueTask<RevisionLog> BeginRowsAsync(NodeWorld world, Func<uint, Task<uint>> reserveIds, long rowBytes, long rowCount)
    {
        var room = world.Disk.MeasureSpace().AvailableBytes;
        var needed = rowBytes + (rowCount * 32);
        if (room < needed)
        {
            throw new TransferException($"the state takes {needed} bytes, and the disk has room for {room}");
        }

        // Two segments in a row hold more than the size of one, or the next row would not have begun another.
        var count = (uint)Math.Min((2 * needed / world.RevisionLogOptions.SegmentBytes) + 2, int.MaxValue);
        var first = await reserveIds(count);
        return RevisionLog.Begin(world.Disk, DataDirectory.Store, first, world.RevisionLogOptions);
    }

    /// <summary>Deletes segments that nothing names.</summary>
    /// <param name="world">What the member touches.</param>
    /// <param name="ends">The segments.</param>
    public static void DropRows(NodeWorld world, RevisionLogEnds ends)
    {
        foreach (var segment in ends.Segments)
        {
            try
            {
                world.Disk.Delete($"{DataDirectory.Store}/{segment.FileName}");
            }
            catch (IOException)
            {
                // It may never have been made; otherwise the next start deletes it.
            }
        }
    }
}
