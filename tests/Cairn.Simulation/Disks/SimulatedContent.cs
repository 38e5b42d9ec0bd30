namespace Cairn.Simulation.Disks;

// Example: a log preallocates 64 MiB and appends records of some hundred bytes. Pages that were never written take no memory; a write of 300 bytes changes
// one page; a copy of the whole content, which every power cut takes, copies the table of pages and no bytes: from then on both replace a page at its next write.

/// <summary>The bytes of a file: pages that are replaced where two contents share them. Pages of zeros are not stored.</summary>
internal sealed class SimulatedContent
{
    private const int PageBytes = 4096;

    private byte[]?[] _pages = [];

    // Whether a page is nobody else's.
    private bool[] _owned = [];

    public int Length { get; private set; }

    public byte this[long offset] => _pages[offset / PageBytes]?[offset % PageBytes] ?? 0;

    public SimulatedContent Clone()
    {
        Array.Clear(_owned);
        return new() { _pages = [.. _pages], _owned = new bool[_pages.Length], Length = Length };
    }

    public void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            var at = (int)(offset % PageBytes);
            var count = Math.Min(PageBytes - at, destination.Length);
            if (_pages[offset / PageBytes] is { } page)
            {
                page.AsSpan(at, count).CopyTo(destination);
            }
            else
            {
                destination[..count].Clear();
            }

            destination = destination[count..];
            offset += count;
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty)
        {
            // A torn write may leave an empty piece, beyond the end of a file that did not grow.
            return;
        }

        SetLength(Math.Max(Length, offset + source.Length));
        while (!source.IsEmpty)
        {
            var at = (int)(offset % PageBytes);
            var count = Math.Min(PageBytes - at, source.Length);
            source[..count].CopyTo(OwnPage(offset / PageBytes).AsSpan(at));
            source = source[count..];
            offset += count;
        }
    }

    public void SetLength(long length)
    {
        var pages = (int)((length + PageBytes - 1) / PageBytes);
        if (pages != _pages.Length)
        {
            Array.Resize(ref _pages, pages);
            Array.Resize(ref _owned, pages);
        }

        var kept = (int)(length % PageBytes);
        if (length < Length && kept > 0 && _pages[^1] is not null)
        {
            OwnPage(pages - 1).AsSpan(kept).Clear();
        }

        Length = (int)length;
    }

    private byte[] OwnPage(long number)
    {
        if (!_owned[number])
        {
            var page = new byte[PageBytes];
            _pages[number]?.CopyTo(page, 0);
            (_pages[number], _owned[number]) = (page, true);
        }

        return _pages[number]!; // An owned page is there.
    }

    public byte[] ToArray()
    {
        var bytes = new byte[Length];
        Read(0, bytes);
        return bytes;
    }
}
