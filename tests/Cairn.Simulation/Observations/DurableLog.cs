using Cairn.Raft;
using Cairn.Storage;
using Cairn.Storage.Wal;

namespace Cairn.Simulation.Observations;

// Example: a batch of entries 8 and 9 of term 3 and the state (term 3, vote 2, commit 7) is written, and its sync returns. From then on this log ends at 9,
// whatever happens to the process. A batch that was written and not synced does not show here.

/// <summary>What is durable of one member's replicated log, as its disk saw it: the ground on which promises are judged.</summary>
internal sealed class DurableLog
{
    // Terms and digests of the entries above _base.
    private readonly List<(ulong Term, uint Digest)> _entries = [];
    private ulong _base;

    /// <summary>The newest durable hard state.</summary>
    public HardState State { get; private set; }

    /// <summary>Where the entries that are known one by one begin: above this index.</summary>
    public ulong Begin => _base;

    /// <summary>The newest durable entry.</summary>
    public ulong LastIndex => _base + (ulong)_entries.Count;

    /// <summary>Term of the newest durable entry; 0 if it lies below what is known.</summary>
    public ulong LastTerm => TermOf(LastIndex);

    /// <summary>Entries that the last batch made durable: from this index to <see cref="LastIndex"/>.</summary>
    public ulong BatchFirst { get; private set; }

    /// <summary>The newest change of the membership that was ever in this log.</summary>
    public ulong LastChange { get; private set; }

    /// <summary>Term of an entry; 0 if there is none, or it lies below what is known.</summary>
    public ulong TermOf(ulong index) => index > _base && index <= LastIndex ? At(index).Term : 0;

    /// <summary>Whether there is an entry of a term at an index or behind it.</summary>
    public bool HasOfTerm(ulong term, ulong index)
    {
        // Terms never fall: those of the last entries are the first to be looked at, and few are newer.
        var at = LastIndex;
        while (at >= index && TermOf(at) > term)
        {
            at--;
        }

        return at >= index && TermOf(at) == term;
    }

    /// <summary>Digest of an entry that is there.</summary>
    public uint DigestOf(ulong index) => At(index).Digest;

    /// <summary>Whether the log is known at an index, by entry or by what stands for it.</summary>
    public bool Reaches(ulong index) => index <= LastIndex;

    /// <summary>Whether an index lies below all entries that are known one by one.</summary>
    public bool IsBelow(ulong index) => index <= _base;

    /// <summary>Takes in a batch whose sync has returned.</summary>
    /// <param name="bytes">The frames.</param>
    public void Take(ReadOnlySpan<byte> bytes)
    {
        BatchFirst = LastIndex + 1;
        for (var offset = 0; offset < bytes.Length && WalFrame.TryRead(bytes, offset, out var frame);)
        {
            Take(frame);
            offset = frame.End;
        }

        BatchFirst = Math.Max(BatchFirst, _base + 1);
    }

    /// <summary>Reads the log anew, when a process has opened it and repaired what a crash left.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the log.</param>
    public static DurableLog Read(IDisk disk, string directory)
    {
        var reader = new WalReader(disk, directory);
        var contents = ReadFromSound(reader, reader.FindOldest(), out var replay);
        var log = new DurableLog { State = contents.State, _base = replay.LastIndex - (ulong)contents.Entries.Count };
        foreach (var entry in contents.Entries)
        {
            log._entries.Add((entry.Term, Crc32C.Update(0, entry.Data.Span)));
            log.LastChange = entry.Type == EntryType.ConfChange ? entry.Index : log.LastChange;
        }

        return log;
    }

    /// <summary>Reads from the oldest segment behind which all are sound: what rotted before it is in the state already, or the member would not have opened it.</summary>
    private static WalContents ReadFromSound(WalReader reader, int start, out WalReplay replay)
    {
        replay = new WalReplay(0, reader.Names[start].FirstIndex);
        try
        {
            reader.ReadFrom(start, replay);
            return replay.Finish(null);
        }
        catch (CorruptionException) when (start + 1 < reader.Names.Count)
        {
            return ReadFromSound(reader, start + 1, out replay);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => $"entry {LastIndex} of term {LastTerm}, vote for {State.Vote:x} in term {State.Term}";

    private void Take(in WalFrame frame)
    {
        if (frame.Type == WalRecordType.State && WalPayload.TryReadState(frame.Data, out var state, out _))
        {
            State = state;
        }
        else if (frame.Type == WalRecordType.Entry && WalPayload.TryReadEntry(frame.Data, out var type, out var term, out var index, out var payload))
        {
            LastChange = type == EntryType.ConfChange ? Math.Max(LastChange, index) : LastChange;
            Replace(index, term, Crc32C.Update(0, frame.Data[payload..]));
        }
        else if (frame.Type == WalRecordType.Snapshot && WalPayload.TryReadMark(frame.Data, out var mark) && mark.Index > _base && TermOf(mark.Index) != mark.Term)
        {
            _entries.Clear();
            _base = mark.Index;
        }
    }

    private void Replace(ulong index, ulong term, uint digest)
    {
        if (index <= _base)
        {
            // A log that begins in the middle of a segment that was already there.
            _entries.Clear();
            _base = index - 1;
        }

        Invariant.Holds(index <= LastIndex + 1, $"{index} {LastIndex}");
        _entries.RemoveRange((int)(index - _base - 1), (int)(LastIndex - index + 1));
        _entries.Add((term, digest));
        BatchFirst = Math.Min(BatchFirst, index);
    }

    private (ulong Term, uint Digest) At(ulong index) => _entries[(int)(index - _base - 1)];
}
