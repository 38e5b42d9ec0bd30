using System.Runtime.InteropServices;

namespace Cairn.State.Mvcc;

/// <summary>Builds a <see cref="KeyIndex"/> from histories that come in the order of their keys: full leaves, no search, no split.</summary>
internal sealed class IndexBuilder
{
    private readonly List<IndexNode> _leaves = [];
    private readonly List<KeyHistory> _pending = new(IndexNode.SlotCapacity);
    private byte[]? _last;

    public long Count { get; private set; }

    public void Add(KeyHistory history)
    {
        Invariant.Holds(_last is null || _last.AsSpan().SequenceCompareTo(history.Key) < 0);
        _last = history.Key;
        Count++;
        _pending.Add(history);
        if (_pending.Count == IndexNode.SlotCapacity)
        {
            FlushLeaf();
        }
    }

    public KeyIndex Build()
    {
        if (_pending.Count > 0 || _leaves.Count == 0)
        {
            FlushLeaf();
        }

        var level = _leaves;
        while (level.Count > 1)
        {
            level = LevelAbove(level);
        }

        return new KeyIndex(level[0], Count);
    }

    private void FlushLeaf()
    {
        _leaves.Add(IndexLeaf.Loaded(CollectionsMarshal.AsSpan(_pending)));
        _pending.Clear();
    }

    private static List<IndexNode> LevelAbove(List<IndexNode> level)
    {
        var above = new List<IndexNode>((level.Count / IndexNode.SlotCapacity) + 1);
        for (var i = 0; i < level.Count; i += IndexNode.SlotCapacity)
        {
            var children = CollectionsMarshal.AsSpan(level).Slice(i, Math.Min(IndexNode.SlotCapacity, level.Count - i));
            above.Add(IndexBranch.Loaded(children));
        }

        return above;
    }
}
