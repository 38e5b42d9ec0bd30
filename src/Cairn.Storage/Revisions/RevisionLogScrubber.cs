namespace Cairn.Storage.Revisions;

/// <summary>Reads the files of the log again and again, a step at a time, and verifies every record, so that rot is found before somebody needs the record.</summary>
/// <remarks>
/// One user at a time, any thread, beside everything else. Only what was synced is read, and from the files, whatever is in memory too. A step may be served
/// by the system's page cache, and then proves nothing about the disk; in the long run a store that is larger than memory is read in full.
/// </remarks>
/// <param name="log">What to read.</param>
public sealed class RevisionLogScrubber(RevisionLog log)
{
    private readonly RevisionLog _log = log;
    private SegmentCursor? _cursor;
    private uint _segment;

    /// <summary>Verifies the next records.</summary>
    /// <param name="bytesMax">Bytes to read; exceeded by at most one record.</param>
    /// <returns>False if the last segment was finished: the next step begins with the first.</returns>
    /// <exception cref="CorruptionException">A record is damaged. The next step goes on with the next segment.</exception>
    /// <exception cref="IOException">The disk failed. The next step goes on with the next segment.</exception>
    public bool Step(int bytesMax)
    {
        Invariant.Holds(bytesMax > 0);
        for (var bytes = 0L; bytes < bytesMax;)
        {
            if (_cursor is null && !OpenNext())
            {
                return false;
            }

            var cursor = _cursor;
            _cursor = null;
            if (cursor is not null && cursor.MoveNext())
            {
                bytes += RecordFormat.BytesOf(cursor.Place);
                _cursor = cursor;
            }
        }

        return true;
    }

    private bool OpenNext()
    {
        var segment = _log.View.FindAfter(_segment);
        _segment = segment?.Id ?? 0;
        _cursor = segment is null ? null : new SegmentCursor(segment, Math.Min(segment.Synced, segment.End), fromFile: true);
        return segment is not null;
    }
}
