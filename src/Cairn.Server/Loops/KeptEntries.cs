using Cairn.Raft;

namespace Cairn.Server.Loops;

/// <summary>The applied entries that the log keeps for members that are behind; the oldest go when they are too many, or too large together.</summary>
/// <remarks>Owned by the raft loop.</remarks>
internal sealed class KeptEntries
{
    private readonly MemoryLog _log;
    private readonly ulong _entriesMax;
    private readonly List<ulong> _holds = [];
    private long _bytes;

    /// <summary>Begins with what the log has.</summary>
    /// <param name="log">The log.</param>
    /// <param name="applied">Applied index.</param>
    /// <param name="entriesMax">Most entries to keep.</param>
    public KeptEntries(MemoryLog log, ulong applied, long entriesMax)
    {
        _log = log;
        _entriesMax = (ulong)entriesMax;
        var (first, last) = (log.FirstIndex, Math.Min(applied, log.LastIndex));
        _bytes = first <= last ? BytesOf(first, last) : 0;
    }

    /// <summary>Notes that entries were applied.</summary>
    /// <param name="entries">The entries.</param>
    public void Add(ReadOnlySpan<Entry> entries) => _bytes += BytesOf(entries);

    /// <summary>Notes that a snapshot took the place of all of them.</summary>
    public void Clear() => _bytes = 0;

    /// <summary>Keeps what lies behind an index, for a member that gets the state up to there and cannot be given a difference later.</summary>
    /// <param name="index">The index.</param>
    public void Hold(ulong index) => _holds.Add(index);

    /// <summary>Ends one <see cref="Hold"/>.</summary>
    /// <param name="index">Its index.</param>
    public void Release(ulong index) => _holds.Remove(index);

    /// <summary>Forgets what not everybody understands: who needs it gets a state.</summary>
    /// <param name="index">The last such entry.</param>
    /// <param name="applied">Applied index.</param>
    /// <param name="configuration">The configuration, for members that need what is forgotten here.</param>
    public void Forget(ulong index, ulong applied, ConfState configuration)
    {
        var first = _log.FirstIndex;
        if (index >= first && index <= Math.Min(applied, _log.LastIndex))
        {
            _bytes -= BytesOf(first, index);
            _log.TryCreateSnapshot(Math.Min(applied, _log.LastIndex), configuration, default);
            _log.Compact(index);
        }
    }

    /// <summary>Forgets what is too much: alone, all of it serves nobody.</summary>
    /// <param name="applied">Applied index.</param>
    /// <param name="isOnlyVoter">Whether this member is alone.</param>
    /// <param name="configuration">The configuration, for members that need what is forgotten here.</param>
    public void Trim(ulong applied, bool isOnlyVoter, ConfState configuration)
    {
        var first = _log.FirstIndex;
        var last = Math.Min(applied, _log.LastIndex);
        var isLarge = _bytes >= LoopLimits.CatchUpBytesMax + LoopLimits.CompactLogEveryBytes;
        var limit = _holds.Count > 0 && _bytes < LoopLimits.HeldBytesMax ? Math.Min(last, _holds.Min()) : last;
        if (limit < first || (!isLarge && last < first + LoopLimits.CompactLogEveryEntries))
        {
            return;
        }

        var upTo = Math.Min(limit, isOnlyVoter ? last : FindExcess(first, last, isLarge));
        if (upTo >= first && (isLarge || upTo == last || upTo >= first + LoopLimits.CompactLogEveryEntries))
        {
            _bytes -= BytesOf(first, upTo);

            // Who needs what is forgotten gets a state that is at least as new as this.
            _log.TryCreateSnapshot(last, configuration, default);
            _log.Compact(upTo);
        }
    }

    /// <summary>Finds the last entry that has to go.</summary>
    private ulong FindExcess(ulong first, ulong last, bool isLarge)
    {
        var upTo = last - first >= _entriesMax ? last - _entriesMax : first - 1;
        if (!isLarge)
        {
            return upTo;
        }

        var found = _log.TryGetEntries(first, last + 1, ulong.MaxValue, out var entries);
        Invariant.Holds(found == Raft.LogResult.Found);
        var excess = _bytes - LoopLimits.CatchUpBytesMax;
        var at = 0;
        for (; excess > 0 && at < entries.Length; at++)
        {
            excess -= entries.Span[at].Data.Length;
        }

        return Math.Max(upTo, first - 1 + (ulong)at);
    }

    private long BytesOf(ulong first, ulong last)
    {
        var found = _log.TryGetEntries(first, last + 1, ulong.MaxValue, out var entries);
        Invariant.Holds(found == Raft.LogResult.Found);
        return BytesOf(entries.Span);
    }

    private static long BytesOf(ReadOnlySpan<Entry> entries)
    {
        var bytes = 0L;
        foreach (ref readonly var entry in entries)
        {
            bytes += entry.Data.Length;
        }

        return bytes;
    }
}
