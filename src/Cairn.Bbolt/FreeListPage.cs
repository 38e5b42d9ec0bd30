using System.Buffers.Binary;

namespace Cairn.Bbolt;

/// <summary>Reads the list of free pages, if the file has one.</summary>
/// <remarks>
/// Worked example: three free pages 4, 9, 12 on page 6 are the header (id 6, flags 0x10, count 3, overflow 0) and three ids of eight bytes. From 65535 ids on,
/// count is 65535, and the first eight bytes behind the header are the real count. Source: bbolt freelist.go.
/// </remarks>
internal static class FreeListPage
{
    // One read of this size at a time keeps the memory for a list of any length constant.
    private const int ChunkBytesMax = 64 * 1024;

    /// <summary>Reads the list.</summary>
    /// <param name="source">The file.</param>
    /// <param name="page">Page of the list, within the file.</param>
    /// <param name="free">Receives the free pages.</param>
    /// <param name="overflow">Further pages that belong to the list.</param>
    /// <returns>Null, or the first thing that is wrong; <paramref name="free"/> then has the ids before it.</returns>
    public static BboltFinding? Read(PageSource source, ulong page, PageSet free, out uint overflow)
    {
        overflow = 0;
        var offset = source.OffsetOf(page);
        Span<byte> header = stackalloc byte[PageFormat.HeaderBytes + sizeof(ulong)];
        if (source.Fill(offset, header) is { } tooShort)
        {
            return tooShort;
        }

        var id = BinaryPrimitives.ReadUInt64LittleEndian(header);
        var flags = BinaryPrimitives.ReadUInt16LittleEndian(header[PageFormat.FlagsAt..]);
        var further = BinaryPrimitives.ReadUInt32LittleEndian(header[PageFormat.OverflowAt..]);
        if (id != page || flags != PageFormat.FreeListFlag || further >= source.HighWaterMark - page)
        {
            return new BboltFinding(
                offset, $"the free list is page {page}, which says that it is page {id} with flags 0x{flags:x} and {further} overflow pages");
        }

        overflow = further;
        ulong count = BinaryPrimitives.ReadUInt16LittleEndian(header[PageFormat.CountAt..]);
        var first = offset + PageFormat.HeaderBytes;
        if (count == PageFormat.FreeListCountEscape)
        {
            count = BinaryPrimitives.ReadUInt64LittleEndian(header[PageFormat.HeaderBytes..]);
            first += sizeof(ulong);
        }

        var end = offset + ((overflow + 1L) * source.PageSize);
        return count <= (ulong)(end - first) / sizeof(ulong)
            ? ReadIds(source, first, (long)count, free)
            : new BboltFinding(offset + PageFormat.CountAt, $"the free list on page {page} with {overflow} overflow pages has {count} ids");
    }

    private static BboltFinding? ReadIds(PageSource source, long offset, long count, PageSet free)
    {
        var chunk = new byte[(int)Math.Min(count * sizeof(ulong), ChunkBytesMax)];
        var before = PageFormat.FirstDataPage - 1;
        for (var end = offset + (count * sizeof(ulong)); offset < end; offset += chunk.Length)
        {
            var ids = chunk.AsSpan(0, (int)Math.Min(chunk.Length, end - offset));
            if (source.Fill(offset, ids) is { } tooShort)
            {
                return tooShort;
            }

            for (var at = 0; at < ids.Length; at += sizeof(ulong))
            {
                var id = BinaryPrimitives.ReadUInt64LittleEndian(ids[at..]);
                if (id <= before || id >= source.HighWaterMark)
                {
                    return new BboltFinding(offset + at, $"the free list has page {id} behind page {before}; the high-water mark is {source.HighWaterMark}");
                }

                free.Add(id);
                before = id;
            }
        }

        return null;
    }
}
