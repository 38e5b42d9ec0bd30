using Cairn.Raft.Wire;

namespace Cairn.Raft.Log;

/// <summary>The whole log as the core sees it: the durable part, then what is not durable yet. Owned by the core; not thread-safe.</summary>
/// <remarks>
/// Invariants: applied is at most applying, applying at most committed, committed at most last. Source: etcd-io/raft, log.go.
/// </remarks>
internal sealed class RaftLog
{
    private readonly IRaftLog _storage;
    private readonly IRaftTrace? _trace;
    private readonly ulong _applyingBytesMax;
    private ulong _applyingBytes;
    private bool _applyingPaused;

    /// <param name="storage">The durable part.</param>
    /// <param name="applyingBytesMax">Bytes that may be handed out for applying and not yet be applied.</param>
    /// <param name="trace">Receives what is worth telling.</param>
    public RaftLog(IRaftLog storage, ulong applyingBytesMax, IRaftTrace? trace)
    {
        _storage = storage;
        _trace = trace;
        _applyingBytesMax = applyingBytesMax;
        Unstable = new UnstableLog(storage.LastIndex + 1, trace);
        Committed = Applying = Applied = storage.FirstIndex - 1;
    }

    public UnstableLog Unstable { get; }

    /// <summary>The highest index known to be on a quorum.</summary>
    public ulong Committed { get; private set; }

    /// <summary>The highest index handed out for applying.</summary>
    public ulong Applying { get; private set; }

    /// <summary>The highest index that was applied.</summary>
    public ulong Applied { get; private set; }

    public ulong ApplyingBytesMax => _applyingBytesMax;

    public ulong FirstIndex => Unstable.FirstIndex ?? _storage.FirstIndex;

    public ulong LastIndex => Unstable.LastIndex ?? _storage.LastIndex;

    public EntryId LastId
    {
        get
        {
            var index = LastIndex;
            var found = TryGetTerm(index, out var term);
            Invariant.Holds(found == LogResult.Found, $"term of the last entry {index}: {found}");
            return new EntryId(term, index);
        }
    }

    public ReadOnlyMemory<Entry> NextUnstableEntries => Unstable.NextEntries;

    public bool HasUnstableEntries => Unstable.Count > 0;

    public bool HasSnapshot => Unstable.Snapshot is not null;

    /// <summary>Takes a leader's entries if the one before them matches; false if it does not.</summary>
    /// <param name="previous">The entry before the first one.</param>
    /// <param name="entries">Consecutive from there on.</param>
    /// <param name="committed">The leader's commit index.</param>
    /// <param name="lastNew">The last index that is now known to match.</param>
    public bool TryAppend(EntryId previous, ReadOnlySpan<Entry> entries, ulong committed, out ulong lastNew)
    {
        lastNew = previous.Index + (ulong)entries.Length;
        if (!Matches(previous))
        {
            return false;
        }

        var conflict = FindConflict(entries);
        if (conflict != 0)
        {
            Invariant.Holds(conflict > Committed, $"entry {conflict} conflicts, committed {Committed}");
            Append(entries[(int)(conflict - previous.Index - 1)..]);
        }

        CommitTo(Math.Min(committed, lastNew));
        return true;
    }

    public void Append(ReadOnlySpan<Entry> entries)
    {
        if (!entries.IsEmpty)
        {
            Invariant.Holds(entries[0].Index > Committed);
            Unstable.TruncateAndAppend(entries);
        }
    }

    /// <summary>Appends a leader's new entries, which get their term and places here.</summary>
    public void AppendNew(ulong term, ReadOnlySpan<Entry> entries)
    {
        Invariant.Holds(Unstable.End == LastIndex + 1);
        Unstable.AppendNew(term, entries);
    }

    /// <summary>The best guess where this log ends to match another one of which only one entry is known.</summary>
    /// <returns>The highest index, not above the given one, whose term is not above the given one or unknown; and that term, 0 if unknown.</returns>
    public EntryId FindConflictByTerm(ulong index, ulong term)
    {
        for (; index > 0; index--)
        {
            if (TryGetTerm(index, out var ours) != LogResult.Found)
            {
                return new EntryId(0, index);
            }

            if (ours <= term)
            {
                return new EntryId(ours, index);
            }
        }

        return default;
    }

    /// <summary>Whether there are committed entries to hand out for applying.</summary>
    /// <param name="allowUnstable">Whether entries count that are not durable here.</param>
    public bool HasNextCommitted(bool allowUnstable) =>
        !_applyingPaused && !HasSnapshot && Applying < AppliableIndex(allowUnstable);

    /// <summary>The committed entries to apply next, as many as the limit allows.</summary>
    public ReadOnlyMemory<Entry> NextCommitted(bool allowUnstable)
    {
        // A snapshot that is about to be applied comes first.
        if (!HasNextCommitted(allowUnstable))
        {
            return default;
        }

        Invariant.Holds(_applyingBytesMax > _applyingBytes);
        var found = TrySlice(Applying + 1, AppliableIndex(allowUnstable) + 1, _applyingBytesMax - _applyingBytes, out var entries);
        Invariant.Holds(found == LogResult.Found, $"committed entries from {Applying + 1}: {found}");
        return entries;
    }

    /// <summary>Notes what was handed out for applying.</summary>
    public void AcceptApplying(ulong index, ulong bytes, bool allowUnstable)
    {
        Invariant.Holds(index <= Committed && index >= Applying);
        Applying = index;
        _applyingBytes += bytes;

        // Fewer entries than there are were handed out: the next one would have crossed the limit.
        _applyingPaused = _applyingBytes >= _applyingBytesMax || index < AppliableIndex(allowUnstable);
    }

    public void AppliedTo(ulong index, ulong bytes)
    {
        Invariant.Holds(index <= Committed && index >= Applied, $"applied {index}, before {Applied}, committed {Committed}");
        Applied = index;
        Applying = Math.Max(Applying, index);
        _applyingBytes -= Math.Min(_applyingBytes, bytes);
        _applyingPaused = _applyingBytes >= _applyingBytesMax;
    }

    public void CommitTo(ulong index)
    {
        if (index > Committed)
        {
            Invariant.Holds(index <= LastIndex, $"commit {index}, last {LastIndex}");
            Committed = index;
        }
    }

    /// <summary>Commits up to an entry of the given term if it is ours too; earlier terms are only ever committed along.</summary>
    public bool TryCommit(EntryId at)
    {
        if (at.Term == 0 || at.Index <= Committed || !Matches(at))
        {
            return false;
        }

        CommitTo(at.Index);
        return true;
    }

    public void Restore(Snapshot snapshot)
    {
        _trace?.Write(RaftTraceLevel.Info, $"log [{this}] starts to restore snapshot [index: {snapshot.Index}, term: {snapshot.Term}]");
        Invariant.Holds(snapshot.Index > Committed);
        Committed = snapshot.Index;
        Unstable.Restore(snapshot);
    }

    public Snapshot? TryGetSnapshot() => Unstable.Snapshot ?? _storage.TryGetSnapshot();

    public LogResult TryGetTerm(ulong index, out ulong term)
    {
        if (Unstable.TryGetTerm(index, out term))
        {
            return LogResult.Found;
        }

        // The term of the entry before the first one is kept, for matching.
        if (index + 1 < FirstIndex)
        {
            return LogResult.Compacted;
        }

        return index > LastIndex ? LogResult.Unavailable : _storage.TryGetTerm(index, out term);
    }

    /// <summary>The term of an entry, or 0 where it is unknown.</summary>
    public ulong TermOrZero(ulong index) => TryGetTerm(index, out var term) == LogResult.Found ? term : 0;

    public bool Matches(EntryId id) => TryGetTerm(id.Index, out var term) == LogResult.Found && term == id.Term;

    /// <summary>Whether a log that ends so is at least as complete as ours (Raft paper, section 5.4.1).</summary>
    public bool IsUpToDate(EntryId theirs)
    {
        var ours = LastId;
        return theirs.Term > ours.Term || (theirs.Term == ours.Term && theirs.Index >= ours.Index);
    }

    /// <summary>The entries from an index to the end, as many as fit.</summary>
    public LogResult TryGetEntries(ulong from, ulong bytesMax, out ReadOnlyMemory<Entry> entries)
    {
        entries = default;
        var last = LastIndex;
        return from > last ? LogResult.Found : TrySlice(from, last + 1, bytesMax, out entries);
    }

    /// <summary>The entries from <paramref name="low"/> to before <paramref name="high"/>, as many as fit; at least one.</summary>
    public LogResult TrySlice(ulong low, ulong high, ulong bytesMax, out ReadOnlyMemory<Entry> entries)
    {
        entries = default;
        Invariant.Holds(low <= high && high <= LastIndex + 1, $"[{low}, {high}), last {LastIndex}");
        if (low < FirstIndex)
        {
            return LogResult.Compacted;
        }

        if (low == high)
        {
            return LogResult.Found;
        }

        if (low >= Unstable.Offset)
        {
            entries = EntryLimits.Fit(Unstable.Slice(low, high), bytesMax);
            return LogResult.Found;
        }

        var cut = Math.Min(high, Unstable.Offset);
        var found = _storage.TryGetEntries(low, cut, bytesMax, out entries);
        Invariant.Holds(found != LogResult.Unavailable, $"durable entries [{low}, {cut})");
        if (found == LogResult.Found && high > Unstable.Offset && (ulong)entries.Length == cut - low)
        {
            entries = WithUnstable(entries, high, bytesMax);
        }

        return found;
    }

    /// <summary>Prints as traces do.</summary>
    public override string ToString() =>
        $"committed={Committed}, applied={Applied}, applying={Applying}, unstable.offset={Unstable.Offset}, "
        + $"unstable.offsetInProgress={Unstable.OffsetInProgress}, len(unstable.Entries)={Unstable.Count}";

    private ReadOnlyMemory<Entry> WithUnstable(ReadOnlyMemory<Entry> durable, ulong high, ulong bytesMax)
    {
        var size = EntryWire.Size(durable.Span);
        if (size >= bytesMax)
        {
            return durable;
        }

        var unstable = EntryLimits.Fit(Unstable.Slice(Unstable.Offset, high), bytesMax - size);

        // One entry is given in any case, also one that is too large: here it is not wanted.
        if (unstable.Length == 1 && size + EntryWire.Size(unstable.Span) > bytesMax)
        {
            return durable;
        }

        var both = new Entry[durable.Length + unstable.Length];
        durable.CopyTo(both);
        unstable.CopyTo(both.AsMemory(durable.Length));
        return both;
    }

    private ulong FindConflict(ReadOnlySpan<Entry> entries)
    {
        foreach (ref readonly var entry in entries)
        {
            if (Matches(new EntryId(entry.Term, entry.Index)))
            {
                continue;
            }

            if (entry.Index <= LastIndex)
            {
                _trace?.Write(
                    RaftTraceLevel.Info,
                    $"found conflict at index {entry.Index} [existing term: {TermOrZero(entry.Index)}, conflicting term: {entry.Term}]");
            }

            return entry.Index;
        }

        return 0;
    }

    private ulong AppliableIndex(bool allowUnstable) => allowUnstable ? Committed : Math.Min(Committed, Unstable.Offset - 1);
}
