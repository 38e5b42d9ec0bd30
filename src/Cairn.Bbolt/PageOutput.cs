namespace Cairn.Bbolt;

/// <summary>Bytes on their way out: pages go in, chunks come out.</summary>
internal sealed class PageOutput
{
    private byte[] _bytes = [];
    private int _start;
    private int _end;

    /// <summary>Makes room for the next page.</summary>
    /// <param name="length">Bytes, with overflow.</param>
    /// <returns>Zeros, to be written before anything else is done here. Chunks taken before are void.</returns>
    public Span<byte> Append(long length)
    {
        Invariant.Holds(length > 0 && length <= Array.MaxLength - (_end - _start));
        if (_start > 0)
        {
            _bytes.AsSpan(_start, _end - _start).CopyTo(_bytes);
            (_start, _end) = (0, _end - _start);
        }

        if (_bytes.Length - _end < length)
        {
            Array.Resize(ref _bytes, (int)Math.Max(_end + length, Math.Min(2L * _bytes.Length, PageFormat.PageRunBytesMax)));
        }

        var page = _bytes.AsSpan(_end, (int)length);
        page.Clear();
        _end += (int)length;
        return page;
    }

    /// <summary>Takes the oldest bytes, if there are as many.</summary>
    /// <param name="length">How many.</param>
    /// <param name="chunk">The bytes; valid until the next page is appended.</param>
    /// <returns>False if there are fewer.</returns>
    public bool TryTake(int length, out ReadOnlyMemory<byte> chunk)
    {
        if (_end - _start < length)
        {
            chunk = default;
            return false;
        }

        chunk = _bytes.AsMemory(_start, length);
        _start += length;
        return true;
    }

    /// <summary>Takes whatever is left.</summary>
    /// <returns>Bytes, maybe none; valid until the next page is appended.</returns>
    public ReadOnlyMemory<byte> TakeRest()
    {
        var rest = _bytes.AsMemory(_start, _end - _start);
        _start = _end;
        return rest;
    }
}
