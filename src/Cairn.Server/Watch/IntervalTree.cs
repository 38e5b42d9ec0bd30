namespace Cairn.Server.Watch;

/// <summary>Intervals of keys, found by a key inside: a treap ordered by (first, end) whose nodes know the largest end below them.</summary>
/// <remarks>Expected cost of a lookup: logarithmic, plus what is found. Owned by the hub's lock. Source: Cormen et al., interval trees; Seidel and Aragon, treaps.</remarks>
/// <param name="prng">Draws the priorities that keep the tree balanced, whatever the order of insertion.</param>
internal sealed class IntervalTree(Prng prng)
{
    private Node? _root;

    /// <summary>Finds the group of an interval, or makes it.</summary>
    /// <param name="first">First key.</param>
    /// <param name="end">First key beyond; null for no bound.</param>
    /// <returns>The group.</returns>
    public WatcherIndex.Group GetOrAdd(byte[] first, byte[]? end)
    {
        for (var node = _root; node is not null;)
        {
            var order = Compare(first, end, node);
            if (order == 0)
            {
                return node.Group;
            }

            node = order < 0 ? node.Left : node.Right;
        }

        var added = new Node(first, end, prng.NextUInt64());
        _root = Insert(_root, added);
        return added.Group;
    }

    /// <summary>Removes an interval, if it is there.</summary>
    /// <param name="first">First key.</param>
    /// <param name="end">First key beyond; null for no bound.</param>
    public void Remove(byte[] first, byte[]? end) => _root = Remove(_root, first, end);

    /// <summary>Gathers the groups of all intervals that hold a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="found">Receives the groups.</param>
    public void Find(ReadOnlySpan<byte> key, List<WatcherIndex.Group> found) => Find(_root, key, found);

    /// <summary>Gathers all groups.</summary>
    /// <param name="found">Receives the groups.</param>
    public void All(List<WatcherIndex.Group> found) => All(_root, found);

    private static void Find(Node? node, ReadOnlySpan<byte> key, List<WatcherIndex.Group> found)
    {
        while (node is not null && EndsAfter(node.LargestEnd, key))
        {
            Find(node.Left, key, found);
            if (key.SequenceCompareTo(node.First) < 0)
            {
                return;
            }

            if (EndsAfter(node.End, key))
            {
                found.Add(node.Group);
            }

            node = node.Right;
        }
    }

    private static void All(Node? node, List<WatcherIndex.Group> found)
    {
        for (; node is not null; node = node.Right)
        {
            All(node.Left, found);
            found.Add(node.Group);
        }
    }

    private static Node Insert(Node? node, Node added)
    {
        if (node is null)
        {
            return added;
        }

        if (added.Priority > node.Priority)
        {
            (added.Left, added.Right) = Split(node, added.First, added.End);
            added.Update();
            return added;
        }

        if (Compare(added.First, added.End, node) < 0)
        {
            node.Left = Insert(node.Left, added);
        }
        else
        {
            node.Right = Insert(node.Right, added);
        }

        node.Update();
        return node;
    }

    private static Node? Remove(Node? node, byte[] first, byte[]? end)
    {
        if (node is null)
        {
            return null;
        }

        var order = Compare(first, end, node);
        if (order == 0)
        {
            return Join(node.Left, node.Right);
        }

        if (order < 0)
        {
            node.Left = Remove(node.Left, first, end);
        }
        else
        {
            node.Right = Remove(node.Right, first, end);
        }

        node.Update();
        return node;
    }

    private static (Node? Below, Node? Above) Split(Node? node, byte[] first, byte[]? end)
    {
        if (node is null)
        {
            return (null, null);
        }

        if (Compare(first, end, node) < 0)
        {
            (var below, node.Left) = Split(node.Left, first, end);
            node.Update();
            return (below, node);
        }

        (node.Right, var above) = Split(node.Right, first, end);
        node.Update();
        return (node, above);
    }

    private static Node? Join(Node? below, Node? above)
    {
        if (below is null || above is null)
        {
            return below ?? above;
        }

        if (below.Priority > above.Priority)
        {
            below.Right = Join(below.Right, above);
            below.Update();
            return below;
        }

        above.Left = Join(below, above.Left);
        above.Update();
        return above;
    }

    private static int Compare(byte[] first, byte[]? end, Node node)
    {
        var byFirst = first.AsSpan().SequenceCompareTo(node.First);
        if (byFirst != 0)
        {
            return byFirst;
        }

        return CompareEnds(end, node.End);
    }

    private static int CompareEnds(byte[]? left, byte[]? right)
    {
        if (left is null || right is null)
        {
            return (left is null ? 1 : 0) - (right is null ? 1 : 0);
        }

        return left.AsSpan().SequenceCompareTo(right);
    }

    private static bool EndsAfter(byte[]? end, ReadOnlySpan<byte> key) => end is null || key.SequenceCompareTo(end) < 0;

    private sealed class Node
    {
        public Node(byte[] first, byte[]? end, ulong priority)
        {
            First = first;
            End = end;
            LargestEnd = end;
            Priority = priority;
        }

        public byte[] First { get; }

        public byte[]? End { get; }

        public ulong Priority { get; }

        public byte[]? LargestEnd { get; private set; }

        public Node? Left { get; set; }

        public Node? Right { get; set; }

        public WatcherIndex.Group Group { get; } = new();

        public void Update()
        {
            LargestEnd = End;
            if (Left is not null && CompareEnds(Left.LargestEnd, LargestEnd) > 0)
            {
                LargestEnd = Left.LargestEnd;
            }

            if (Right is not null && CompareEnds(Right.LargestEnd, LargestEnd) > 0)
            {
                LargestEnd = Right.LargestEnd;
            }
        }
    }
}
