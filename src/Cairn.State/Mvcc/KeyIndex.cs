namespace Cairn.State.Mvcc;

/// <summary>All keys in order, with their histories: a B+tree that one writer changes while readers walk older roots without locks.</summary>
/// <remarks>
/// <para>
/// Copy on write, owned by batch. Every node carries the number of the batch that made it. A node of the current batch is reachable from no published
/// root, so it is changed in place; a node of an earlier batch is copied first. <see cref="Seal"/> ends the batch: the root becomes immutable and may be
/// handed to readers.
/// </para>
/// <code>
///   sealed root ──► [ a · k · t ]             put "l", a new key, in the next batch:
///                   /     |     \             the root and the middle leaf are copied, both other leaves are shared
///               [a c]  [k m]  [t z]           new root ──► [ a · k · t ],  its middle child is [k l m]
/// </code>
/// <para>
/// A new version of an existing key changes no node: it is appended to the key's <see cref="KeyHistory"/>, where readers of older views ignore it by its
/// revision. So the cost of copying is paid by new and by vanishing keys only.
/// </para>
/// Owned by the apply loop; sealed roots may be read by any thread.
/// </remarks>
internal sealed class KeyIndex
{
    private IndexNode _root;
    private long _batch = 1;

    public KeyIndex()
        : this(new IndexLeaf(owner: 0), count: 0)
    {
    }

    public KeyIndex(IndexNode root, long count)
    {
        _root = root;
        Count = count;
    }

    /// <summary>Number of keys with a history, deleted ones that are not compacted away included.</summary>
    public long Count { get; private set; }

    /// <summary>The root as the writer sees it; changes in place until sealed.</summary>
    public IndexNode Root => _root;

    /// <summary>Ends the batch.</summary>
    /// <returns>A root that never changes again.</returns>
    public IndexNode Seal()
    {
        _batch++;
        return _root;
    }

    public KeyHistory? Find(ReadOnlySpan<byte> key) => Find(_root, key);

    public static KeyHistory? Find(IndexNode root, ReadOnlySpan<byte> key)
    {
        var node = root;
        while (node is IndexBranch branch)
        {
            node = branch.Children[branch.ChildOf(key)];
        }

        var leaf = (IndexLeaf)node;
        var position = leaf.PositionOf(key);
        return position >= 0 ? leaf.Slots[position] : null;
    }

    /// <summary>Adds the history of a key that is not there yet.</summary>
    public void Insert(KeyHistory history)
    {
        _root = Own(_root);
        var right = InsertInto(_root, history);
        if (right is not null)
        {
            _root = new IndexBranch(_batch, _root, right);
        }

        Count++;
    }

    /// <summary>Puts another history in the place of a key's history.</summary>
    public void Replace(KeyHistory history)
    {
        var node = _root = Own(_root);
        while (node is IndexBranch branch)
        {
            node = OwnChild(branch, branch.ChildOf(history.Key));
        }

        var leaf = (IndexLeaf)node;
        var position = leaf.PositionOf(history.Key);
        Invariant.Holds(position >= 0);
        leaf.Slots[position] = history;
    }

    /// <summary>Forgets a key that is there.</summary>
    public void Remove(ReadOnlySpan<byte> key)
    {
        _root = Own(_root);
        RemoveFrom(_root, key);
        while (_root is IndexBranch { Count: 1 } branch)
        {
            _root = branch.Children[0];
        }

        Count--;
        Invariant.Holds(Count >= 0);
    }

    public void AssertInvariants()
    {
        byte[]? last = null;
        long count = 0;
        var cursor = new IndexCursor(_root, default, default);
        while (cursor.MoveNext())
        {
            cursor.Current.AssertInvariants();
            Invariant.Holds(last is null || last.AsSpan().SequenceCompareTo(cursor.Current.Key) < 0);
            last = cursor.Current.Key;
            count++;
        }

        Invariant.Holds(count == Count, $"walked {count}, counted {Count}");
        AssertDepth(_root);
    }

    private static int AssertDepth(IndexNode node)
    {
        if (node is not IndexBranch branch)
        {
            ((IndexLeaf)node).AssertInvariants();
            return 1;
        }

        branch.AssertInvariants();
        var depth = AssertDepth(branch.Children[0]);
        for (var i = 1; i < branch.Count; i++)
        {
            Invariant.Holds(AssertDepth(branch.Children[i]) == depth);
        }

        return depth + 1;
    }

    private IndexNode? InsertInto(IndexNode node, KeyHistory history)
    {
        if (node is IndexLeaf leaf)
        {
            var position = ~leaf.PositionOf(history.Key);
            Invariant.Holds(position >= 0);
            return leaf.Insert(position, history, _batch);
        }

        var branch = (IndexBranch)node;
        var child = branch.ChildOf(history.Key);
        var right = InsertInto(OwnChild(branch, child), history);
        return right is null ? null : branch.Insert(child + 1, right, _batch);
    }

    private void RemoveFrom(IndexNode node, ReadOnlySpan<byte> key)
    {
        if (node is IndexLeaf leaf)
        {
            var position = leaf.PositionOf(key);
            Invariant.Holds(position >= 0);
            leaf.RemoveAt(position);
            return;
        }

        var branch = (IndexBranch)node;
        var slot = branch.ChildOf(key);
        var child = OwnChild(branch, slot);
        RemoveFrom(child, key);
        if (child.IsHollow && branch.Count > 1)
        {
            branch.RemoveAt(slot);
        }
        else if (child.Count < IndexNode.SlotCapacity / 4)
        {
            MergeWithNeighbour(branch, slot);
        }
    }

    private void MergeWithNeighbour(IndexBranch branch, int slot)
    {
        var left = slot > 0 ? slot - 1 : slot;
        if (left + 1 >= branch.Count || branch.Children[left].Count + branch.Children[left + 1].Count > IndexNode.SlotCapacity * 3 / 4)
        {
            return;
        }

        OwnChild(branch, left).Absorb(branch.Children[left + 1], branch.LowOf(left + 1));
        branch.RemoveAt(left + 1);
    }

    private IndexNode Own(IndexNode node) => node.Owner == _batch ? node : node.CopyFor(_batch);

    private IndexNode OwnChild(IndexBranch branch, int slot)
    {
        Invariant.Holds(branch.Owner == _batch);
        var owned = Own(branch.Children[slot]);
        branch.Children[slot] = owned;
        return owned;
    }
}
