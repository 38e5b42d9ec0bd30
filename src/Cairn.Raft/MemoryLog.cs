using Cairn.Raft.Log;

namespace Cairn.Raft;

/// <summary>The part of the durable log that is kept in memory. Owned by who owns the core; not thread-safe.</summary>
/// <remarks>
/// Production keeps here the newest entries of the write-ahead log, appended once they are durable; tests keep everything here.
/// After a restart it is filled in this order: <see cref="TryApplySnapshot"/> with the index and term before the first entry to keep and the configuration
/// there; <see cref="Append"/>; <see cref="SetHardState"/>; and, if the state machine has applied further than that snapshot, <see cref="TryCreateSnapshot"/>
/// with its index and configuration, since the core begins with the newest configuration noted here and <see cref="RaftConfig.Applied"/>.
/// Entries handed out stay valid: a place in the buffer is written once. Source: etcd-io/raft, storage.go (MemoryStorage).
/// </remarks>
public sealed class MemoryLog : IRaftLog
{
    private const int EntriesMin = 64; // Smallest buffer: a few kilobytes, enough for an idle member.

    private readonly Func<Snapshot?>? _snapshots;
    private HardState _hardState;
    private Snapshot _snapshot = Snapshot.Empty;
    private Entry[] _buffer = [];
    private int _start;
    private int _count;
    private ulong _compactedIndex;
    private ulong _compactedTerm;

    /// <summary>Creates an empty log, whose first index is 1.</summary>
    /// <param name="snapshots">Where snapshots to send come from; by default the one that was applied or created last.</param>
    public MemoryLog(Func<Snapshot?>? snapshots = null)
    {
        _snapshots = snapshots;
    }

    /// <inheritdoc/>
    public ulong FirstIndex => _compactedIndex + 1;

    /// <inheritdoc/>
    public ulong LastIndex => _compactedIndex + (ulong)_count;

    /// <summary>The hard state that was remembered last.</summary>
    public HardState HardState => _hardState;

    /// <summary>Remembers a hard state.</summary>
    /// <param name="state">The newest one.</param>
    public void SetHardState(HardState state) => _hardState = state;

    /// <inheritdoc/>
    public (HardState HardState, ConfState ConfState) ReadInitialState() => (_hardState, _snapshot.Metadata.ConfState);

    /// <inheritdoc/>
    public LogResult TryGetTerm(ulong index, out ulong term)
    {
        term = 0;
        if (index < _compactedIndex)
        {
            return LogResult.Compacted;
        }

        if (index > LastIndex)
        {
            return LogResult.Unavailable;
        }

        term = index == _compactedIndex ? _compactedTerm : EntryAt(index).Term;
        return LogResult.Found;
    }

    /// <inheritdoc/>
    public LogResult TryGetEntries(ulong low, ulong high, ulong bytesMax, out ReadOnlyMemory<Entry> entries)
    {
        entries = default;
        if (low < FirstIndex)
        {
            return LogResult.Compacted;
        }

        if (high > LastIndex + 1 || low >= high)
        {
            return LogResult.Unavailable;
        }

        entries = EntryLimits.Fit(_buffer.AsMemory(PlaceOf(low), (int)(high - low)), bytesMax);
        return LogResult.Found;
    }

    /// <inheritdoc/>
    public Snapshot? TryGetSnapshot() => _snapshots is null ? _snapshot : _snapshots();

    /// <summary>Appends durable entries; replaces from the first of them on what is there.</summary>
    /// <param name="entries">Consecutive, beginning at most at <see cref="LastIndex"/> + 1; what was compacted already is skipped.</param>
    public void Append(ReadOnlySpan<Entry> entries)
    {
        if (entries.IsEmpty || entries[^1].Index < FirstIndex)
        {
            return;
        }

        if (entries[0].Index < FirstIndex)
        {
            entries = entries[(int)(FirstIndex - entries[0].Index)..];
        }

        Invariant.Holds(entries[0].Index <= LastIndex + 1);
        var kept = (int)(entries[0].Index - FirstIndex);
        if (kept < _count || _start + kept + entries.Length > _buffer.Length)
        {
            // Places that were handed out are never written again: what is replaced goes into a new buffer.
            Reallocate(kept, entries.Length);
        }

        entries.CopyTo(_buffer.AsSpan(_start + kept));
        _count = kept + entries.Length;
        Invariant.Holds(LastIndex == entries[^1].Index);
    }

    /// <summary>Drops entries from the front.</summary>
    /// <param name="index">The last index to drop: applied, and not above <see cref="LastIndex"/>.</param>
    /// <returns><see cref="LogResult.Compacted"/> if it was dropped before, <see cref="LogResult.Unavailable"/> if the log does not reach it.</returns>
    public LogResult Compact(ulong index)
    {
        if (index <= _compactedIndex)
        {
            return LogResult.Compacted;
        }

        if (index > LastIndex)
        {
            return LogResult.Unavailable;
        }

        var dropped = (int)(index - _compactedIndex);
        _compactedTerm = EntryAt(index).Term;
        _compactedIndex = index;
        _start += dropped;
        _count -= dropped;

        // Moving when the dead part is the larger one costs a constant per entry, and lets go of its memory.
        if (_start > _count)
        {
            Reallocate(_count, 0);
        }

        return LogResult.Found;
    }

    /// <summary>Puts a snapshot in place of the whole log.</summary>
    /// <param name="snapshot">A snapshot that is durable.</param>
    /// <returns>False, and nothing changes, if it is not newer than the last one.</returns>
    public bool TryApplySnapshot(Snapshot snapshot)
    {
        ArgumentNullException.ThrowIfNull(snapshot);
        if (snapshot.Index <= _snapshot.Index)
        {
            return false;
        }

        _snapshot = snapshot;
        _compactedIndex = snapshot.Index;
        _compactedTerm = snapshot.Term;
        _buffer = [];
        _start = 0;
        _count = 0;
        return true;
    }

    /// <summary>Notes a snapshot of the state machine, to be given to peers. Entries stay until they are compacted.</summary>
    /// <param name="index">What the snapshot covers; in the log and applied.</param>
    /// <param name="confState">The configuration there; null keeps the one of the last snapshot.</param>
    /// <param name="data">The state machine's bytes, owned by the log from now on.</param>
    /// <returns>The snapshot, or null if it is not newer than the last one or the log does not hold the index.</returns>
    public Snapshot? TryCreateSnapshot(ulong index, ConfState? confState, ReadOnlyMemory<byte> data)
    {
        if (index <= _snapshot.Index || TryGetTerm(index, out var term) != LogResult.Found)
        {
            return null;
        }

        _snapshot = new Snapshot(data, new SnapshotMetadata(confState ?? _snapshot.Metadata.ConfState, index, term));
        return _snapshot;
    }

    private ref readonly Entry EntryAt(ulong index) => ref _buffer[PlaceOf(index)];

    private int PlaceOf(ulong index) => _start + (int)(index - FirstIndex);

    private void Reallocate(int kept, int added)
    {
        var room = kept + added;
        var larger = new Entry[Math.Max(EntriesMin, room + (room / 2))];
        _buffer.AsSpan(_start, kept).CopyTo(larger);
        _buffer = larger;
        _start = 0;
    }
}
