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
}
