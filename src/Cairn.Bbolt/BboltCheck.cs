using System.Buffers.Binary;

namespace Cairn.Bbolt;

/// <summary>One pass over every page that can be reached, and one over those that cannot.</summary>
internal sealed class BboltCheck
{
    private readonly PageSource _source;
    private readonly BboltMeta _meta;
    private readonly int _findingsMax;
    private readonly List<BboltFinding> _findings = [];
    private readonly PageSet _used;
    private readonly PageSet _free;

    // Whether every page that is referred to could be read; if not, pages below a damaged one are unreachable for that reason alone.
    private bool _isWhole = true;

    /// <summary>Prepares a check.</summary>
    /// <param name="source">The file.</param>
    /// <param name="meta">The meta page that counts.</param>
    /// <param name="findingsMax">Stops after this many findings.</param>
    public BboltCheck(PageSource source, BboltMeta meta, int findingsMax)
    {
        _source = source;
        _meta = meta;
        _findingsMax = findingsMax;
        _used = new PageSet(source.HighWaterMark);
        _free = new PageSet(source.HighWaterMark);
    }

    private bool IsFull => _findings.Count >= _findingsMax;

    /// <summary>Checks everything.</summary>
    /// <param name="metaFindings">What was wrong with a meta page when the file was opened.</param>
    /// <returns>Findings.</returns>
    public IReadOnlyList<BboltFinding> Run(IReadOnlyList<BboltFinding> metaFindings)
    {
        foreach (var finding in metaFindings)
        {
            Report(finding);
        }

        CheckMetaHeader(0);
        CheckMetaHeader(1);
        ReadFreeList();
        Walk(BboltBucket.Root(_source, _meta), LeafContent.Buckets);
        CheckUnused();
        return _findings;
    }

    private void CheckMetaHeader(ulong page)
    {
        _used.Add(page);
        Span<byte> header = stackalloc byte[PageFormat.HeaderBytes];
        if (Report(_source.Fill(_source.OffsetOf(page), header)))
        {
            return;
        }

        var id = BinaryPrimitives.ReadUInt64LittleEndian(header);
        var flags = BinaryPrimitives.ReadUInt16LittleEndian(header[PageFormat.FlagsAt..]);
        if (id != page || flags != PageFormat.MetaFlag)
        {
            Report(new BboltFinding(_source.OffsetOf(page), $"meta page {page} says that it is page {id} with flags 0x{flags:x}"));
        }
    }

    private void ReadFreeList()
    {
        if (_meta.FreeListPage == BboltMeta.NoFreeList)
        {
            return;
        }

        _isWhole &= !Report(FreeListPage.Read(_source, _meta.FreeListPage, _free, out var overflow));
        Claim(_meta.FreeListPage, overflow);
    }

    private void Walk(BboltBucket bucket, LeafContent content)
    {
        var path = new TreePath(_source, content);
        if (IsTaken(bucket.RootPage, bucket.HeaderOffset) || Lost(bucket.Start(path)) || (bucket.RootPage != 0 && !Claim(path.Top)))
        {
            return;
        }

        while (path.Depth > 0 && !IsFull)
        {
            if (path.Index < path.Top.Count && !path.Top.IsLeaf)
            {
                DescendOrSkip(path);
                continue;
            }

            if (path.Top.IsLeaf && content == LeafContent.Buckets)
            {
                WalkBuckets(path.Top);
            }

            path.Ascend();
            if (path.Depth > 0)
            {
                path.Index++;
            }
        }
    }

    /// <summary>Goes down one page, or past it if it is damaged or was met before.</summary>
    private void DescendOrSkip(TreePath path)
    {
        var parent = path.Top;
        if (IsTaken(parent.Child(path.Index), parent.ChildOffset(path.Index)) || Lost(path.Descend()))
        {
            path.Index++;
            return;
        }

        if (!Claim(path.Top))
        {
            path.Ascend();
            path.Index++;
        }
    }

    private void WalkBuckets(Page leaf)
    {
        for (var index = 0; index < leaf.Count && !IsFull; index++)
        {
            var finding = BboltBucket.Read(_source, leaf.Key(index), leaf.Value(index), leaf.KeyOffset(index) + leaf.Key(index).Length, out var bucket);
            if (!Lost(finding) && bucket is not null)
            {
                Walk(bucket, LeafContent.Rows);
            }
        }
    }

    /// <summary>Whether a page was met before; looked at before it is read, so that many references to one large tree cost nothing.</summary>
    private bool IsTaken(ulong page, long referencedAt)
    {
        var isTaken = _source.IsDataPage(page) && _used.Contains(page);
        return isTaken && Report(new BboltFinding(referencedAt, $"a second reference to page {page}"));
    }

    /// <summary>Marks a page of a tree as in use, and looks at the part of it that nothing else reads.</summary>
    private bool Claim(Page page)
    {
        Report(page.VerifyRest(_source));
        return Claim(page.Id, page.Overflow);
    }

    /// <summary>Marks a page and its overflow as in use.</summary>
    private bool Claim(ulong page, uint overflow)
    {
        for (var id = page; id <= page + overflow; id++)
        {
            if (_free.Contains(id))
            {
                Report(new BboltFinding(_source.OffsetOf(id), $"page {id} is in use, but also on the free list"));
            }

            if (!_used.Add(id))
            {
                return !Report(new BboltFinding(_source.OffsetOf(id), $"page {id} belongs to page {page} with {overflow} overflow pages and to another one"));
            }
        }

        return true;
    }

    private void CheckUnused()
    {
        // Without a list, whatever cannot be reached is free: that is what bbolt makes of it, too.
        for (var id = PageFormat.FirstDataPage; _isWhole && _meta.FreeListPage != BboltMeta.NoFreeList && id < _source.HighWaterMark && !IsFull; id++)
        {
            if (!_used.Contains(id) && !_free.Contains(id))
            {
                Report(new BboltFinding(_source.OffsetOf(id), $"page {id} is neither in use nor on the free list"));
            }
        }
    }

    private bool Lost(BboltFinding? finding)
    {
        _isWhole &= finding is null;
        return Report(finding);
    }

    private bool Report(BboltFinding? finding)
    {
        if (finding is { } found && !IsFull)
        {
            _findings.Add(found);
        }

        return finding is not null;
    }
}
