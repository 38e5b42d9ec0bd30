using System.Diagnostics.CodeAnalysis;

namespace Cairn.Bbolt;

/// <summary>A bbolt file, read from any source of bytes, trusting none of them.</summary>
/// <remarks>
/// <para>
/// Reads what etcd writes: any page size from 512 to 65536, synced and unsynced free lists, overflow pages, inline buckets, one level of buckets (a bucket
/// within a bucket is refused as damage). Bytes behind the high-water mark (a snapshot's checksum, space not used yet) are not looked at.
/// </para>
/// <para>
/// bbolt has checksums in its two meta pages only. What it repeats elsewhere is verified at every read: page ids, flags, places and sizes of elements, the
/// order of keys within a page and against the parents. So damage to the structure gives a <see cref="BboltCorruptionException"/>. Nothing in the format can
/// show: a key or value whose bytes changed but keep the order; the last element of a page ending elsewhere in the page's rest (<see cref="Check"/> sees it if
/// it became shorter); a bucket that names another page of rows as its root. Those are for a checksum over the whole file, or for whoever knows what the rows
/// mean.
/// </para>
/// <para>Source: bbolt db.go (meta choice, page size).</para>
/// </remarks>
public sealed class BboltFile
{
    private readonly PageSource _source;

    private BboltFile(BboltReadAt read, BboltMeta meta, IReadOnlyList<BboltFinding> metaFindings)
    {
        _source = new PageSource(read, meta.PageSize, meta.HighWaterMark);
        Meta = meta;
        MetaFindings = metaFindings;
    }

    /// <summary>The meta page that counts: the valid one, or of two valid ones the one with the larger transaction id.</summary>
    public BboltMeta Meta { get; }

    /// <summary>Why a meta page was not considered; empty if both are valid. With a finding here the newest transaction may be missing.</summary>
    public IReadOnlyList<BboltFinding> MetaFindings { get; }

    /// <summary>Bytes a page.</summary>
    public int PageSize => Meta.PageSize;

    /// <summary>Length of the image: all pages below the high-water mark. A snapshot's checksum, if there is one, begins here.</summary>
    public long ImageLength => (long)Meta.HighWaterMark * Meta.PageSize;

    /// <summary>Reads the meta pages and chooses one.</summary>
    /// <param name="read">The bytes; must not change while the file is in use.</param>
    /// <param name="length">How many there are.</param>
    /// <returns>The file; its buckets are read when asked for.</returns>
    /// <exception cref="BboltCorruptionException">Neither meta page is valid, or the chosen one names pages that the source does not have.</exception>
    public static BboltFile Open(BboltReadAt read, long length)
    {
        ArgumentNullException.ThrowIfNull(read);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        var findings = new List<BboltFinding>();
        var first = ReadMeta(read, length, page: 0, offset: 0, findings);
        var second = first is { } known ? ReadMeta(read, length, page: 1, known.PageSize, findings) : FindSecondMeta(read, length, findings);
        var chosen = first is { } a && (second is not { } b || a.TransactionId >= b.TransactionId) ? first : second;
        if (chosen is not { } meta)
        {
            throw new BboltCorruptionException(new BboltFinding(0, $"neither meta page is valid: {findings[0]}; {findings[1]}"));
        }

        return VerifyReach(meta, length) is { } finding ? throw new BboltCorruptionException(finding) : new BboltFile(read, meta, findings);
    }

    /// <summary>Walks the buckets in the order of their names.</summary>
    /// <returns>Buckets, each read when it is reached.</returns>
    /// <exception cref="BboltCorruptionException">While walking: the tree of buckets is damaged where it had to be read.</exception>
    public IEnumerable<BboltBucket> Buckets()
    {
        var cursor = OpenRootCursor();
        while (cursor.MoveNext())
        {
            yield return BucketAt(cursor);
        }
    }

    /// <summary>Finds a bucket by its name.</summary>
    /// <param name="name">Name, as bytes.</param>
    /// <param name="bucket">The bucket.</param>
    /// <returns>False if there is none of that name.</returns>
    /// <exception cref="BboltCorruptionException">The tree of buckets is damaged where it had to be read.</exception>
    public bool TryOpenBucket(ReadOnlySpan<byte> name, [NotNullWhen(true)] out BboltBucket? bucket)
    {
        var cursor = OpenRootCursor();
        bucket = cursor.Seek(name) && cursor.Key.SequenceEqual(name) ? BucketAt(cursor) : null;
        return bucket is not null;
    }

    /// <summary>Reads every page and verifies what must hold between them.</summary>
    /// <param name="findingsMax">How many findings to collect at most, at least 1.</param>
    /// <returns>What is wrong, in the order in which it was met; empty for a sound file.</returns>
    /// <remarks>
    /// Holds if: both metas are valid; every page below the high-water mark is referred to exactly once, or, with a synced free list, is on that list, once;
    /// pages are of the right kind; keys ascend within pages and lie between their parents' separators; sizes fit. Memory: a bit or two a page, and one page a
    /// level. Source: bbolt tx_check.go.
    /// </remarks>
    public IReadOnlyList<BboltFinding> Check(int findingsMax = 100)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(findingsMax, 1);
        return new BboltCheck(_source, Meta, findingsMax).Run(MetaFindings);
    }

    private BboltCursor OpenRootCursor() => new(BboltBucket.Root(_source, Meta), LeafContent.Buckets);

    /// <summary>Reads the bucket that a root cursor stands on.</summary>
    private BboltBucket BucketAt(BboltCursor cursor)
    {
        var damage = BboltBucket.Read(_source, cursor.Key, cursor.Value, cursor.Offset + cursor.Key.Length, out var bucket);
        return bucket ?? throw new BboltCorruptionException(damage ?? throw Invariant.Unreachable("a bucket that was not read is damaged"));
    }

    private static BboltMeta? ReadMeta(BboltReadAt read, long length, int page, long offset, List<BboltFinding> findings)
    {
        var bodyOffset = offset + PageFormat.HeaderBytes;
        if (bodyOffset + BboltMeta.BodyBytes > length)
        {
            findings.Add(new BboltFinding(length, $"the file ends before meta page {page}"));
            return null;
        }

        Span<byte> body = stackalloc byte[BboltMeta.BodyBytes];
        var meta = default(BboltMeta);
        var finding = PageSource.Fill(read, bodyOffset, body) ?? BboltMeta.Read(body, page, bodyOffset, out meta);
        if (finding is null && offset != (long)page * meta.PageSize)
        {
            finding = new BboltFinding(bodyOffset + 8, $"meta page {page} at offset {offset} has page size {meta.PageSize}");
        }

        if (finding is { } damage)
        {
            findings.Add(damage);
            return null;
        }

        return meta;
    }

    /// <summary>Looks for meta page 1 where it can be when meta page 0 does not tell the page size.</summary>
    private static BboltMeta? FindSecondMeta(BboltReadAt read, long length, List<BboltFinding> findings)
    {
        for (var pageSize = PageFormat.PageSizeMin; pageSize <= PageFormat.PageSizeMax; pageSize *= 2)
        {
            if (ReadMeta(read, length, page: 1, pageSize, []) is { } meta)
            {
                return meta;
            }
        }

        findings.Add(new BboltFinding(
            PageFormat.PageSizeMin, $"no valid meta page 1 at any page size from {PageFormat.PageSizeMin} to {PageFormat.PageSizeMax}"));
        return null;
    }

    /// <summary>Verifies that what a valid meta names can exist in a source of that length.</summary>
    private static BboltFinding? VerifyReach(BboltMeta meta, long length)
    {
        var body = ((long)meta.Page * meta.PageSize) + PageFormat.HeaderBytes;
        if (meta.HighWaterMark > (ulong)(length / meta.PageSize))
        {
            return new BboltFinding(
                length, $"the file ends here, but meta page {meta.Page} says that it has {meta.HighWaterMark} pages of {meta.PageSize} bytes");
        }

        if (meta.RootPage < PageFormat.FirstDataPage || meta.RootPage >= meta.HighWaterMark)
        {
            return new BboltFinding(body + 16, $"the root page is {meta.RootPage}, the high-water mark {meta.HighWaterMark}");
        }

        return meta.FreeListPage == BboltMeta.NoFreeList || (meta.FreeListPage >= PageFormat.FirstDataPage && meta.FreeListPage < meta.HighWaterMark)
            ? null
            : new BboltFinding(body + 32, $"the free list page is {meta.FreeListPage}, the high-water mark {meta.HighWaterMark}");
    }
}
