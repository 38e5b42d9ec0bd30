using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Cairn.Server.Watch;

/// <summary>Finds the watchers of a key among many: a table for single keys, a tree of intervals for ranges.</summary>
/// <remarks>
/// <para>
/// Example: watchers on "a", on [a, c), on [b, ∞). The table has "a"; the tree has two nodes, ordered by first key, each with the largest end below it.
/// A put of "b" finds nothing in the table; in the tree a descent visits only nodes that start at or before "b" and whose subtree ends after it: both.
/// </para>
/// <para>Watchers of equal ranges share a node. Owned by the hub's lock; not thread-safe.</para>
/// </remarks>
internal sealed class WatcherIndex
{
    private readonly Dictionary<byte[], Group> _singles = new(KeyComparer.Instance);
    private readonly Dictionary<byte[], Group>.AlternateLookup<ReadOnlySpan<byte>> _singlesBySpan;
    private readonly IntervalTree _ranges;

    /// <summary>Creates an empty index.</summary>
    /// <param name="seed">Of the chance that balances the tree.</param>
    public WatcherIndex(ulong seed)
    {
        _singlesBySpan = _singles.GetAlternateLookup<ReadOnlySpan<byte>>();
        _ranges = new IntervalTree(new Prng(seed));
    }

    /// <summary>Number of watchers.</summary>
    public int Count { get; private set; }

    /// <summary>Adds a watcher.</summary>
    /// <param name="watcher">Not in the index yet.</param>
    public void Add(Watcher watcher)
    {
        var group = watcher.Range.IsSingle
            ? CollectionsMarshal.GetValueRefOrAddDefault(_singles, watcher.Range.First, out _) ??= new Group()
            : _ranges.GetOrAdd(watcher.Range.First, watcher.Range.End);
        group.Add(watcher);
        Count++;
    }

    /// <summary>Removes a watcher.</summary>
    /// <param name="watcher">In the index.</param>
    public void Remove(Watcher watcher)
    {
        if (watcher.Range.IsSingle)
        {
            var group = _singles[watcher.Range.First];
            group.Remove(watcher);
            if (group.Watchers.Count == 0)
            {
                _singles.Remove(watcher.Range.First);
            }
        }
        else
        {
            var group = _ranges.GetOrAdd(watcher.Range.First, watcher.Range.End);
            group.Remove(watcher);
            if (group.Watchers.Count == 0)
            {
                _ranges.Remove(watcher.Range.First, watcher.Range.End);
            }
        }

        Count--;
    }

    /// <summary>Gathers the groups of watchers whose range holds a key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="found">Receives the groups.</param>
    public void Find(ReadOnlySpan<byte> key, List<Group> found)
    {
        if (_singlesBySpan.TryGetValue(key, out var group))
        {
            found.Add(group);
        }

        _ranges.Find(key, found);
    }

    /// <summary>Gathers all groups.</summary>
    /// <param name="found">Receives the groups.</param>
    public void All(List<Group> found)
    {
        found.AddRange(_singles.Values);
        _ranges.All(found);
    }

    /// <summary>Watchers of one and the same range.</summary>
    internal sealed class Group
    {
        /// <summary>The watchers, in no order that matters.</summary>
        public List<Watcher> Watchers { get; } = [];

        /// <summary>Adds one.</summary>
        /// <param name="watcher">Not in the group.</param>
        public void Add(Watcher watcher)
        {
            watcher.SlotInGroup = Watchers.Count;
            Watchers.Add(watcher);
        }

        /// <summary>Removes one, by moving the last one into its place.</summary>
        /// <param name="watcher">In the group.</param>
        public void Remove(Watcher watcher)
        {
            Invariant.Holds(ReferenceEquals(Watchers[watcher.SlotInGroup], watcher));
            var last = Watchers[^1];
            Watchers[watcher.SlotInGroup] = last;
            last.SlotInGroup = watcher.SlotInGroup;
            Watchers.RemoveAt(Watchers.Count - 1);
        }
    }

    /// <summary>Compares keys by their bytes.</summary>
    private sealed class KeyComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        /// <summary>The comparer.</summary>
        public static KeyComparer Instance { get; } = new();

        /// <inheritdoc/>
        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        /// <inheritdoc/>
        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

        /// <inheritdoc/>
        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        /// <inheritdoc/>
        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = default(HashCode);
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        /// <inheritdoc/>
        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
    }
}
