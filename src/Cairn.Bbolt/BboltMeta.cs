using System.Buffers.Binary;

namespace Cairn.Bbolt;

/// <summary>What a meta page says: where one transaction's state begins.</summary>
/// <param name="Page">Which of the two meta pages this is: 0 or 1.</param>
/// <param name="PageSize">Bytes a page.</param>
/// <param name="RootPage">Page of the root of the tree of buckets.</param>
/// <param name="FreeListPage">Page of the free list, or <see cref="NoFreeList"/>.</param>
/// <param name="HighWaterMark">First page id never used yet; the image is this many pages long.</param>
/// <param name="TransactionId">Number of the transaction that wrote it; the larger one of two valid metas counts.</param>
public readonly record struct BboltMeta(int Page, int PageSize, ulong RootPage, ulong FreeListPage, ulong HighWaterMark, ulong TransactionId)
{
    /// <summary>Stands for "the free list was not written", as etcd does it: every unreachable page is free.</summary>
    public const ulong NoFreeList = ulong.MaxValue;

    internal const int BodyBytes = 64;
    private const uint Magic = 0xED0CDAED;
    private const uint Version = 2;
    private const int ChecksumAt = 56;

    /// <summary>Reads the body of a meta page (the 64 bytes behind the page header).</summary>
    /// <param name="body">The bytes.</param>
    /// <param name="page">0 or 1.</param>
    /// <param name="offset">Where the body is in the file.</param>
    /// <param name="meta">What it says.</param>
    /// <returns>Null, or why it says nothing.</returns>
    internal static BboltFinding? Read(ReadOnlySpan<byte> body, int page, long offset, out BboltMeta meta)
    {
        meta = default;
        var magic = BinaryPrimitives.ReadUInt32LittleEndian(body);
        if (magic != Magic)
        {
            return new BboltFinding(offset, $"meta page {page} has magic {magic:x8}, expected {Magic:x8}");
        }

        var version = BinaryPrimitives.ReadUInt32LittleEndian(body[4..]);
        if (version != Version)
        {
            return new BboltFinding(offset + 4, $"meta page {page} has format version {version}, expected {Version}");
        }

        var stored = BinaryPrimitives.ReadUInt64LittleEndian(body[ChecksumAt..]);
        var computed = Checksum(body[..ChecksumAt]);
        if (stored != computed)
        {
            return new BboltFinding(offset + ChecksumAt, $"meta page {page} has checksum {stored:x16}, its bytes give {computed:x16}");
        }

        var pageSize = BinaryPrimitives.ReadUInt32LittleEndian(body[8..]);
        if (!PageFormat.IsPageSize(pageSize))
        {
            return new BboltFinding(
                offset + 8, $"meta page {page} has page size {pageSize}, expected a power of two from {PageFormat.PageSizeMin} to {PageFormat.PageSizeMax}");
        }

        meta = new BboltMeta(
            Page: page,
            PageSize: (int)pageSize,
            RootPage: BinaryPrimitives.ReadUInt64LittleEndian(body[16..]),
            FreeListPage: BinaryPrimitives.ReadUInt64LittleEndian(body[32..]),
            HighWaterMark: BinaryPrimitives.ReadUInt64LittleEndian(body[40..]),
            TransactionId: BinaryPrimitives.ReadUInt64LittleEndian(body[48..]));
        return null;
    }

    /// <summary>Writes a whole meta page: header, body, checksum and zeros.</summary>
    /// <param name="page">The page; exactly <see cref="PageSize"/> bytes.</param>
    internal void Write(Span<byte> page)
    {
        Invariant.Holds(page.Length == PageSize);
        page.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(page, (ulong)Page);
        BinaryPrimitives.WriteUInt16LittleEndian(page[PageFormat.FlagsAt..], PageFormat.MetaFlag);
        var body = page.Slice(PageFormat.HeaderBytes, BodyBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(body, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(body[4..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(body[8..], (uint)PageSize);
        BinaryPrimitives.WriteUInt64LittleEndian(body[16..], RootPage);
        BinaryPrimitives.WriteUInt64LittleEndian(body[32..], FreeListPage);
        BinaryPrimitives.WriteUInt64LittleEndian(body[40..], HighWaterMark);
        BinaryPrimitives.WriteUInt64LittleEndian(body[48..], TransactionId);
        BinaryPrimitives.WriteUInt64LittleEndian(body[ChecksumAt..], Checksum(body[..ChecksumAt]));
    }

    /// <summary>FNV-1a, 64 bits.</summary>
    private static ulong Checksum(ReadOnlySpan<byte> bytes)
    {
        var hash = 0xCBF29CE484222325UL;
        foreach (var one in bytes)
        {
            hash = (hash ^ one) * 0x100000001B3UL;
        }

        return hash;
    }
}
