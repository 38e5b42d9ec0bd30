namespace Cairn.Bbolt;

/// <summary>Sizes, places and numbers of the file format. All integers are little-endian.</summary>
/// <remarks>
/// <para>
/// A file is a row of pages of one size. Pages 0 and 1 are metas. Every other page is a leaf, a branch, a free list, or free:
/// </para>
/// <code>
/// page    | id 8 | flags 2 | count 2 | overflow 4 | body ...                            overflow = further pages that belong to this one
/// meta    | magic 4 | version 4 | page size 4 | flags 4 | root page 8 | root sequence 8 | free list page 8 | high water 8 | txid 8 | checksum 8
/// leaf    | (flags 4 | pos 4 | key size 4 | value size 4) x count | key, value, key, value ...
/// branch  | (pos 4 | key size 4 | child page 8) x count | key, key ...                  pos counts from the element's own first byte
/// bucket  | root page 8 | sequence 8 [| a whole leaf page with id 0, if root page is 0]  is the value of a leaf element with flags 1
/// </code>
/// <para>
/// A worked example: a leaf of two rows, "a"="1" and "b"="22", on page 5. Header: id 5, flags 2, count 2, overflow 0. Elements at 16 and 32, so data begins at
/// 48: the first element has pos 32 (48 - 16), the second pos 18 (50 - 32); the data is "a1b22", and 53 bytes are used. bbolt always lays the data out
/// without a gap, in the order of the elements, so each pos follows from what stands before it: that is how a changed count, size or pos is noticed.
/// </para>
/// <para>Source: bbolt page.go, node.go (write), bucket.go.</para>
/// </remarks>
internal static class PageFormat
{
    public const int HeaderBytes = 16;
    public const int FlagsAt = 8;
    public const int CountAt = 10;
    public const int OverflowAt = 12;

    public const int BranchFlag = 0x01;
    public const int LeafFlag = 0x02;
    public const int MetaFlag = 0x04;
    public const int FreeListFlag = 0x10;

    public const int ElementBytes = 16;
    public const int LeafPosAt = 4;
    public const int LeafKeySizeAt = 8;
    public const int LeafValueSizeAt = 12;
    public const int BranchPosAt = 0;
    public const int BranchKeySizeAt = 4;
    public const int BranchChildAt = 8;

    public const int BucketHeaderBytes = 16;
    public const int BucketSequenceAt = 8;

    public const int PageSizeMin = 512;

    // The largest page of a system that etcd runs on (arm64 and ppc64 with 64 KiB pages).
    public const int PageSizeMax = 65536;

    // Pages 0 and 1 are metas.
    public const ulong FirstDataPage = 2;

    // A free list page with this count holds the real count in its first eight bytes.
    public const int FreeListCountEscape = 0xFFFF;

    // bbolt's own limit for a key; etcd's longest key is 18 bytes in its largest bucket.
    public const int KeyBytesMax = 32768;

    // A tree with two children a branch and more levels than this would have more pages than a file can hold, so deeper means damaged.
    public const int TreeDepthMax = 64;

    // Twice the largest message of etcd's peers, hence more than any row it can have accepted; keeps a page and its overflow in one array.
    public const long PageRunBytesMax = 1L << 30;

    // bbolt puts a bucket into its parent's leaf only up to this part of a page.
    public const int InlinePageFraction = 4;

    /// <summary>Whether pages of that size can be read and written here.</summary>
    /// <param name="pageSize">Bytes a page.</param>
    /// <returns>True for the powers of two from <see cref="PageSizeMin"/> to <see cref="PageSizeMax"/>.</returns>
    public static bool IsPageSize(long pageSize) => pageSize is >= PageSizeMin and <= PageSizeMax && (pageSize & (pageSize - 1)) == 0;
}
