namespace Cairn.Bbolt;

/// <summary>Where a bucket will lie.</summary>
/// <param name="Content">What it holds.</param>
/// <param name="RootPage">Root of its tree; 0 if it lies within the root tree.</param>
/// <param name="NextPage">First page behind it.</param>
/// <param name="InlineBytes">Bytes of its page within the root tree; 0 if it has a tree.</param>
internal sealed record PlannedBucket(BboltBucketContent Content, ulong RootPage, ulong NextPage, int InlineBytes)
{
    /// <summary>Whether the bucket is small enough to lie within the root tree.</summary>
    public bool IsInline => RootPage == 0;

    /// <summary>Bytes of the value that describes the bucket in the root tree.</summary>
    public int ValueLength => PageFormat.BucketHeaderBytes + InlineBytes;

    /// <summary>Enumerates the rows of a bucket for their sizes.</summary>
    /// <param name="content">The bucket.</param>
    /// <param name="pageSize">Bytes a page.</param>
    /// <param name="firstPage">Its first page, if it needs any.</param>
    /// <returns>The plan.</returns>
    public static PlannedBucket Measure(BboltBucketContent content, int pageSize, ulong firstPage)
    {
        var shape = new TreeShape(pageSize, firstPage);
        var order = new KeyOrder();
        long bytes = PageFormat.HeaderBytes;
        using var rows = content.OpenRows();
        while (rows.MoveNext())
        {
            order.Require(rows.Key);
            shape.AddRow(rows.Key.Length, rows.ValueLength);
            bytes += PageFormat.ElementBytes + rows.Key.Length + (long)rows.ValueLength;
        }

        if (bytes <= pageSize / PageFormat.InlinePageFraction)
        {
            return new PlannedBucket(content, RootPage: 0, firstPage, (int)bytes);
        }

        var rootPage = shape.Complete()[^1].Page;
        return new PlannedBucket(content, rootPage, shape.NextPage, InlineBytes: 0);
    }
}
