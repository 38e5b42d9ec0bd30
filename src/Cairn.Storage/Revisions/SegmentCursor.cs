namespace Cairn.Storage.Revisions;

/// <summary>Walks over the records of one segment, in the order in which they lie there, which is that of their revisions. Verifies each.</summary>
/// <remarks>One user at a time, any thread. Reads ahead into a buffer of its own.</remarks>
internal sealed class SegmentCursor
{
    // One read of the disk: large enough to hide the cost of the call, small enough to have one for each of some hundred segments.
    private const int BufferBytes = 128 << 10;

    private readonly Segment _segment;
    private readonly long _end;
    private readonly bool _fromFile;
    private byte[] _buffer;
    private long _bufferFrom;
    private int _bufferLength;
    private long _next;
    private int _length;

    /// <summary>Starts before the first record.</summary>
    /// <param name="segment">What to walk.</param>
    /// <param name="end">End of the last record to visit.</param>
    /// <param name="fromFile">Whether to read the file even where the bytes are in memory too.</param>
    public SegmentCursor(Segment segment, long end, bool fromFile = false)
    {
        Invariant.Holds(end <= segment.End);
        _segment = segment;
        _end = end;
        _fromFile = fromFile;
        _next = SegmentFormat.HeaderBytes;
        _buffer = new byte[Math.Min(BufferBytes, Math.Max(0, end - _next))];
    }

    /// <summary>What the record says.</summary>
    public RecordKind Kind { get; private set; }

    /// <summary>Its revision.</summary>
    public Revision Revision { get; private set; }

    /// <summary>Where it lies.</summary>
    public RecordPlace Place { get; private set; }

    /// <summary>Its payload; valid until the next move.</summary>
    public ReadOnlySpan<byte> Payload => _buffer.AsSpan((int)(Place.Offset - _bufferFrom) + RecordFormat.HeaderBytes, _length);

    /// <summary>Where the next record begins: progress, in bytes of the segment.</summary>
    public long Position => _next;

    /// <summary>Moves to the next record.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="CorruptionException">What lies there is not the record that was written.</exception>
    public bool MoveNext()
    {
        if (_next >= _end)
        {
            return false;
        }

        var header = Peek(RecordFormat.HeaderBytes);
        var length = RecordFormat.LengthOf(header);
        if (length < 0 || length > _end - _next - RecordFormat.HeaderBytes)
        {
            throw new CorruptionException(_segment.Path, _next, $"record of {length} bytes, with {_end - _next - RecordFormat.HeaderBytes} left");
        }

        var record = Peek(RecordFormat.HeaderBytes + length);
        Place = new RecordPlace(_segment.Id, (uint)_next, length);
        RecordFormat.Verify(_segment.Path, Place, record[..RecordFormat.HeaderBytes], record[RecordFormat.HeaderBytes..]);
        Kind = RecordFormat.KindOf(record);
        Revision = RecordFormat.RevisionOf(record);
        _length = length;
        _segment.Sparse.Add(Revision, _next);
        _next += record.Length;
        return true;
    }

    /// <summary>Moves to the first record that is not before a revision.</summary>
    /// <param name="revision">The revision.</param>
    /// <returns>False if there is none.</returns>
    /// <exception cref="CorruptionException">A record on the way is damaged.</exception>
    public bool MoveTo(Revision revision)
    {
        _next = _segment.Sparse.StartFor(revision);
        while (MoveNext())
        {
            if (Revision >= revision)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Moves to the record that begins at an offset.</summary>
    /// <param name="offset">Where a record begins, or the end.</param>
    /// <returns>False at the end.</returns>
    /// <exception cref="CorruptionException">What lies there is not the record that was written.</exception>
    public bool MoveAt(long offset)
    {
        _next = offset;
        return MoveNext();
    }

    /// <summary>Moves to the next record that verifies, over what does not.</summary>
    /// <param name="damage">What lies between, as it was met; null if nothing does.</param>
    /// <returns>False if there is none up to the end.</returns>
    public bool MoveNextSound(out CorruptionException? damage)
    {
        damage = null;
        try
        {
            return MoveNext();
        }
        catch (CorruptionException met)
        {
            damage = met;
            return TryFindSound() && MoveNext();
        }
    }

    /// <summary>Moves to the first record that verifies and is not before a revision, over what does not verify.</summary>
    /// <param name="revision">The revision.</param>
    /// <returns>False if there is none.</returns>
    public bool MoveToSound(Revision revision)
    {
        while (MoveNextSound(out _))
        {
            if (Revision >= revision)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Looks for a record behind damage: where it ends is unknown, since a length is damaged as easily as a value.</summary>
    private bool TryFindSound()
    {
        while (++_next + RecordFormat.HeaderBytes <= _end)
        {
            var header = Peek(RecordFormat.HeaderBytes);
            var length = RecordFormat.LengthOf(header);
            if (length < 0 || length > _end - _next - RecordFormat.HeaderBytes || !IsPlausible(RecordFormat.RevisionOf(header).Main))
            {
                continue;
            }

            var record = Peek(RecordFormat.HeaderBytes + length);
            if (RecordFormat.IsSound(new RecordPlace(_segment.Id, (uint)_next, length), record[..RecordFormat.HeaderBytes], record[RecordFormat.HeaderBytes..]))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Spares the checksum of most places that are no record.</summary>
    private bool IsPlausible(long main) => main >= _segment.Revisions.FirstMain && main <= _segment.Revisions.LastMain;

    // Bytes from the position on, in the buffer.
    private ReadOnlySpan<byte> Peek(int length)
    {
        if (_next + length > _end)
        {
            throw new CorruptionException(_segment.Path, _next, $"{_end - _next} bytes before the end, too few for a record");
        }

        var within = _next - _bufferFrom;
        if (within < 0 || within + length > _bufferLength)
        {
            Fill(length);
            within = 0;
        }

        return _buffer.AsSpan((int)within, length);
    }

    private void Fill(int length)
    {
        var kept = 0;
        var buffer = _buffer.Length >= length ? _buffer : new byte[Math.Min(_end - _next, Math.Max(length, BufferBytes))];
        if (_next >= _bufferFrom && _next < _bufferFrom + _bufferLength)
        {
            var rest = _buffer.AsSpan((int)(_next - _bufferFrom), (int)(_bufferFrom + _bufferLength - _next));
            rest.CopyTo(buffer);
            kept = rest.Length;
        }

        var count = (int)Math.Min(_end - _next, buffer.Length) - kept;
        ReadAt(_next + kept, buffer.AsSpan(kept, count));
        _buffer = buffer;
        _bufferFrom = _next;
        _bufferLength = kept + count;
    }

    private void ReadAt(long offset, Span<byte> destination)
    {
        if (_fromFile)
        {
            _segment.ReadFromFile(offset, destination);
        }
        else
        {
            _segment.Read(offset, destination);
        }
    }
}
