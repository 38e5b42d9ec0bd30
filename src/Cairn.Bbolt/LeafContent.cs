namespace Cairn.Bbolt;

/// <summary>What the elements of a leaf stand for; the numbers are the element's flags on disk.</summary>
/// <remarks>etcd keeps one level of buckets: the root tree holds nothing but buckets, and a bucket nothing but rows.</remarks>
internal enum LeafContent
{
    /// <summary>Key and value.</summary>
    Rows = 0,

    /// <summary>Name and bucket header.</summary>
    Buckets = 1,
}
