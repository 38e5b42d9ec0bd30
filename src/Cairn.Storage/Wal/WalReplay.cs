using System.Globalization;
using Cairn.Raft;

namespace Cairn.Storage.Wal;

/// <summary>Puts the records of a log together, in their order, to what the log says in the end. Owned by whoever opens the log; not thread-safe.</summary>
/// <remarks>
/// <para>An entry replaces the one at its index and everything behind it, also behind the index from which entries are wanted.</para>
/// <para>
/// A mark beyond the last entry, or over an entry of another term, says that a snapshot of the leader replaced the log: what was there is dropped. Without
/// that, entries of a superseded term would come back above the snapshot, and this member would judge a candidate's log by them.
/// </para>
/// </remarks>
internal sealed class WalReplay
{
    private readonly ulong _afterIndex;
    private readonly Predicate<Entry>? _isWanted;
    private readonly List<Entry> _entries = [];

    // Of so many of the entries the bytes are copies; those of the others lie in the segment that is being taken in.
    private int _owned;
    private readonly List<WalSnapshotMark> _marks = [];

    // First index and term of each run of entries of one term, below the wanted ones too; and the first index known at all.
    private readonly List<(ulong Index, ulong Term)> _terms = [];
    private ulong _firstIndex;

    /// <summary>Begins.</summary>
    /// <param name="afterIndex">Entries up to this index are not kept.</param>
    /// <param name="firstIndex">From the name of the first segment.</param>
    /// <param name="isWanted">Which of the others are kept; their bytes are valid only while it is asked. Null for all.</param>
    public WalReplay(ulong afterIndex, ulong firstIndex, Predicate<Entry>? isWanted = null)
    {
        _afterIndex = afterIndex;
        _isWanted = isWanted;
        LastIndex = firstIndex == 0 ? 0 : firstIndex - 1;
        _firstIndex = LastIndex + 1;
    }

    /// <summary>Entries up to this index are only wanted, those above are needed.</summary>
    public ulong NeededAfter { get; init; }

    /// <summary>Of those that are only wanted, the newest are kept, about so many bytes.</summary>
    public long WantedBytesMax { get; init; } = long.MaxValue;

    /// <summary>Whose log it is; null before the first segment.</summary>
    public WalMetadata? Metadata { get; private set; }

    /// <summary>The last state.</summary>
    public HardState State { get; private set; }

    /// <summary>The segment that was taken in last, or begun.</summary>
    public string LastTaken { get; private set; } = "";

    /// <summary>Last index of the log: of an entry, or of a snapshot that replaced it.</summary>
    public ulong LastIndex { get; private set; }

    /// <summary>Takes in a segment.</summary>
    /// <param name="path">The segment, for messages.</param>
    /// <param name="bytes">Its bytes up to its end; every frame in it is valid.</param>
    /// <exception cref="CorruptionException">Another log's metadata, or entries are missing.</exception>
    public void Take(string path, ReadOnlyMemory<byte> bytes)
    {
        LastTaken = path;
        for (var offset = 0; offset < bytes.Length;)
        {
            Invariant.Holds(WalFrame.TryRead(bytes.Span, offset, out var frame));
            switch (frame.Type)
            {
                case WalRecordType.Metadata:
                    TakeMetadata(path, frame);
                    break;
                case WalRecordType.Entry:
                    TakeEntry(path, bytes, frame);
                    break;
                case WalRecordType.State:
                    Invariant.Holds(WalPayload.TryReadState(frame.Data, out var state, out _));
                    State = state;
                    break;
                case WalRecordType.Snapshot:
                    TakeMark(frame);
                    break;
            }

            offset = frame.End;
        }

        DropExcess();
        for (; _owned < _entries.Count; _owned++)
        {
            var borrowed = _entries[_owned];
            _entries[_owned] = borrowed with { Data = borrowed.Data.IsEmpty ? default : borrowed.Data.ToArray() };
        }
    }

    /// <summary>Passes over entries that nobody needs and that cannot be read.</summary>
    /// <param name="index">The last of them.</param>
    public void SkipTo(ulong index)
    {
        Invariant.Holds(_entries.Count == 0 && index <= _afterIndex);
        _terms.Clear();
        _firstIndex = index + 1;
        LastIndex = index;
    }

    /// <summary>Ends.</summary>
    /// <param name="repair">What was cut off.</param>
    /// <returns>What the log says.</returns>
    public WalContents Finish(WalRepair? repair)
    {
        Invariant.Holds(_entries.Count == 0 || _isWanted is not null || _entries[^1].Index == LastIndex);
        Invariant.Holds(Metadata is not null);
        return new WalContents(Metadata, State, _entries, _marks, repair) { FirstIndex = _firstIndex, LastIndex = LastIndex };
    }

    private void TakeMetadata(string path, in WalFrame frame)
    {
        Invariant.Holds(WalPayload.TryReadMetadata(frame.Data, out var metadata));
        if (Metadata is not null && Metadata != metadata)
        {
            throw new CorruptionException(path, frame.Offset, $"the segment belongs to {metadata}, those before it to {Metadata}");
        }

        Metadata = metadata;
    }

    private void TakeEntry(string path, ReadOnlyMemory<byte> bytes, in WalFrame frame)
    {
        Invariant.Holds(WalPayload.TryReadEntry(frame.Data, out var type, out var term, out var index, out var payload));
        if (index > LastIndex + 1)
        {
            throw new CorruptionException(
                path, frame.Offset, string.Create(CultureInfo.InvariantCulture, $"entries {LastIndex + 1} to {index - 1} are missing"));
        }

        Truncate(index);
        LastIndex = index;
        if (_terms.Count == 0 || _terms[^1].Term != term)
        {
            _terms.Add((index, term));
        }

        if (index > _afterIndex)
        {
            // Looked at where it lies: many entries are large, and not kept.
            Invariant.Holds(bytes.Span.Overlaps(frame.Data, out var at));
            var entry = new Entry(term, index, type, bytes.Slice(at + payload, frame.Data.Length - payload));
            if (_isWanted is null || _isWanted(entry))
            {
                _entries.Add(entry);
            }
        }
    }

    private void TakeMark(in WalFrame frame)
    {
        Invariant.Holds(WalPayload.TryReadMark(frame.Data, out var mark));
        _marks.Add(mark);
        if (mark.Index > LastIndex || (mark.Index >= _firstIndex && TermOf(mark.Index) != mark.Term))
        {
            Truncate(0);
            _firstIndex = mark.Index + 1;
            LastIndex = mark.Index;
        }
    }

    // Drops the entries from an index on.
    private void Truncate(ulong index)
    {
        while (_terms.Count > 0 && _terms[^1].Index >= index)
        {
            _terms.RemoveAt(_terms.Count - 1);
        }

        _firstIndex = Math.Min(_firstIndex, Math.Max(index, 1));
        while (_entries.Count > 0 && _entries[^1].Index >= index)
        {
            _entries.RemoveAt(_entries.Count - 1);
        }

        _owned = Math.Min(_owned, _entries.Count);
    }

    /// <summary>Drops the oldest of the entries that are only wanted, if they are too large together.</summary>
    private void DropExcess()
    {
        long bytes = 0;
        var first = _entries.Count;
        while (first > 0 && bytes <= WantedBytesMax)
        {
            first--;
            bytes += _entries[first].Index <= NeededAfter ? _entries[first].Data.Length : 0;
        }

        _entries.RemoveRange(0, first);
        _owned = Math.Max(_owned - first, 0);
    }

    private ulong TermOf(ulong index)
    {
        Invariant.Holds(index >= _firstIndex && index <= LastIndex);
        for (var run = _terms.Count - 1; run >= 0; run--)
        {
            if (_terms[run].Index <= index)
            {
                return _terms[run].Term;
            }
        }

        throw Invariant.Unreachable($"no term known of {index}");
    }
}
