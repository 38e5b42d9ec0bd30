namespace Cairn.State.Mvcc;

/// <summary>An inner node: children, and for each but the first the lowest key that may lie below it.</summary>
internal sealed class IndexBranch : IndexNode
{
    private byte[][] _lows;

    public IndexBranch(long owner, IndexNode left, IndexNode right)
        : this(owner, [left, right], [left.FirstKey, right.FirstKey]) => ComputeHeads();

    private IndexBranch(long owner, ReadOnlySpan<IndexNode> children, ReadOnlySpan<byte[]> lows)
        : base(owner)
    {
        Children = new IndexNode[RoomFor(children.Length)];
        _lows = new byte[Children.Length][];
        children.CopyTo(Children);
        lows.CopyTo(_lows);
        Count = children.Length;
    }

    public IndexNode[] Children { get; private set; }

    public override byte[] FirstKey => _lows[0];

    public override bool IsHollow => Count == 1 && Children[0].IsHollow;

    // Below the first child lies everything that is below the second, whatever is recorded for the first.
    protected override int FirstSearched => 1;

    /// <summary>Makes a loaded branch.</summary>
    public static IndexBranch Loaded(ReadOnlySpan<IndexNode> children)
    {
        var lows = new byte[children.Length][];
        for (var i = 0; i < lows.Length; i++)
        {
            lows[i] = children[i].FirstKey;
        }

        var branch = new IndexBranch(owner: 0, children, lows);
        branch.ComputeHeads();
        return branch;
    }

    /// <summary>The separator in front of a child other than the first.</summary>
    public byte[] LowOf(int child) => _lows[child];

    public override IndexNode CopyFor(long batch)
    {
        var copy = new IndexBranch(batch, Children.AsSpan(0, Count), _lows.AsSpan(0, Count));
        copy.CopyHeads(this);
        return copy;
    }

    /// <summary>Which child holds a key, or would.</summary>
    public int ChildOf(ReadOnlySpan<byte> key)
    {
        var (slot, isEqual) = Search(key);
        return isEqual ? slot : slot - 1;
    }

    /// <summary>Puts a child at a position other than the first.</summary>
    /// <returns>The new right neighbour if the branch was full and had to be split.</returns>
    public IndexBranch? Insert(int position, IndexNode child, long batch)
    {
        Invariant.Holds(Owner == batch && position > 0 && position <= Count);
        if (Count < SlotCapacity)
        {
            InsertHere(position, child);
            return null;
        }

        var split = SplitPoint(position);
        var right = new IndexBranch(batch, Children.AsSpan(split, Count - split), _lows.AsSpan(split, Count - split));
        Children.AsSpan(split).Clear();
        _lows.AsSpan(split).Clear();
        Count = split;
        ComputeHeads();
        right.ComputeHeads();
        if (position > split || split == SlotCapacity)
        {
            right.InsertHere(position - split, child);
        }
        else
        {
            InsertHere(position, child);
        }

        return right;
    }

    public void RemoveAt(int position)
    {
        Invariant.Holds(position < Count);
        Children.AsSpan(position + 1, Count - position - 1).CopyTo(Children.AsSpan(position));
        _lows.AsSpan(position + 1, Count - position - 1).CopyTo(_lows.AsSpan(position));
        Count--;
        Children[Count] = null!; // The slot is unused: positions below Count are never null.
        _lows[Count] = null!;
        RemoveHead(position);
    }

    public override void Absorb(IndexNode right, byte[] low)
    {
        var other = (IndexBranch)right;
        Reserve(Count + other.Count);
        other.Children.AsSpan(0, other.Count).CopyTo(Children.AsSpan(Count));
        other._lows.AsSpan(0, other.Count).CopyTo(_lows.AsSpan(Count));

        // Below the neighbour's first child there may be keys under its own recorded low: the parent's separator is the one that holds.
        _lows[Count] = low;
        Count += other.Count;
        ComputeHeads();
    }

    public void AssertInvariants()
    {
        Invariant.Holds(Count is > 0 and <= SlotCapacity);
        AssertHeads();
    }

    protected override byte[] KeyAt(int slot) => _lows[slot];

    private void InsertHere(int position, IndexNode child)
    {
        Reserve(Count + 1);
        Children.AsSpan(position, Count - position).CopyTo(Children.AsSpan(position + 1));
        _lows.AsSpan(position, Count - position).CopyTo(_lows.AsSpan(position + 1));
        Children[position] = child;
        _lows[position] = child.FirstKey;
        Count++;
        InsertHead(position);
    }

    private void Reserve(int count)
    {
        if (count > Children.Length)
        {
            var room = RoomFor(count);
            var children = new IndexNode[room];
            var lows = new byte[room][];
            Children.AsSpan(0, Count).CopyTo(children);
            _lows.AsSpan(0, Count).CopyTo(lows);
            Children = children;
            _lows = lows;
        }
    }
}
