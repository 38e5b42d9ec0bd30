namespace Cairn.Storage.Revisions;

/// <summary>Copies what is needed out of some segments into a new one, a step at a time, so that they can be dropped.</summary>
/// <remarks>
/// <para>
/// Made by <see cref="RevisionLog.BeginCleaning"/>. The steps run beside the appender, on any one thread at a time. The output holds the records of all emptied
/// segments in the order of their revisions, so it is a segment like any other.
/// </para>
/// <para>After a failure of the disk the round is over: <see cref="RevisionLog.AbandonCleaning"/>. Nothing is lost, since the segments are still there.</para>
/// </remarks>
public sealed class CleaningRound
{
    private readonly IDisk _disk;
    private readonly string _directory;
    private readonly MergeCursor _cursor;
    private byte[] _copies = [];
    private int _copiedBytes;
    private bool _finished;

    internal CleaningRound(IDisk disk, string directory, IReadOnlyList<SegmentAccount> victims, SegmentAccount output)
    {
        _disk = disk;
        _directory = directory;
        Victims = victims;
        Output = output;

        // Also those without a live byte: the owner may need a record that no index points to, such as a deletion that a rebuilt index has to see.
        _cursor = new MergeCursor(victims.Select(victim => victim.Segment), new Revision(long.MinValue, 0), long.MaxValue);
    }

    internal IReadOnlyList<SegmentAccount> Victims { get; }

    internal SegmentAccount Output { get; }

    /// <summary>Copies the next records.</summary>
    /// <param name="lookup">Asks the owner of the index; called on this thread, with a view taken after the round began.</param>
    /// <param name="bytesMax">Bytes of records to look at; exceeded by at most one record.</param>
    /// <returns>What was done; the copies are durable.</returns>
    /// <exception cref="CorruptionException">A record of the old segments is damaged.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public async ValueTask<CleaningStep> StepAsync(RecordLookup lookup, int bytesMax)
    {
        ArgumentNullException.ThrowIfNull(lookup);
        Invariant.Holds(!_finished && bytesMax > 0);
        var moves = new List<RecordMove>();
        var segment = Output.Segment;
        _copiedBytes = 0;
        if (segment.File is null)
        {
            SegmentFormat.Write(Room(SegmentFormat.HeaderBytes), segment.Id);
        }

        var bytesRead = CopyNeeded(lookup, bytesMax, moves);
        if (moves.Count > 0)
        {
            var end = await WriteCopiesAsync(segment);
            segment.ShowRecords(moves[0].Revision.Main, moves[^1].Revision.Main, end);
        }

        return new CleaningStep(this, moves, segment.End, bytesRead, _finished);
    }

    private async ValueTask<long> WriteCopiesAsync(Segment segment)
    {
        var isNew = segment.File is null;
        var file = segment.File ?? segment.CreateFile(_disk);
        var offset = isNew ? 0 : segment.End;
        await file.WriteAsync(offset, _copies.AsMemory(0, _copiedBytes));
        await file.SyncAsync();
        if (isNew)
        {
            await _disk.SyncDirectoryAsync(_directory);
        }

        return offset + _copiedBytes;
    }

    private long CopyNeeded(RecordLookup lookup, int bytesMax, List<RecordMove> moves)
    {
        var bytesRead = 0L;
        var fileFrom = Output.Segment.End - _copiedBytes;
        while (bytesRead < bytesMax)
        {
            if (!_cursor.MoveNext())
            {
                _finished = true;
                break;
            }

            var record = _cursor.Current;
            bytesRead += RecordFormat.BytesOf(record.Place);
            if (lookup(record.Kind, record.Revision, record.Place, record.Payload) is not { } handle)
            {
                continue;
            }

            var to = new RecordPlace(Output.Segment.Id, checked((uint)(fileFrom + _copiedBytes)), record.Place.Length);
            var copy = Room((int)RecordFormat.BytesOf(to));
            record.Payload.CopyTo(copy[RecordFormat.HeaderBytes..]);
            RecordFormat.Write(copy[..RecordFormat.HeaderBytes], to, record.Kind, record.Revision, record.Payload);
            moves.Add(new RecordMove(record.Kind, record.Revision, record.Place, to, handle));
        }

        return bytesRead;
    }

    private Span<byte> Room(int bytes)
    {
        if (_copies.Length - _copiedBytes < bytes)
        {
            Array.Resize(ref _copies, Math.Max(_copies.Length * 2, _copiedBytes + bytes));
        }

        _copiedBytes += bytes;
        return _copies.AsSpan(_copiedBytes - bytes, bytes);
    }
}
