namespace Cairn.Storage.Revisions;

/// <summary>Walks over the records of several segments in the order of their revisions. A record that lies in two of them comes twice, one after the other.</summary>
/// <remarks>
/// Most segments follow each other; what the cleaner wrote overlaps older ones. So a segment is opened only when the walk reaches its first revision, and as
/// long as the one at hand is behind all others, no comparison but one is made. One user at a time, any thread.
/// </remarks>
internal sealed class MergeCursor
{
    private readonly List<Segment> _waiting;
    private readonly Revision _from;
    private readonly long _throughMain;
    private readonly bool _isLenient;
    private readonly PriorityQueue<SegmentCursor, Revision> _open = new();
    private SegmentCursor? _current;
    private int _opened;

    /// <summary>Starts before the first record at or after a revision.</summary>
    /// <param name="segments">Any order.</param>
    /// <param name="from">First revision to visit.</param>
    /// <param name="throughMain">Last transaction to visit.</param>
    /// <param name="isLenient">Whether damage before the first revision does not matter.</param>
    public MergeCursor(IEnumerable<Segment> segments, Revision from, long throughMain, bool isLenient = false)
    {
        _from = from;
        _throughMain = throughMain;
        _isLenient = isLenient;
        _waiting = [.. segments.Where(segment => segment.Revisions is var range && range.LastMain >= from.Main && range.FirstMain <= throughMain)];
        _waiting.Sort((left, right) => left.Revisions.FirstMain.CompareTo(right.Revisions.FirstMain));
    }

    /// <summary>The record at hand.</summary>
    public SegmentCursor Current => _current ?? throw Invariant.Unreachable("read before the first or after the last record");

    /// <summary>Moves to the next record.</summary>
    /// <returns>False after the last.</returns>
    /// <exception cref="CorruptionException">What lies there is not the record that was written.</exception>
    public bool MoveNext()
    {
        if (_current is not null && !_current.MoveNext())
        {
            _current = null;
        }

        OpenThroughNext();
        if (_open.TryPeek(out var next, out var revision) && (_current is null || revision < _current.Revision))
        {
            if (_current is null)
            {
                _open.Dequeue();
            }
            else
            {
                _open.DequeueEnqueue(_current, _current.Revision);
            }

            _current = next;
        }

        if (_current is not null && _current.Revision.Main > _throughMain)
        {
            _current = null;
            _open.Clear();
            _opened = _waiting.Count;
        }

        return _current is not null;
    }

    // Opens every segment that may hold a record before the smallest one known.
    private void OpenThroughNext()
    {
        while (_opened < _waiting.Count && Math.Max(_from.Main, _waiting[_opened].Revisions.FirstMain) <= SmallestMain())
        {
            var segment = _waiting[_opened++];
            var cursor = new SegmentCursor(segment, segment.End);
            if (_isLenient ? cursor.MoveToSound(_from) : cursor.MoveTo(_from))
            {
                _open.Enqueue(cursor, cursor.Revision);
            }
        }
    }

    private long SmallestMain()
    {
        var smallest = _current?.Revision.Main ?? long.MaxValue;
        return _open.TryPeek(out _, out var revision) ? Math.Min(smallest, revision.Main) : smallest;
    }
}
