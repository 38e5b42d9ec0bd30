namespace Cairn.Simulation.Disks;

// Example: a log preallocates 64 MiB and appends records of some hundred bytes. Pages that were never written take no memory; a write of 300 bytes replaces
// one page; a copy of the whole content, which every power cut takes, copies the table of pages and no bytes.

/// <summary>The bytes of a file: pages that are replaced, never changed, so that two contents can share them. Pages of zeros are not stored.</summary>
internal sealed class SimulatedContent
{
    private const int PageBytes = 4096;

    private byte[]?[] _pages = [];

    public int Length { get; private set; }

    public byte this[long offset] => _pages[offset / PageBytes]?[offset % PageBytes] ?? 0;

    public SimulatedContent Clone() => new() { _pages = [.. _pages], Length = Length };

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
            var page = new byte[PageBytes];
            _pages[offset / PageBytes]?.CopyTo(page, 0);
            source[..count].CopyTo(page.AsSpan(at));
            _pages[offset / PageBytes] = page;
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
        }

        var kept = (int)(length % PageBytes);
        if (length < Length && kept > 0 && _pages[^1] is { } last)
        {
            var cut = new byte[PageBytes];
            last.AsSpan(0, kept).CopyTo(cut);
            _pages[^1] = cut;
        }

        Length = (int)length;
    }

    public byte[] ToArray()
    {
        var bytes = new byte[Length];
        Read(0, bytes);
        return bytes;
    }
}
