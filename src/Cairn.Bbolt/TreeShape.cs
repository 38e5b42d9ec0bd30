using System.Runtime.InteropServices;

namespace Cairn.Bbolt;

/// <summary>A page of a tree that is complete.</summary>
/// <param name="Level">0 for a leaf, 1 for the branches above the leaves, and so on.</param>
/// <param name="Items">How many of the level's oldest elements, not yet on a page, are on this one.</param>
/// <param name="Page">Its id.</param>
/// <param name="Overflow">Further pages that belong to it.</param>
internal readonly record struct ClosedPage(int Level, int Items, ulong Page, uint Overflow);

/// <summary>Decides, from the sizes of keys and values alone, which pages a tree has and where they lie.</summary>
/// <remarks>
/// <para>
/// Both passes of the writer run their rows through it, so what the first one computes is what the second one emits. A page gets the next free id when it
/// closes, and a branch closes as soon as it is full, behind its last child and before the next leaf: so ids ascend in the order of emission, and the only
/// state is one open page a level.
/// </para>
/// <para>
/// A worked example, with room for three elements a page and rows a to k: leaves abc=2, def=3, ghi=4 fill a branch (2 3 4); leaf jk=5 does not fit and is held
/// back. There is no sixth leaf, so at the end the branch takes it in as a fourth element, on an overflow page if need be: (2 3 4 5)=6 is the root. Had there
/// been a leaf 6, the branch (2 3 4) would have become page 7 as soon as leaf 6 closed, and (5 6) the beginning of the next branch. So no branch ever has a
/// single child, which bbolt takes for granted when it rebalances.
/// </para>
/// </remarks>
internal sealed class TreeShape
{
    private readonly int _pageSize;
    private readonly List<Level> _levels = [new Level()];
    private readonly List<ClosedPage> _closed = [];

    /// <summary>Creates an empty tree.</summary>
    /// <param name="pageSize">Bytes a page.</param>
    /// <param name="firstPage">Id of the first page that closes.</param>
    public TreeShape(int pageSize, ulong firstPage)
    {
        Invariant.Holds(PageFormat.IsPageSize(pageSize));
        Invariant.Holds(firstPage >= PageFormat.FirstDataPage);
        _pageSize = pageSize;
        NextPage = firstPage;
    }

    /// <summary>First page id that the tree has not taken.</summary>
    public ulong NextPage { get; private set; }

    /// <summary>Takes in the next row.</summary>
    /// <param name="keyLength">Bytes of its key.</param>
    /// <param name="valueLength">Bytes of its value.</param>
    /// <returns>Pages that closed because the row does not fit, children before parents; valid until the next call. The row itself is on none of
    /// them.</returns>
    public ReadOnlySpan<ClosedPage> AddRow(int keyLength, int valueLength)
    {
        Invariant.Holds(keyLength is > 0 and <= PageFormat.KeyBytesMax);
        Invariant.Holds(valueLength >= 0 && valueLength <= PageFormat.PageRunBytesMax - PageFormat.PageSizeMax);
        _closed.Clear();
        var bytes = PageFormat.ElementBytes + keyLength + (long)valueLength;
        if (_levels[0].Items > 0 && _levels[0].Bytes + bytes > _pageSize)
        {
            Close(0);
        }

        _levels[0].Add(keyLength, bytes);
        return CollectionsMarshal.AsSpan(_closed);
    }

    /// <summary>Ends the tree.</summary>
    /// <returns>The remaining pages, children before parents; the last one is the root.</returns>
    public ReadOnlySpan<ClosedPage> Complete()
    {
        _closed.Clear();
        var level = 0;
        while (true)
        {
            _levels[level].ReleaseHeld();
            if (!_levels[level].HasClosed)
            {
                Take(level);
                return CollectionsMarshal.AsSpan(_closed);
            }

            Close(level);
            level++;
        }
    }

    /// <summary>Closes the open page of a level and hands it to the level above.</summary>
    private void Close(int level)
    {
        var firstKeyLength = _levels[level].FirstKeyLength;
        Take(level);
        if (_levels.Count == level + 1)
        {
            _levels.Add(new Level());
        }

        var parent = _levels[level + 1];
        if (parent.HoldsOne)
        {
            Close(level + 1);
            parent.ReleaseHeld();
            parent.Add(firstKeyLength, PageFormat.ElementBytes + firstKeyLength);
            return;
        }

        parent.AddOrHold(firstKeyLength, _pageSize);
    }

    private void Take(int level)
    {
        var open = _levels[level];
        var overflow = (open.Bytes - 1) / _pageSize;
        Invariant.Holds(open.Items <= ushort.MaxValue - 1);
        Invariant.Holds(level == 0 || open.Items >= 2);
        _closed.Add(new ClosedPage(level, open.Items, NextPage, (uint)overflow));
        NextPage += 1 + (ulong)overflow;
        open.Clear();
    }

    /// <summary>The open page of a level: how much is on it.</summary>
    private sealed class Level
    {
        private int _heldKeyLength;

        public int Items { get; private set; }

        public long Bytes { get; private set; } = PageFormat.HeaderBytes;

        public int FirstKeyLength { get; private set; }

        /// <summary>Whether a page of this level was closed before.</summary>
        public bool HasClosed { get; private set; }

        /// <summary>Whether a child that does not fit waits for a second one, to begin the next page with.</summary>
        public bool HoldsOne => _heldKeyLength > 0;

        public void Add(int keyLength, long bytes)
        {
            FirstKeyLength = Items == 0 ? keyLength : FirstKeyLength;
            Items++;
            Bytes += bytes;
        }

        public void AddOrHold(int keyLength, int pageSize)
        {
            var bytes = PageFormat.ElementBytes + keyLength;
            if (Items >= 2 && Bytes + bytes > pageSize)
            {
                _heldKeyLength = keyLength;
                return;
            }

            Add(keyLength, bytes);
        }

        public void ReleaseHeld()
        {
            if (HoldsOne)
            {
                Add(_heldKeyLength, PageFormat.ElementBytes + _heldKeyLength);
                _heldKeyLength = 0;
            }
        }

        public void Clear()
        {
            (Items, Bytes, FirstKeyLength, HasClosed) = (0, PageFormat.HeaderBytes, 0, true);
        }
    }
}
