namespace Cairn.Storage.Revisions;

/// <summary>Where some records of a segment begin: one for every stretch of it, so that a reader finds a revision without walking the whole segment.</summary>
/// <remarks>Thread-safe. The appender notes what it appends, readers what they walk over; a segment opened from disk starts with none.</remarks>
internal sealed class SparsePlaces
{
    // A thousand marks for a full segment: 24 KiB of memory, and a seek walks at most what one read of the disk brings anyway.
    private const long StrideBytes = 64 << 10;

    private readonly Lock _lock = new();
    private readonly List<(Revision Revision, long Offset)> _places = [];
    private long _lastOffset = long.MinValue / 2;

    /// <summary>Notes a record, if there is none near.</summary>
    /// <param name="revision">Its revision.</param>
    /// <param name="offset">Where it begins.</param>
    public void Add(Revision revision, long offset)
    {
        if (Math.Abs(offset - Volatile.Read(ref _lastOffset)) < StrideBytes)
        {
            return;
        }

        lock (_lock)
        {
            var after = Find_NeedsLock(revision) + 1;
            var isFarFromBefore = after == 0 || _places[after - 1].Offset + StrideBytes <= offset;
            var isFarFromNext = after == _places.Count || offset + StrideBytes <= _places[after].Offset;
            if (isFarFromBefore && isFarFromNext)
            {
                _places.Insert(after, (revision, offset));
            }

            Volatile.Write(ref _lastOffset, offset);
        }
    }

    /// <summary>Finds where to begin looking for a revision.</summary>
    /// <param name="revision">What is looked for.</param>
    /// <returns>A record at or before it, or the first of the segment.</returns>
    public long StartFor(Revision revision)
    {
        lock (_lock)
        {
            var index = Find_NeedsLock(revision);
            return index < 0 ? SegmentFormat.HeaderBytes : _places[index].Offset;
        }
    }

    // The last mark that is not after the revision; -1 if there is none.
    private int Find_NeedsLock(Revision revision)
    {
        var low = 0;
        var high = _places.Count;
        while (low < high)
        {
            var middle = (low + high) / 2;
            if (_places[middle].Revision <= revision)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }
}
