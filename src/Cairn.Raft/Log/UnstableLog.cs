namespace Cairn.Raft.Log;

/// <summary>The end of the log that is not durable yet: handed out for writing, or still to be. Owned by <see cref="RaftLog"/>.</summary>
/// <remarks>
/// <code>
///   durable log  | offset ... in progress ... | next to hand out ... |
///                  ^ Offset                     ^ _offsetInProgress
/// </code>
/// The offset may lie before the end of the durable log: then the next write replaces its tail. Entries are handed out as slices of the buffer,
/// so a place in it is written once; what replaces entries goes into a new buffer. Source: etcd-io/raft, log_unstable.go.
/// </remarks>
internal sealed class UnstableLog
{
    private const int EntriesMin = 64; // Smallest buffer: a few kilobytes.
    private const int EntryBytes = 48; // What an entry costs beside its payload.

    // Entries that are durable but still held by the buffer: beyond this it is let go. Small beside what the log keeps anyway.
    private const ulong DeadBytesMax = 1 << 20;

    private readonly IRaftTrace? _trace;
    private Entry[] _buffer = [];
    private int _start;
    private int _count;
    private ulong _offsetInProgress;
    private bool _snapshotInProgress;
    private ulong _deadBytes;

    public UnstableLog(ulong offset, IRaftTrace? trace)
    {
        Offset = offset;
        _offsetInProgress = offset;
        _trace = trace;
    }

    /// <summary>Index of the first entry here.</summary>
    public ulong Offset { get; private set; }

    public ulong OffsetInProgress => _offsetInProgress;

    public int Count => _count;

    /// <summary>Index after the last entry here.</summary>
    public ulong End => Offset + (ulong)_count;

    /// <summary>The snapshot that is not durable yet, or null.</summary>
    public Snapshot? Snapshot { get; private set; }

    /// <summary>Payload bytes of all entries here.</summary>
    public ulong PayloadBytes { get; private set; }

    public ReadOnlyMemory<Entry> Entries => _buffer.AsMemory(_start, _count);

    /// <summary>The first index after the snapshot, if there is one.</summary>
    public ulong? FirstIndex => Snapshot is null ? null : Snapshot.Index + 1;

    /// <summary>The last index, if there is an entry or a snapshot.</summary>
    public ulong? LastIndex => _count > 0 ? End - 1 : Snapshot?.Index;

    /// <summary>What is to be written and not yet handed out.</summary>
    public ReadOnlyMemory<Entry> NextEntries => Entries[(int)(_offsetInProgress - Offset)..];

    public Snapshot? NextSnapshot => _snapshotInProgress ? null : Snapshot;

    public bool TryGetTerm(ulong index, out ulong term)
    {
        term = 0;
        if (index < Offset)
        {
            if (Snapshot is null || Snapshot.Index != index)
            {
                return false;
            }

            term = Snapshot.Term;
            return true;
        }

        if (index >= End)
        {
            return false;
        }

        term = _buffer[_start + (int)(index - Offset)].Term;
        return true;
    }

    /// <summary>Everything here was handed out for writing.</summary>
    public void AcceptInProgress()
    {
        _offsetInProgress = End;
        _snapshotInProgress = Snapshot is not null;
    }

    /// <summary>Entries up to this one are durable, and no write that is under way replaces them.</summary>
    public void StableTo(EntryId id)
    {
        if (!TryGetTerm(id.Index, out var term))
        {
            _trace?.Write(RaftTraceLevel.Info, $"entry at index {id.Index} missing from unstable log; ignoring");
            return;
        }

        if (id.Index < Offset)
        {
            _trace?.Write(RaftTraceLevel.Info, $"entry at index {id.Index} matched unstable snapshot; ignoring");
            return;
        }

        if (term != id.Term)
        {
            // The entry was replaced while it was being written.
            _trace?.Write(
                RaftTraceLevel.Info,
                $"entry at (index,term)=({id.Index},{id.Term}) mismatched with entry at ({id.Index},{term}) in unstable log; ignoring");
            return;
        }

        var stable = (int)(id.Index + 1 - Offset);
        var stableBytes = EntryLimits.PayloadBytes(_buffer.AsSpan(_start, stable));
        PayloadBytes -= stableBytes;
        _deadBytes += stableBytes + ((ulong)stable * EntryBytes);
        _start += stable;
        _count -= stable;
        Offset = id.Index + 1;
        _offsetInProgress = Math.Max(_offsetInProgress, Offset);
        if (_deadBytes > DeadBytesMax)
        {
            Reallocate(_count, 0);
        }
    }

    public void StableSnapshotTo(ulong index)
    {
        if (Snapshot?.Index == index)
        {
            Snapshot = null;
            _snapshotInProgress = false;
        }
    }

    public void Restore(Snapshot snapshot)
    {
        Clear(snapshot.Index + 1);
        Snapshot = snapshot;
        _snapshotInProgress = false;
    }

    /// <summary>Appends; replaces from the first given entry on what is here.</summary>
    public void TruncateAndAppend(ReadOnlySpan<Entry> entries)
    {
        var from = entries[0].Index;
        if (from <= Offset && from != End)
        {
            _trace?.Write(RaftTraceLevel.Info, $"replace the unstable entries from index {from}");
            Clear(from);
        }
        else if (from != End)
        {
            _trace?.Write(RaftTraceLevel.Info, $"truncate the unstable entries before index {from}");
            Truncate(from);
        }

        entries.CopyTo(Extend(entries.Length));
        PayloadBytes += EntryLimits.PayloadBytes(entries);
        Invariant.Holds(End == entries[^1].Index + 1);
    }

    /// <summary>Appends a leader's new entries: it gives them their term and their places.</summary>
    public void AppendNew(ulong term, ReadOnlySpan<Entry> entries)
    {
        var next = End;
        var places = Extend(entries.Length);
        for (var i = 0; i < entries.Length; i++)
        {
            places[i] = entries[i] with { Term = term, Index = next + (ulong)i };
        }

        PayloadBytes += EntryLimits.PayloadBytes(entries);
    }

    /// <summary>The entries from <paramref name="low"/> to before <paramref name="high"/>, all of which must be here.</summary>
    public ReadOnlyMemory<Entry> Slice(ulong low, ulong high)
    {
        Invariant.Holds(low >= Offset && low <= high && high <= End, $"[{low}, {high}) of [{Offset}, {End})");
        return _buffer.AsMemory(_start + (int)(low - Offset), (int)(high - low));
    }

    private void Clear(ulong offset)
    {
        _buffer = [];
        _start = 0;
        _count = 0;
        _deadBytes = 0;
        PayloadBytes = 0;
        Offset = offset;
        _offsetInProgress = offset;
    }

    private void Truncate(ulong from)
    {
        Invariant.Holds(from > Offset && from < End);
        var kept = (int)(from - Offset);
        PayloadBytes -= EntryLimits.PayloadBytes(_buffer.AsSpan(_start + kept, _count - kept));
        Reallocate(kept, 0);
        _count = kept;
        _offsetInProgress = Math.Min(_offsetInProgress, from);
    }

    private Span<Entry> Extend(int added)
    {
        if (_start + _count + added > _buffer.Length)
        {
            Reallocate(_count, added);
        }

        var places = _buffer.AsSpan(_start + _count, added);
        _count += added;
        return places;
    }

    private void Reallocate(int kept, int added)
    {
        var room = kept + added;
        var larger = new Entry[Math.Max(EntriesMin, room * 2)];
        _buffer.AsSpan(_start, kept).CopyTo(larger);
        _buffer = larger;
        _start = 0;
        _deadBytes = 0;
    }
}
