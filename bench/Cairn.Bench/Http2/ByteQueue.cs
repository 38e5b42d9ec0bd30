namespace Cairn.Bench.Http2;

/// <summary>A growing buffer, written at its end and read at its front. Not thread-safe.</summary>
internal sealed class ByteQueue
{
    private byte[] _bytes = [];
    private int _start;
    private int _end;

    /// <summary>Bytes in the queue.</summary>
    public int Length => _end - _start;

    /// <summary>The bytes in the queue; valid until the next change.</summary>
    public ReadOnlySpan<byte> Written => _bytes.AsSpan(_start, Length);

    /// <summary>Makes room at the end; what is written there counts after <see cref="Advance"/>.</summary>
    /// <param name="length">Bytes wanted.</param>
    /// <returns>At least that many bytes.</returns>
    public Span<byte> Reserve(int length)
    {
        if (_bytes.Length - _end < length)
        {
            var target = Length + length <= _bytes.Length ? _bytes : new byte[Math.Max(Length + length, _bytes.Length * 2)];
            Written.CopyTo(target);
            (_bytes, _end, _start) = (target, Length, 0);
        }

        return _bytes.AsSpan(_end);
    }

    /// <summary>Counts bytes that were written into what <see cref="Reserve"/> gave.</summary>
    /// <param name="length">How many.</param>
    public void Advance(int length) => _end += length;

    /// <summary>Appends bytes.</summary>
    /// <param name="bytes">What to append.</param>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        Advance(bytes.Length);
    }

    /// <summary>Drops bytes at the front.</summary>
    /// <param name="length">How many; at most <see cref="Length"/>.</param>
    public void Consume(int length)
    {
        _start += length;
        if (_start == _end)
        {
            Clear();
        }
    }

    /// <summary>Drops all bytes.</summary>
    public void Clear() => _start = _end = 0;
}
