using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Mvcc;

/// <summary>What the index knows of a row beside its revision.</summary>
/// <param name="CreateRevision">Revision that made the key.</param>
/// <param name="Version">How many writes there were since, that one included; from 1.</param>
internal readonly record struct RecordNumbers(long CreateRevision, long Version);

/// <summary>The versions of one key that compaction has not dropped, oldest first.</summary>
/// <remarks>
/// <para>Example. put at 2, put at 4, delete at 6, put at 9; then compaction at 5, then at 6, then at 9:</para>
/// <code>
///   2p 4p 6t 9p     created 9, version 1
///   4p 6t 9p        after compaction at 5: the newest version at or below 5 stays
///   6t 9p           after compaction at 6: a tombstone stays exactly at the compaction revision, watchers may start there
///   9p              after compaction at 9
/// </code>
/// <para>
/// One writer appends, readers on any thread look at the same time: an appended version has a higher revision than any view that was published before,
/// so a reader never uses it by accident. Dropping versions makes a new object instead (see <see cref="KeyIndex"/>): older views keep the old one.
/// Appending is O(1) amortized, whatever the number of versions.
/// </para>
/// <para>Source: the rules are those of etcd server/storage/mvcc/key_index.go.</para>
/// </remarks>
internal sealed class KeyHistory
{
    private readonly RecordNumbers _firstNumbers;
    private RecordVersion _first;
    private RecordVersion[]? _rest;
    private int _restCount;
    private int _lastTombstone;

    /// <summary>Begins a history.</summary>
    /// <param name="key">The key; kept.</param>
    /// <param name="first">Its oldest version.</param>
    /// <param name="numbers">What the row of that version says; nothing for a tombstone.</param>
    public KeyHistory(byte[] key, RecordVersion first, RecordNumbers numbers)
    {
        Invariant.Holds(first.IsTombstone == (numbers == default) && numbers.Version >= 0);
        Key = key;
        _first = first;
        _firstNumbers = numbers;
        _lastTombstone = first.IsTombstone ? 0 : -1;
    }

    /// <summary>The key; shared with events and with the lease table, never changed.</summary>
    public byte[] Key { get; }

    /// <summary>What the row of the newest version says; nothing for a tombstone. Writer only.</summary>
    public RecordNumbers Numbers => NumbersAfter(_lastTombstone, Count - 1);

    /// <summary>Whether the newest version is a put. Writer only.</summary>
    public bool IsAlive => _lastTombstone < Count - 1;

    /// <summary>Number of versions, at least 1.</summary>
    public int Count => Volatile.Read(ref _restCount) + 1;

    /// <summary>The newest version. Writer only.</summary>
    public RecordVersion Newest => this[Count - 1];

    /// <summary>A version by position, 0 is the oldest.</summary>
    public RecordVersion this[int position]
    {
        get
        {
            // The count is read before the array: an array that is newer than the count holds at least as much.
            Invariant.Holds(position >= 0 && position < Count);
            return position == 0 ? _first : Rest()[position - 1];
        }
    }

    /// <summary>Adds a version that is newer than all others.</summary>
    public void Append(RecordVersion version)
    {
        Invariant.Holds(version.Revision > Newest.Revision);
        Invariant.Holds(!version.IsTombstone || IsAlive);
        var count = _restCount;
        if (_rest is null || count == _rest.Length)
        {
            var grown = new RecordVersion[_rest is null ? 1 : GrowthOf(_rest.Length)];
            _rest.AsSpan(0, count).CopyTo(grown);
            Volatile.Write(ref _rest, grown);
        }

        _rest[count] = version;
        Volatile.Write(ref _restCount, count + 1);
        _lastTombstone = version.IsTombstone ? count + 1 : _lastTombstone;
    }

    /// <summary>What the row of a version says, without reading it; nothing for a tombstone.</summary>
    public RecordNumbers NumbersAt(int position)
    {
        var tombstone = position;
        while (tombstone >= 0 && !this[tombstone].IsTombstone)
        {
            tombstone--;
        }

        return NumbersAfter(tombstone, position);
    }

    /// <summary>Finds the newest version that is not after a revision.</summary>
    /// <returns>Its position, or -1 if there is none.</returns>
    public int PositionAt(long revision)
    {
        var count = Count;
        if (this[count - 1].Main <= revision)
        {
            return count - 1;
        }

        var low = 0;
        var high = count - 1;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (this[middle].Main <= revision)
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

    /// <summary>Finds the version that a reader at a revision sees.</summary>
    /// <returns>Whether the key exists at that revision.</returns>
    public bool TryGetAt(long revision, out RecordVersion version)
    {
        var position = PositionAt(revision);
        version = position >= 0 ? this[position] : default;
        return position >= 0 && !version.IsTombstone;
    }

    /// <summary>As <see cref="TryGetAt(long, out RecordVersion)"/>, by position.</summary>
    /// <returns>Its position, or -1 if the key does not exist at that revision.</returns>
    public int PositionSeenAt(long revision)
    {
        var position = PositionAt(revision);
        return position >= 0 && this[position].IsTombstone ? -1 : position;
    }

    /// <summary>How many of the oldest versions a compaction at a revision drops.</summary>
    public int DroppedBy(long floor)
    {
        var position = PositionAt(floor);
        if (position < 0)
        {
            return 0;
        }

        var newest = this[position];
        return newest.IsTombstone && newest.Main < floor ? position + 1 : position;
    }

    /// <summary>Makes the history without its oldest versions.</summary>
    /// <param name="dropped">How many, less than all.</param>
    public KeyHistory Without(int dropped)
    {
        var count = Count;
        Invariant.Holds(dropped > 0 && dropped < count);
        var remaining = new KeyHistory(Key, this[dropped], NumbersAt(dropped));
        remaining._lastTombstone = Math.Max(_lastTombstone - dropped, -1);
        var restCount = count - dropped - 1;
        if (restCount > 0)
        {
            remaining._rest = Rest().AsSpan(dropped, restCount).ToArray();
            remaining._restCount = restCount;
        }

        return remaining;
    }

    /// <summary>Finds a version by its exact revision.</summary>
    /// <returns>Its position, or -1.</returns>
    public int PositionOf(Revision revision)
    {
        var position = PositionAt(revision.Main);
        while (position >= 0 && this[position].Revision > revision)
        {
            position--;
        }

        return position >= 0 && this[position].Revision == revision ? position : -1;
    }

    /// <summary>Makes the history with some rows in other places.</summary>
    public KeyHistory With(IEnumerable<RecordMove> moves)
    {
        var moved = new KeyHistory(Key, _first, _firstNumbers)
        {
            _rest = _rest?[.._restCount],
            _restCount = _restCount,
            _lastTombstone = _lastTombstone,
        };
        foreach (var move in moves)
        {
            var position = PositionOf(move.Revision);
            Invariant.Holds(position >= 0 && this[position].Place == move.From);
            ref var version = ref position == 0 ? ref moved._first : ref moved.Rest()[position - 1];
            version = version.At(move.To);
        }

        return moved;
    }

    public void AssertInvariants()
    {
        var count = Count;
        for (var i = 1; i < count; i++)
        {
            Invariant.Holds(this[i - 1].Revision < this[i].Revision);
            Invariant.Holds(!this[i].IsTombstone || !this[i - 1].IsTombstone);
        }

        Invariant.Holds(this[count - 1].IsTombstone == !IsAlive);
        Invariant.Holds(Numbers == NumbersAt(count - 1));
    }

    private RecordNumbers NumbersAfter(int tombstone, int position)
    {
        if (tombstone == position)
        {
            return default;
        }

        return tombstone < 0
            ? _firstNumbers with { Version = _firstNumbers.Version + position }
            : new RecordNumbers(this[tombstone + 1].Main, position - tombstone);
    }

    private static int GrowthOf(int length) => length < 4 ? 4 : checked(length + (length >> 1));

    private RecordVersion[] Rest() => Volatile.Read(ref _rest) ?? throw Invariant.Unreachable("a counted version without an array");
}
