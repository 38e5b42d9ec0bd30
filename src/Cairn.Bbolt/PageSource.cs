namespace Cairn.Bbolt;

/// <summary>The pages of one image: where they are, and which ids exist.</summary>
internal sealed class PageSource
{
    private readonly BboltReadAt _read;

    /// <summary>Describes an image whose high-water mark was found to lie within the source.</summary>
    /// <param name="read">The bytes.</param>
    /// <param name="pageSize">Bytes a page.</param>
    /// <param name="highWaterMark">First page id that does not exist.</param>
    public PageSource(BboltReadAt read, int pageSize, ulong highWaterMark)
    {
        Invariant.Holds(PageFormat.IsPageSize(pageSize));
        Invariant.Holds(highWaterMark <= (ulong)(long.MaxValue / pageSize));
        _read = read;
        PageSize = pageSize;
        HighWaterMark = highWaterMark;
    }

    /// <summary>Bytes a page.</summary>
    public int PageSize { get; }

    /// <summary>First page id that does not exist.</summary>
    public ulong HighWaterMark { get; }

    /// <summary>Whether a page of that id can hold data.</summary>
    /// <param name="page">The id.</param>
    /// <returns>False for the metas and for ids at or above the high-water mark.</returns>
    public bool IsDataPage(ulong page) => page >= PageFormat.FirstDataPage && page < HighWaterMark;

    /// <summary>Says where a page begins.</summary>
    /// <param name="page">Its id, below the high-water mark.</param>
    /// <returns>Byte offset in the file.</returns>
    public long OffsetOf(ulong page)
    {
        Invariant.Holds(page < HighWaterMark);
        return (long)page * PageSize;
    }

    /// <summary>Reads exactly as many bytes as asked for.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="destination">What to fill.</param>
    /// <returns>Null, or that the source ends too early.</returns>
    public BboltFinding? Fill(long offset, Span<byte> destination) => Fill(_read, offset, destination);

    /// <summary>As <see cref="Fill(long, Span{byte})"/>, before the size of a page is known.</summary>
    /// <param name="read">The bytes.</param>
    /// <param name="offset">First byte.</param>
    /// <param name="destination">What to fill.</param>
    /// <returns>Null, or that the source ends too early.</returns>
    public static BboltFinding? Fill(BboltReadAt read, long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            var count = read(offset, destination);
            Invariant.Holds(count >= 0 && count <= destination.Length);
            if (count == 0)
            {
                return new BboltFinding(offset, $"the file ends here, {destination.Length} more bytes expected");
            }

            offset += count;
            destination = destination[count..];
        }

        return null;
    }
}
