using System.Buffers.Binary;

namespace Cairn.State.Mvcc;

/// <summary>A node of the <see cref="KeyIndex"/>: sorted slots, searched by the first bytes in which their keys differ.</summary>
/// <remarks>
/// Keys lie elsewhere in memory, and each look at one costs more than all arithmetic of a search. So a node knows the prefix that its keys share, and keeps
/// the eight bytes behind it of each key, side by side:
/// <code>
///   keys     /pods/a-0017   /pods/a-0018   /pods/a-0102        prefix  /pods/a-0
///   heads    017            018            102                 looked up by binary search; a key itself is looked at to be sure
/// </code>
/// </remarks>
internal abstract class IndexNode(long owner)
{
    /// <summary>Most slots of a node: small enough to be copied for every new key, wide enough for 10 million keys in six levels.</summary>
    public const int SlotCapacity = 32;

    /// <summary>Slots are allocated in steps, so that half-full nodes do not pay for full ones.</summary>
    private const int SlotStep = 8;

    private byte[] _prefixKey = [];
    private int _prefixLength;
    private ulong[] _heads = [];

    /// <summary>The batch that made this node; 0 for a node that was loaded.</summary>
    public long Owner { get; } = owner;

    /// <summary>Used slots.</summary>
    public int Count { get; protected set; }

    /// <summary>The first key below this node, if it has any.</summary>
    public abstract byte[] FirstKey { get; }

    /// <summary>Whether no key lies below this node.</summary>
    public abstract bool IsHollow { get; }

    /// <summary>The first slot whose key takes part in searches.</summary>
    protected abstract int FirstSearched { get; }

    /// <summary>Makes a node with the same slots that a batch may change.</summary>
    public abstract IndexNode CopyFor(long batch);

    /// <summary>Appends all slots of the right neighbour.</summary>
    /// <param name="right">The neighbour; stays as it is.</param>
    /// <param name="low">The separator between the two in their parent.</param>
    public abstract void Absorb(IndexNode right, byte[] low);

    protected abstract byte[] KeyAt(int slot);

    protected static int RoomFor(int count) => Math.Min(SlotCapacity, (count + SlotStep - 1) / SlotStep * SlotStep);

    /// <summary>Where to split a full node: in the middle, or at the end if keys come in order, which leaves full nodes behind.</summary>
    protected static int SplitPoint(int insertPosition) => insertPosition == SlotCapacity ? SlotCapacity : SlotCapacity / 2;

    /// <summary>Finds the first slot whose key is not below a key.</summary>
    /// <returns>Its number, <see cref="Count"/> if there is none; and whether its key is the key.</returns>
    protected (int Slot, bool IsEqual) Search(ReadOnlySpan<byte> key)
    {
        var low = FirstSearched;
        var high = Count;
        var shared = key.CommonPrefixLength(_prefixKey.AsSpan(0, _prefixLength));
        if (shared < _prefixLength)
        {
            var isBelow = shared == key.Length || key[shared] < _prefixKey[shared];
            return (isBelow || low >= high ? Math.Min(low, high) : high, false);
        }

        var head = HeadOf(key, _prefixLength);
        (low, high) = SlotsWith(head, low, high);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            var order = KeyAt(middle).AsSpan(_prefixLength).SequenceCompareTo(key[_prefixLength..]);
            if (order == 0)
            {
                return (middle, true);
            }

            (low, high) = order < 0 ? (middle + 1, high) : (low, middle);
        }

        return (low, false);
    }

    /// <summary>Makes room for a head; <see cref="Count"/> and the keys already include the new slot.</summary>
    protected void InsertHead(int slot)
    {
        var key = KeyAt(slot);
        if (_heads.Length < Count)
        {
            Array.Resize(ref _heads, RoomFor(Count));
        }

        if (Count <= FirstSearched + 1 || key.AsSpan().CommonPrefixLength(_prefixKey.AsSpan(0, _prefixLength)) < _prefixLength)
        {
            ComputeHeads();
            return;
        }

        _heads.AsSpan(slot, Count - 1 - slot).CopyTo(_heads.AsSpan(slot + 1));
        _heads[slot] = HeadOf(key, _prefixLength);
    }

    /// <summary>Forgets a head; <see cref="Count"/> no longer includes the slot.</summary>
    protected void RemoveHead(int slot) => _heads.AsSpan(slot + 1, Count - slot).CopyTo(_heads.AsSpan(slot));

    protected void CopyHeads(IndexNode from)
    {
        _prefixKey = from._prefixKey;
        _prefixLength = from._prefixLength;
        _heads = new ulong[RoomFor(Count)];
        from._heads.AsSpan(0, Count).CopyTo(_heads);
    }

    /// <summary>Finds the shared prefix and the heads anew.</summary>
    protected void ComputeHeads()
    {
        _prefixLength = 0;
        _prefixKey = [];
        if (_heads.Length < Count)
        {
            _heads = new ulong[RoomFor(Count)];
        }

        if (Count <= FirstSearched)
        {
            return;
        }

        // Keys are sorted: what the first and the last share, all share.
        _prefixKey = KeyAt(FirstSearched);
        _prefixLength = _prefixKey.AsSpan().CommonPrefixLength(KeyAt(Count - 1));
        for (var i = FirstSearched; i < Count; i++)
        {
            _heads[i] = HeadOf(KeyAt(i), _prefixLength);
        }
    }

    protected void AssertHeads()
    {
        for (var i = FirstSearched; i < Count; i++)
        {
            Invariant.Holds(KeyAt(i).AsSpan().StartsWith(_prefixKey.AsSpan(0, _prefixLength)));
            Invariant.Holds(_heads[i] == HeadOf(KeyAt(i), _prefixLength));
        }
    }

    private static ulong HeadOf(ReadOnlySpan<byte> key, int prefixLength)
    {
        var rest = key[prefixLength..];
        if (rest.Length >= sizeof(ulong))
        {
            return BinaryPrimitives.ReadUInt64BigEndian(rest);
        }

        ulong head = 0;
        foreach (var b in rest)
        {
            head = (head << 8) | b;
        }

        // Shorter keys are filled up with zeros, so equal heads do not mean equal keys.
        return rest.IsEmpty ? 0 : head << (8 * (sizeof(ulong) - rest.Length));
    }

    private (int Low, int High) SlotsWith(ulong head, int low, int high)
    {
        var heads = _heads;
        var end = high;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            (low, high) = heads[middle] < head ? (middle + 1, high) : (low, middle);
        }

        while (high < end && heads[high] == head)
        {
            high++;
        }

        return (low, high);
    }
}
