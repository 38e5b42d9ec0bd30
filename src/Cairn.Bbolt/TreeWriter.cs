namespace Cairn.Bbolt;

/// <summary>Writes the pages of one tree, in the order of their ids.</summary>
internal sealed class TreeWriter
{
    private readonly int _pageSize;
    private readonly LeafContent _content;
    private readonly PageOutput _output;
    private readonly TreeShape _shape;
    private readonly KeyOrder _order = new();
    private readonly List<PageDraft> _drafts = [new PageDraft(isLeaf: true)];

    /// <summary>Begins a tree.</summary>
    /// <param name="pageSize">Bytes a page.</param>
    /// <param name="firstPage">Id of its first page, which is the next one of <paramref name="output"/>.</param>
    /// <param name="content">What its leaves hold.</param>
    /// <param name="output">Where the pages go.</param>
    public TreeWriter(int pageSize, ulong firstPage, LeafContent content, PageOutput output)
    {
        _pageSize = pageSize;
        _content = content;
        _output = output;
        _shape = new TreeShape(pageSize, firstPage);
    }

    /// <summary>First page id that the tree has not taken.</summary>
    public ulong NextPage => _shape.NextPage;

    /// <summary>Takes in the row that an enumeration stands on.</summary>
    /// <param name="rows">The enumeration.</param>
    public void Add(IBboltRows rows)
    {
        var key = rows.Key;
        var valueLength = rows.ValueLength;
        _order.Require(key);
        Write(_shape.AddRow(key.Length, valueLength));
        rows.CopyValue(_drafts[0].AddRow(_content, key, valueLength));
    }

    /// <summary>Writes the remaining pages.</summary>
    /// <returns>Id of the root.</returns>
    public ulong Complete()
    {
        var closed = _shape.Complete();
        Write(closed);
        return closed[^1].Page;
    }

    private void Write(ReadOnlySpan<ClosedPage> closed)
    {
        foreach (var page in closed)
        {
            if (_drafts.Count == page.Level + 1)
            {
                _drafts.Add(new PageDraft(isLeaf: false));
            }

            var draft = _drafts[page.Level];
            if (page.Items > 0)
            {
                _drafts[page.Level + 1].AddChild(draft.FirstKey, page.Page);
            }

            draft.MoveTo(page.Items, page.Page, page.Overflow, _output.Append((page.Overflow + 1L) * _pageSize));
        }
    }
}
