namespace Cairn.State.Mvcc;

/// <summary>A leaf: histories in the order of their keys.</summary>
internal sealed class IndexLeaf : IndexNode
{
    public IndexLeaf(long owner)
        : this(owner, [])
    {
        ComputeHeads();
    }

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

    protected override int FirstSearched => 0;

    /// <summary>Makes a loaded leaf.</summary>
    public static IndexLeaf Loaded(ReadOnlySpan<KeyHistory> slots)
    {
        var leaf = new IndexLeaf(owner: 0, slots);
        leaf.ComputeHeads();
        return leaf;
    }

    public override IndexNode CopyFor(long batch)
    {
        var copy = new IndexLeaf(batch, Slots.AsSpan(0, Count));
        copy.CopyHeads(this);
        return copy;
    }

    /// <summary>Finds a key.</summary>
    /// <returns>Its position, or the complement of the position where it belongs.</returns>
    public int PositionOf(ReadOnlySpan<byte> key)
    {
        var (slot, isEqual) = Search(key);
        return isEqual ? slot : ~slot;
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
        ComputeHeads();
        right.ComputeHeads();
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
        RemoveHead(position);
    }

    public override void Absorb(IndexNode right, byte[] low)
    {
        var other = (IndexLeaf)right;
        Reserve(Count + other.Count);
        other.Slots.AsSpan(0, other.Count).CopyTo(Slots.AsSpan(Count));
        Count += other.Count;
        ComputeHeads();
    }

    public void AssertInvariants()
    {
        Invariant.Holds(Count <= SlotCapacity);
        AssertHeads();
    }

    protected override byte[] KeyAt(int slot) => Slots[slot].Key;

    private void InsertHere(int position, KeyHistory history)
    {
        Reserve(Count + 1);
        Slots.AsSpan(position, Count - position).CopyTo(Slots.AsSpan(position + 1));
        Slots[position] = history;
        Count++;
        InsertHead(position);
    }

    private void Reserve(int count)
    {
        if (count > Slots.Length)
        {
            var slots = new KeyHistory[RoomFor(count)];
            Slots.AsSpan(0, Count).CopyTo(slots);
            Slots = slots;
        }
    }
}
