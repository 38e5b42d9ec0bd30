using System.Buffers.Binary;

namespace Cairn.Bbolt;

/// <summary>A bucket of a bbolt file: a name and, under it, rows in the order of their keys.</summary>
public sealed class BboltBucket
{
    private readonly byte[] _inlinePage;

    private BboltBucket(PageSource source, byte[] name, ulong rootPage, ulong sequence, byte[] inlinePage, long offset)
    {
        Source = source;
        Name = name;
        RootPage = rootPage;
        Sequence = sequence;
        _inlinePage = inlinePage;
        HeaderOffset = offset;
    }

    /// <summary>Name, as bytes.</summary>
    public ReadOnlyMemory<byte> Name { get; }

    /// <summary>The bucket's own counter; etcd never uses it.</summary>
    public ulong Sequence { get; }

    /// <summary>Root page of the bucket's tree, or 0 if the bucket lies within its parent's leaf.</summary>
    public ulong RootPage { get; }

    internal PageSource Source { get; }

    /// <summary>Where the bucket's header, which names its root page, stands in the file.</summary>
    internal long HeaderOffset { get; }

    /// <summary>Begins a walk through the rows.</summary>
    /// <returns>A cursor before the first row. Nothing is read yet.</returns>
    public BboltCursor OpenCursor() => new(this, LeafContent.Rows);

    internal static BboltBucket Root(PageSource source, BboltMeta meta)
    {
        return new BboltBucket(source, [], meta.RootPage, sequence: 0, [], source.OffsetOf((ulong)meta.Page) + PageFormat.HeaderBytes + 16);
    }

    /// <summary>Reads a bucket from the element of the root tree that describes it.</summary>
    /// <param name="source">The file.</param>
    /// <param name="name">Key of the element.</param>
    /// <param name="value">Value of the element.</param>
    /// <param name="offset">Where the value stands.</param>
    /// <param name="bucket">The bucket; copies what it needs.</param>
    /// <returns>Null, or what is wrong.</returns>
    internal static BboltFinding? Read(PageSource source, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, long offset, out BboltBucket? bucket)
    {
        bucket = null;
        if (value.Length < PageFormat.BucketHeaderBytes)
        {
            return new BboltFinding(offset, $"a bucket header of {value.Length} bytes, expected {PageFormat.BucketHeaderBytes}");
        }

        var root = BinaryPrimitives.ReadUInt64LittleEndian(value);
        var inline = value[PageFormat.BucketHeaderBytes..];
        if (root == 0 ? inline.Length < PageFormat.HeaderBytes : !inline.IsEmpty)
        {
            return new BboltFinding(offset, $"a bucket header with root page {root} is followed by {inline.Length} bytes");
        }

        var sequence = BinaryPrimitives.ReadUInt64LittleEndian(value[PageFormat.BucketSequenceAt..]);
        bucket = new BboltBucket(source, name.ToArray(), root, sequence, inline.ToArray(), offset);
        return null;
    }

    /// <summary>Puts a walk on the root page.</summary>
    /// <param name="path">The walk.</param>
    /// <returns>Null, or what is wrong with the root page.</returns>
    internal BboltFinding? Start(TreePath path)
    {
        return RootPage == 0 ? path.StartInline(_inlinePage, HeaderOffset + PageFormat.BucketHeaderBytes) : path.StartAt(RootPage, HeaderOffset);
    }
}
