namespace Cairn.State.Mvcc;

/// <summary>Walks the histories of a range of keys, in order, below one root.</summary>
/// <remarks>
/// Over a sealed root: any one thread, whatever the writer does. Over the writer's own root: the writer only, and not across a change of the tree (appending
/// versions is none).
/// </remarks>
internal sealed class IndexCursor
{
    private readonly Stack<(IndexBranch Branch, int Slot)> _path = new();
    private readonly ReadOnlyMemory<byte> _end;
    private readonly bool _isOpen;
    private IndexLeaf? _leaf;
    private int _position;

    /// <summary>Starts before the first key at or above a start.</summary>
    /// <param name="root">Where to walk.</param>
    /// <param name="start">First key; empty is the smallest.</param>
    /// <param name="end">First key that is not walked; empty is none: to the end.</param>
    public IndexCursor(IndexNode root, ReadOnlySpan<byte> start, ReadOnlyMemory<byte> end)
    {
        _end = end;
        _isOpen = end.IsEmpty;
        var node = root;
        while (node is IndexBranch branch)
        {
            var slot = branch.ChildOf(start);
            _path.Push((branch, slot));
            node = branch.Children[slot];
        }

        _leaf = (IndexLeaf)node;
        var position = _leaf.PositionOf(start);
        _position = (position < 0 ? ~position : position) - 1;
    }

    /// <summary>The history that the last successful <see cref="MoveNext"/> reached.</summary>
    public KeyHistory Current => _leaf is not null ? _leaf.Slots[_position] : throw Invariant.Unreachable("read past the end of a range");

    /// <summary>Goes to the next key.</summary>
    /// <returns>False at the end of the range.</returns>
    public bool MoveNext()
    {
        if (_leaf is null)
        {
            return false;
        }

        _position++;
        while (_position >= _leaf.Count)
        {
            _leaf = NextLeaf();
            _position = 0;
            if (_leaf is null)
            {
                return false;
            }
        }

        if (_isOpen || _leaf.Slots[_position].Key.AsSpan().SequenceCompareTo(_end.Span) < 0)
        {
            return true;
        }

        _leaf = null;
        return false;
    }

    private IndexLeaf? NextLeaf()
    {
        while (_path.TryPop(out var at))
        {
            if (at.Slot + 1 >= at.Branch.Count)
            {
                continue;
            }

            _path.Push((at.Branch, at.Slot + 1));
            var node = at.Branch.Children[at.Slot + 1];
            while (node is IndexBranch branch)
            {
                _path.Push((branch, 0));
                node = branch.Children[0];
            }

            return (IndexLeaf)node;
        }

        return null;
    }
}
