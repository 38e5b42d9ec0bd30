using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Mvcc;

/// <summary>A record that the index needs, and where it lies.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Revision">Its revision.</param>
/// <param name="IsTombstone">Whether it says that the key was deleted.</param>
/// <param name="Place">Where it lies.</param>
public readonly record struct NeededRecord(byte[] Key, Revision Revision, bool IsTombstone, RecordPlace Place);

/// <summary>Finds what the index needs of one segment, without reading it: walks over the whole index.</summary>
internal static class SegmentRecords
{
    /// <summary>Finds.</summary>
    /// <param name="view">What readers see.</param>
    /// <param name="segment">Number of the segment.</param>
    /// <returns>By ascending revision.</returns>
    public static List<NeededRecord> Find(KeySpaceView view, uint segment)
    {
        var found = new List<NeededRecord>();
        var cursor = new IndexCursor(view.Root, default, default);
        while (cursor.MoveNext())
        {
            var history = cursor.Current;
            var last = history.PositionAt(view.Revision);
            for (var i = 0; i <= last; i++)
            {
                var version = history[i];
                if (version.Place.Segment == segment)
                {
                    found.Add(new NeededRecord(history.Key, version.Revision, version.IsTombstone, version.Place));
                }
            }
        }

        found.Sort(static (left, right) => left.Revision.CompareTo(right.Revision));
        return found;
    }
}
