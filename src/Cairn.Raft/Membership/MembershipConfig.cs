using System.Text;
using Cairn.Raft.Progress;
using Cairn.Raft.Quorum;

namespace Cairn.Raft.Membership;

/// <summary>Who votes and who learns. Immutable.</summary>
/// <remarks>
/// Nobody is voter and learner at once. A voter that becomes a learner in a joint configuration still votes in its outgoing half, so it waits
/// in <see cref="LearnersNext"/>: demoting 3 of (1 2 3) gives first <c>voters=(1 2)&amp;&amp;(1 2 3) learners_next=(3)</c>, then
/// <c>voters=(1 2) learners=(3)</c>. Source: etcd-io/raft, tracker/tracker.go.
/// </remarks>
internal sealed record MembershipConfig
{
    public static MembershipConfig Empty { get; } = new();

    public JointQuorum Voters { get; init; } = new(MemberSet.Empty, MemberSet.Empty);

    /// <summary>Whether the leader leaves the joint configuration by itself.</summary>
    public bool AutoLeave { get; init; }

    public MemberSet Learners { get; init; } = MemberSet.Empty;

    /// <summary>Outgoing voters that are learners once the joint configuration is left.</summary>
    public MemberSet LearnersNext { get; init; } = MemberSet.Empty;

    public ConfState ToConfState() => new()
    {
        Voters = Voters.Incoming.Ids,
        VotersOutgoing = Voters.Outgoing.Ids,
        Learners = Learners.Ids,
        LearnersNext = LearnersNext.Ids,
        AutoLeave = AutoLeave,
    };

    /// <summary>Looks for what no configuration may be.</summary>
    /// <returns>The flaw in words, or null.</returns>
    public string? FindFlaw(ProgressMap peers)
    {
        foreach (var id in Voters.All.Union(Learners).Union(LearnersNext).Ids)
        {
            if (!peers.Contains(id))
            {
                return $"no progress for {id}";
            }
        }

        foreach (var id in LearnersNext.Ids)
        {
            if (!Voters.Outgoing.Contains(id) || peers[id].IsLearner)
            {
                return $"{id} is to become a learner but is no outgoing voter, or is a learner already";
            }
        }

        foreach (var id in Learners.Ids)
        {
            if (Voters.Contains(id) || !peers[id].IsLearner)
            {
                return $"{id} is a learner but also a voter, or is not marked as learner";
            }
        }

        return !Voters.IsJoint && (!LearnersNext.IsEmpty || AutoLeave) ? "what only a joint configuration has is set in a simple one" : null;
    }

    /// <summary>Prints as traces do.</summary>
    public override string ToString()
    {
        var text = new StringBuilder($"voters={Voters}");
        text.Append(Learners.IsEmpty ? string.Empty : $" learners={Learners}");
        text.Append(LearnersNext.IsEmpty ? string.Empty : $" learners_next={LearnersNext}");
        return text.Append(AutoLeave ? " autoleave" : string.Empty).ToString();
    }
}
