using Cairn.Raft;
using Cairn.Raft.Roles;

namespace Cairn.Tests.Raft.Safety;

/// <summary>Watches all members at once and remembers everything, which none of them can. Checks what figure 3 of the Raft paper promises.</summary>
internal sealed class SafetyLedger
{
    private readonly Dictionary<ulong, ulong> _leaderOfTerm = [];
    private readonly Dictionary<(ulong Index, ulong Term), (ulong PreviousTerm, int Data)> _entries = [];
    private readonly SortedDictionary<ulong, (ulong Term, ulong CommittedIn)> _committed = [];
    private readonly Dictionary<ulong, (ulong Term, int Data, ulong Hash)> _applied = [];
    private readonly Dictionary<ulong, ulong> _reads = [];

    /// <summary>The highest index that any member ever knew to be committed.</summary>
    public ulong CommittedIndex { get; private set; }

    public int Leaders => _leaderOfTerm.Count;

    public int ReadsAnswered { get; private set; }

    /// <summary>The member has taken a step: looks at everything that may have changed.</summary>
    public void Check(SafetyNode node)
    {
        var core = node.Raft.Core;
        CheckLog(node, core);
        CheckCommit(node, core);
        if (core.IsLeader)
        {
            CheckLeader(node, core);
        }

        node.Leading = core.IsLeader ? (core.Term, core.Log.LastIndex) : null;
    }

    /// <summary>State machine safety: an index is applied with the same entry everywhere.</summary>
    public void CheckApplied(SafetyNode node, in Entry entry, ulong hash)
    {
        var ours = (entry.Term, DataOf(entry), hash);
        if (!_applied.TryAdd(entry.Index, ours) && _applied[entry.Index] != ours)
        {
            throw new SafetyViolationException($"state machine safety: {node.Id} applied {entry} with hash {hash:x}, others {_applied[entry.Index]}");
        }
    }

    public void CheckInstalled(SafetyNode node, Snapshot snapshot)
    {
        var hash = BitConverter.ToUInt64(snapshot.Data.Span);
        if (_applied.TryGetValue(snapshot.Index, out var known) && known.Hash != hash)
        {
            throw new SafetyViolationException($"state machine safety: {node.Id} installed snapshot {snapshot.Index} with hash {hash:x}, others {known.Hash:x}");
        }
    }

    public void ReadAsked(ulong context) => _reads[context] = CommittedIndex;

    /// <summary>Linearizable reads: a read sees everything that was committed when it was asked for.</summary>
    public void ReadAnswered(SafetyNode node, ReadState state)
    {
        ReadsAnswered++;
        var asked = _reads[BitConverter.ToUInt64(state.Context.Span)];
        if (state.Index < asked)
        {
            throw new SafetyViolationException($"linearizable read: {node.Id} may read at {state.Index}, but {asked} was committed when it asked");
        }
    }

    private static int DataOf(in Entry entry)
    {
        var hash = 17;
        foreach (var b in entry.Data.Span)
        {
            hash = unchecked((hash * 31) + b);
        }

        return unchecked((hash * 31) + (int)entry.Type);
    }

    /// <summary>Log matching: (index, term) decides the entry and, since it decides the term before it, everything before it.</summary>
    private void CheckLog(SafetyNode node, RaftCore core)
    {
        var log = core.Log;
        var last = log.LastIndex;
        for (var index = last; index >= log.FirstIndex; index--)
        {
            var term = log.TermOrZero(index);
            if (node.Terms.TryGetValue(index, out var seen) && seen == term)
            {
                break;
            }

            node.Terms[index] = term;
            Require(log.TrySlice(index, index + 1, ulong.MaxValue, out var entries) == LogResult.Found, $"{node.Id} cannot read {index}");
            var fact = (log.TermOrZero(index - 1), DataOf(entries.Span[0]));
            if (!_entries.TryAdd((index, term), fact) && fact != _entries[(index, term)] && fact.Item1 != 0)
            {
                throw new SafetyViolationException($"log matching: {node.Id} has {fact} at ({index}, {term}), others {_entries[(index, term)]}");
            }
        }
    }

    /// <summary>What is committed stays, and is the same everywhere.</summary>
    private void CheckCommit(SafetyNode node, RaftCore core)
    {
        Require(core.Log.Committed >= node.Committed, $"commit index of {node.Id} fell from {node.Committed} to {core.Log.Committed}");
        for (var index = node.Committed + 1; index <= core.Log.Committed; index++)
        {
            var term = core.Log.TermOrZero(index);
            if (term != 0 && !_committed.TryAdd(index, (term, core.Term)) && _committed[index].Term != term)
            {
                throw new SafetyViolationException($"state machine safety: {node.Id} committed ({index}, {term}), others ({index}, {_committed[index].Term})");
            }
        }

        node.Committed = core.Log.Committed;
        CommittedIndex = Math.Max(CommittedIndex, core.Log.Committed);
    }

    private void CheckLeader(SafetyNode node, RaftCore core)
    {
        if (!_leaderOfTerm.TryAdd(core.Term, node.Id) && _leaderOfTerm[core.Term] != node.Id)
        {
            throw new SafetyViolationException($"election safety: {_leaderOfTerm[core.Term]} and {node.Id} both lead term {core.Term}");
        }

        if (node.Leading is { } before && before.Term == core.Term)
        {
            Require(core.Log.LastIndex >= before.LastIndex, $"leader append-only: {node.Id} cut its log from {before.LastIndex} to {core.Log.LastIndex}");
            return;
        }

        // Leader completeness, checked when a member begins to lead.
        foreach (var (index, (term, committedIn)) in _committed)
        {
            if (committedIn < core.Term && index >= core.Log.FirstIndex && core.Log.TermOrZero(index) != term)
            {
                throw new SafetyViolationException($"leader completeness: {node.Id} leads term {core.Term} without ({index}, {term}), committed in {committedIn}");
            }
        }
    }

    private static void Require(bool condition, string otherwise)
    {
        if (!condition)
        {
            throw new SafetyViolationException(otherwise);
        }
    }
}
