namespace Cairn.State.Mvcc;

/// <summary>A node of the <see cref="KeyIndex"/>.</summary>
internal abstract class IndexNode(long owner)
{
    /// <summary>Most slots of a node: a leaf of 64 references is 8 cache lines, cheap to copy and shallow enough for 10 million keys.</summary>
    public const int SlotCapacity = 64;

    /// <summary>Slots are allocated in steps, so that half-full nodes do not pay for full ones.</summary>
    protected const int SlotStep = 8;

    /// <summary>The batch that made this node; 0 for a node that was loaded.</summary>
    public long Owner { get; } = owner;

    /// <summary>Used slots.</summary>
    public int Count { get; protected set; }

    /// <summary>The first key below this node, if it has any.</summary>
    public abstract byte[] FirstKey { get; }

    /// <summary>Makes a node with the same slots that a batch may change.</summary>
    public abstract IndexNode CopyFor(long batch);

    /// <summary>Whether no key lies below this node.</summary>
    public abstract bool IsHollow { get; }

    /// <summary>Appends all slots of the right neighbour.</summary>
    /// <param name="right">The neighbour; stays as it is.</param>
    /// <param name="low">The separator between the two in their parent.</param>
    public abstract void Absorb(IndexNode right, byte[] low);

    protected static int RoomFor(int count) => Math.Min(SlotCapacity, (count + SlotStep) / SlotStep * SlotStep);

    /// <summary>Where to split a full node: in the middle, or at the end if keys come in order, which leaves full nodes behind.</summary>
    protected static int SplitPoint(int insertPosition) => insertPosition == SlotCapacity ? SlotCapacity : SlotCapacity / 2;
}

/// <summary>A leaf: histories in the order of their keys.</summary>
internal sealed class IndexLeaf : IndexNode
{
    public IndexLeaf(long owner)
        : base(owner) => Slots = new KeyHistory[SlotStep];

    private IndexLeaf(long owner, ReadOnlySpan<KeyHistory> slots)
        : base(owner)
    {
        Slots = new KeyHistory[RoomFor(slots.Length)];
        slots.CopyTo(Slots);
        Count = slots.Length;
    }

    public KeyHistory[] Slots { get; private set; }

    public override byte[] FirstKey => Slots[0].Key;

    public override bool IsHollow => Count == 0;

    /// <summary>Makes a loaded leaf.</summary>
    public static IndexLeaf Loaded(ReadOnlySpan<KeyHistory> slots) => new(owner: 0, slots);

    public override IndexNode CopyFor(long batch) => new IndexLeaf(batch, Slots.AsSpan(0, Count));

    /// <summary>Finds a key.</summary>
    /// <returns>Its position, or the complement of the position where it belongs.</returns>
    public int PositionOf(ReadOnlySpan<byte> key)
    {
        var low = 0;
        var high = Count - 1;
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            var order = Slots[middle].Key.AsSpan().SequenceCompareTo(key);
            if (order == 0)
            {
                return middle;
            }

            if (order < 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle - 1;
            }
        }

        return ~low;
    }

    /// <summary>Puts a history at a position.</summary>
    /// <returns>The new right neighbour if the leaf was full and had to be split.</returns>
    public IndexLeaf? Insert(int position, KeyHistory history, long batch)
    {
        Invariant.Holds(Owner == batch && position <= Count);
        if (Count < SlotCapacity)
        {
            InsertHere(position, history);
            return null;
        }

        var split = SplitPoint(position);
        var right = new IndexLeaf(batch, Slots.AsSpan(split, Count - split));
        Slots.AsSpan(split).Clear();
        Count = split;
        if (position > split || split == SlotCapacity)
        {
            right.InsertHere(position - split, history);
        }
        else
        {
            InsertHere(position, history);
        }

        return right;
    }

    public void RemoveAt(int position)
    {
        Invariant.Holds(position < Count);
        Slots.AsSpan(position + 1, Count - position - 1).CopyTo(Slots.AsSpan(position));
        Count--;
        Slots[Count] = null!; // The slot is unused: positions below Count are never null.
    }

    public override void Absorb(IndexNode right, byte[] low)
    {
        var other = (IndexLeaf)right;
        Reserve(Count + other.Count);
        other.Slots.AsSpan(0, other.Count).CopyTo(Slots.AsSpan(Count));
        Count += other.Count;
    }

    private void InsertHere(int position, KeyHistory history)
    {
        Reserve(Count + 1);
        Slots.AsSpan(position, Count - position).CopyTo(Slots.AsSpan(position + 1));
        Slots[position] = history;
        Count++;
    }

    private void Reserve(int count)
    {
        if (count > Slots.Length)
        {
            var slots = new KeyHistory[RoomFor(count - 1)];
            Slots.AsSpan(0, Count).CopyTo(slots);
            Slots = slots;
        }
    }
}

/// <summary>An inner node: children, and for each the lowest key that may lie below it.</summary>
internal sealed class IndexBranch : IndexNode
{
    private byte[][] _lows;

    public IndexBranch(long owner, IndexNode left, IndexNode right)
        : base(owner)
    {
        Children = new IndexNode[SlotStep];
        _lows = new byte[SlotStep][];
        InsertHere(0, left);
        InsertHere(1, right);
    }

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

    /// <summary>Makes a loaded branch.</summary>
    public static IndexBranch Loaded(ReadOnlySpan<IndexNode> children)
    {
        var lows = new byte[children.Length][];
        for (var i = 0; i < lows.Length; i++)
        {
            lows[i] = children[i].FirstKey;
        }

        return new IndexBranch(owner: 0, children, lows);
    }

    /// <summary>The separator in front of a child other than the first.</summary>
    public byte[] LowOf(int child) => _lows[child];

    public override IndexNode CopyFor(long batch) => new IndexBranch(batch, Children.AsSpan(0, Count), _lows.AsSpan(0, Count));

    /// <summary>Which child holds a key, or would.</summary>
    public int ChildOf(ReadOnlySpan<byte> key)
    {
        var low = 1;
        var high = Count;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (_lows[middle].AsSpan().SequenceCompareTo(key) <= 0)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }

    /// <summary>Puts a child at a position.</summary>
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
    }

    private void InsertHere(int position, IndexNode child)
    {
        Reserve(Count + 1);
        Children.AsSpan(position, Count - position).CopyTo(Children.AsSpan(position + 1));
        _lows.AsSpan(position, Count - position).CopyTo(_lows.AsSpan(position + 1));
        Children[position] = child;
        _lows[position] = child.FirstKey;
        Count++;
    }

    private void Reserve(int count)
    {
        if (count > Children.Length)
        {
            var room = RoomFor(count - 1);
            var children = new IndexNode[room];
            var lows = new byte[room][];
            Children.AsSpan(0, Count).CopyTo(children);
            _lows.AsSpan(0, Count).CopyTo(lows);
            Children = children;
            _lows = lows;
        }
    }
}
