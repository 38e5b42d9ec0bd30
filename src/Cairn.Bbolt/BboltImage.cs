namespace Cairn.Bbolt;

/// <summary>A bbolt file to be written front to back: planned from sizes alone, then emitted chunk by chunk, in constant memory.</summary>
/// <remarks>
/// <para>
/// The meta pages stand at the front but name the root, which comes last: so the rows are enumerated twice. <see cref="Plan"/> runs through keys and lengths
/// (values are not asked for) and knows the length of the file before its first byte; <see cref="Emit"/> runs through them again, with values. Memory: a page
/// or two a level, the largest row twice, the chunk, and a few words a bucket.
/// </para>
/// <para>
/// The file is one that bbolt opens, checks and goes on writing to: leaves are filled up to a page, small buckets lie within the root tree, the free list is
/// marked as not written, both metas name the same root. Nothing here is specific to etcd; it appends no checksum: whoever sends or stores the chunks hashes
/// them.
/// </para>
/// <para>Source: the files that bbolt writes.</para>
/// </remarks>
public sealed class BboltImage
{
    // An even number, so that bbolt's first transaction on the file (this plus one) goes to meta page 1 and leaves the newer of the two metas in place until
    // it is durable.
    private const ulong TransactionId = 2;

    private readonly IReadOnlyList<PlannedBucket> _buckets;
    private readonly BboltMeta _meta;
    private readonly ulong _rootTreePage;

    private BboltImage(IReadOnlyList<PlannedBucket> buckets, BboltMeta meta, ulong rootTreePage)
    {
        _buckets = buckets;
        _meta = meta;
        _rootTreePage = rootTreePage;
    }

    /// <summary>Length of the file in bytes: a whole number of pages.</summary>
    public long Length => (long)_meta.HighWaterMark * _meta.PageSize;

    /// <summary>Enumerates all rows once, for their sizes, and lays the file out.</summary>
    /// <param name="buckets">The buckets, in ascending order of their names.</param>
    /// <param name="pageSize">Bytes a page: a power of two from 512 to 65536.</param>
    /// <returns>The plan; holds on to <paramref name="buckets"/>.</returns>
    /// <exception cref="ArgumentException">The page size is none, or the buckets are not in order.</exception>
    /// <remarks>Rows out of order, or different ones in the second enumeration, are a fault of the caller's and end the process.</remarks>
    public static BboltImage Plan(IReadOnlyList<BboltBucketContent> buckets, int pageSize = 4096)
    {
        using var planner = new BboltPlanner(buckets, pageSize);
        while (planner.Step(int.MaxValue))
        {
            // A planner may have more rows to see than fit a number.
        }

        return planner.Image;
    }

    /// <summary>Lays out the root tree behind buckets that were measured.</summary>
    /// <param name="planned">The buckets.</param>
    /// <param name="pageSize">Bytes a page.</param>
    /// <returns>The plan.</returns>
    internal static BboltImage Of(IReadOnlyList<PlannedBucket> planned, int pageSize)
    {
        var firstPage = planned.Count == 0 ? PageFormat.FirstDataPage : planned[^1].NextPage;
        using var root = new PlannedBucketRows(planned);
        var (rootPage, highWaterMark) = MeasureRoot(root, pageSize, firstPage);
        return new BboltImage(planned, new BboltMeta(0, pageSize, rootPage, BboltMeta.NoFreeList, highWaterMark, TransactionId), firstPage);
    }

    /// <summary>Enumerates all rows again and hands out the file, front to back.</summary>
    /// <param name="chunkBytes">Bytes a chunk, at least 1; the last chunk may be shorter.</param>
    /// <returns>Chunks, made as they are asked for, together <see cref="Length"/> bytes. Each is valid until the next one is asked for.</returns>
    public IEnumerable<ReadOnlyMemory<byte>> Emit(int chunkBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(chunkBytes, 1);
        return EmitChunks(chunkBytes);
    }

    private IEnumerable<ReadOnlyMemory<byte>> EmitChunks(int chunkBytes)
    {
        var output = new PageOutput();
        WriteMetas(output);
        var firstPage = PageFormat.FirstDataPage;
        foreach (var bucket in _buckets)
        {
            if (!bucket.IsInline)
            {
                foreach (var chunk in EmitTree(bucket.Content.OpenRows, LeafContent.Rows, firstPage, bucket.RootPage, bucket.NextPage, output, chunkBytes))
                {
                    yield return chunk;
                }
            }

            firstPage = bucket.NextPage;
        }

        Invariant.Holds(firstPage == _rootTreePage);
        Func<IBboltRows> openRoot = () => new PlannedBucketRows(_buckets);
        foreach (var chunk in EmitTree(openRoot, LeafContent.Buckets, firstPage, _meta.RootPage, _meta.HighWaterMark, output, chunkBytes))
        {
            yield return chunk;
        }

        var rest = output.TakeRest();
        if (!rest.IsEmpty)
        {
            yield return rest;
        }
    }

    private IEnumerable<ReadOnlyMemory<byte>> EmitTree(
        Func<IBboltRows> openRows, LeafContent content, ulong firstPage, ulong rootPage, ulong nextPage, PageOutput output, int chunkBytes)
    {
        var tree = new TreeWriter(_meta.PageSize, firstPage, content, output);
        using var rows = openRows();
        while (rows.MoveNext())
        {
            tree.Add(rows);
            while (output.TryTake(chunkBytes, out var chunk))
            {
                yield return chunk;
            }
        }

        // What was sent already names these pages: another number of rows than in the first enumeration must not go out as a file that looks sound.
        Invariant.Holds(tree.Complete() == rootPage);
        Invariant.Holds(tree.NextPage == nextPage);
        while (output.TryTake(chunkBytes, out var chunk))
        {
            yield return chunk;
        }
    }

    /// <summary>A snapshot has the transaction in meta 0 and the one before in meta 1, with the same root: either one gives the same file.</summary>
    private void WriteMetas(PageOutput output)
    {
        (_meta with { Page = 0 }).Write(output.Append(_meta.PageSize));
        (_meta with { Page = 1, TransactionId = _meta.TransactionId - 1 }).Write(output.Append(_meta.PageSize));
    }

    private static (ulong RootPage, ulong NextPage) MeasureRoot(PlannedBucketRows root, int pageSize, ulong firstPage)
    {
        var shape = new TreeShape(pageSize, firstPage);
        while (root.MoveNext())
        {
            shape.AddRow(root.Key.Length, root.ValueLength);
        }

        var rootPage = shape.Complete()[^1].Page;
        return (rootPage, shape.NextPage);
    }
}
