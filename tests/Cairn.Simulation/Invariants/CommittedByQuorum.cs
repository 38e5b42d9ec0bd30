using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>An entry is committed when a leader of its own term, or of a later entry's behind it, has it on a quorum of durable logs; never by counting older terms.</summary>
/// <remarks>
/// The entry at a commit index that nobody showed before, or one behind it, must be of the term of who shows it and durable on a quorum of its voters: of a leader
/// that commits its first entry and is killed at once, only a message may be left that says so of the entries before it. The configuration that the core counts by
/// may be one change behind or ahead of the table of members that is shown, so either of the last two will do. The table is that of the member which has applied most.
/// Source: the Raft paper, 5.4.2 and figure 8.
/// </remarks>
internal sealed class CommittedByQuorum : StepInvariant
{
    private IReadOnlyList<ulong> _voters = [];
    private IReadOnlyList<ulong> _votersBefore = [];
    private ulong _appliedMax;

    public override string? OnStep(ClusterRecord record, MemberSight sight)
    {
        ObserveVoters(record, sight);
        var index = sight.Now.CommittedIndex;
        if (index <= (ulong)record.Committed.Count)
        {
            return null;
        }

        var holders = record.Disks.Where(disk => disk.Log.HasOfTerm(sight.Now.Term, index)).ToList();
        var lost = record.Lost.Where(lost => lost.Log.HasOfTerm(sight.Now.Term, index)).ToList();
        var having = holders.Select(holder => holder.Member).Concat(lost.Select(disk => disk.Member)).ToHashSet();
        if (!IsQuorum(_voters) && !IsQuorum(_votersBefore))
        {
            return $"{sight.Member:x} in term {sight.Now.Term} takes entry {index} for committed, which {holders.Count} of {_voters.Count} voters have, it or one behind it of that term";
        }

        for (var i = (ulong)record.Committed.Count + 1; i <= index; i++)
        {
            record.Committed.Add(holders.Select(holder => holder.Log).Concat(lost.Select(disk => disk.Log)).Max(log => log.TermOf(i)));
        }

        return null;

        bool IsQuorum(IReadOnlyList<ulong> of) => of.Count(having.Contains) > of.Count / 2;
    }

    private void ObserveVoters(ClusterRecord record, MemberSight sight)
    {
        var before = _appliedMax;
        if (sight.Now.AppliedIndex <= before)
        {
            return;
        }

        _appliedMax = sight.Now.AppliedIndex;

        // Those who found a cluster begin with its first entries applied, which no disk has yet; an epoch begins with a state, and no entries.
        if (record.Disks.Any(disk => disk.Log.LastChange > before) || record.Disks.All(static disk => disk.Log.LastChange == 0))
        {
            (_votersBefore, _voters) = (_voters, sight.Voters());
        }
    }
}
