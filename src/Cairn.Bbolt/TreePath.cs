namespace Cairn.Bbolt;

/// <summary>The pages from the root of a tree down to where a walk stands, each verified against its parents.</summary>
/// <remarks>
/// One page buffer a level, reused. A page is accepted only if its keys lie between the separators above it, so a walk ends: it meets no page twice, but for
/// branches with a single child, which <see cref="PageFormat.TreeDepthMax"/> bounds.
/// </remarks>
internal sealed class TreePath
{
    private readonly PageSource _source;
    private readonly LeafContent _content;
    private readonly List<Level> _levels = [];

    /// <summary>Creates an empty path.</summary>
    /// <param name="source">The file.</param>
    /// <param name="content">What the leaves of the tree must hold.</param>
    public TreePath(PageSource source, LeafContent content)
    {
        _source = source;
        _content = content;
    }

    /// <summary>How many pages the path has.</summary>
    public int Depth { get; private set; }

    /// <summary>The deepest page.</summary>
    public Page Top => _levels[Depth - 1].Page;

    /// <summary>Which element of the deepest page the walk stands on.</summary>
    public int Index
    {
        get => _levels[Depth - 1].Index;
        set => _levels[Depth - 1].Index = value;
    }

    /// <summary>Begins anew, at the root of a tree.</summary>
    /// <param name="root">Page id, as the bucket's header has it.</param>
    /// <param name="referencedAt">Where the header stands.</param>
    /// <returns>Null, or what is wrong with the page; then the path is empty.</returns>
    public BboltFinding? StartAt(ulong root, long referencedAt)
    {
        Depth = 0;
        var finding = Next().Page.Load(_source, root, referencedAt, _content, isRoot: true);
        Depth = finding is null ? 1 : 0;
        return finding;
    }

    /// <summary>Begins anew, at the only page of an inline bucket.</summary>
    /// <param name="page">The page.</param>
    /// <param name="offset">Where it stands.</param>
    /// <returns>Null, or what is wrong with the page; then the path is empty.</returns>
    public BboltFinding? StartInline(ReadOnlySpan<byte> page, long offset)
    {
        Depth = 0;
        var finding = Next().Page.LoadInline(page, offset);
        Depth = finding is null ? 1 : 0;
        return finding;
    }

    /// <summary>Goes down to the child that the walk stands on.</summary>
    /// <returns>Null, or what is wrong with the child; then the path is as before.</returns>
    public BboltFinding? Descend()
    {
        Invariant.Holds(Depth > 0 && !Top.IsLeaf && Index < Top.Count);
        var reference = Top.ChildOffset(Index);
        if (Depth == PageFormat.TreeDepthMax)
        {
            return new BboltFinding(reference, $"the tree is deeper than {PageFormat.TreeDepthMax} levels");
        }

        var child = Next().Page;
        var finding = child.Load(_source, Top.Child(Index), reference, _content, isRoot: false) ?? VerifyBounds(child);
        Depth += finding is null ? 1 : 0;
        return finding;
    }

    /// <summary>Goes back up one page.</summary>
    public void Ascend()
    {
        Invariant.Holds(Depth > 0);
        Depth--;
    }

    private BboltFinding? VerifyBounds(Page child)
    {
        if (child.Key(0).SequenceCompareTo(Top.Key(Index)) < 0)
        {
            return new BboltFinding(child.KeyOffset(0), $"the first key of page {child.Id} is below its separator in page {Top.Id}");
        }

        for (var depth = Depth - 1; depth >= 0; depth--)
        {
            var (page, index) = (_levels[depth].Page, _levels[depth].Index);
            if (index + 1 < page.Count)
            {
                return child.Key(child.Count - 1).SequenceCompareTo(page.Key(index + 1)) < 0
                    ? null
                    : new BboltFinding(child.KeyOffset(child.Count - 1), $"the last key of page {child.Id} is not below the next separator in page {page.Id}");
            }
        }

        return null;
    }

    private Level Next()
    {
        if (_levels.Count == Depth)
        {
            _levels.Add(new Level());
        }

        _levels[Depth].Index = 0;
        return _levels[Depth];
    }

    private sealed class Level
    {
        public Page Page { get; } = new();

        public int Index { get; set; }
    }
}
