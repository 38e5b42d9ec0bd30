using System.Collections.Immutable;
using Cairn.Raft.Progress;

namespace Cairn.Raft.Membership;

/// <summary>Rebuilds a configuration from its recorded form by the changes that lead there, so that there is one way only for a configuration to come about.</summary>
/// <remarks>
/// Example: <c>voters=(1 2 3)&amp;&amp;(1 2 4 6) learners=(5) learners_next=(4)</c> is rebuilt by adding 1, 2, 4, 6 one by one, and then entering a joint
/// configuration by: remove 1, 2, 4, 6; add 1, 2, 3; add learners 5 and 4. Source: etcd-io/raft, confchange/restore.go.
/// </remarks>
internal static class ConfStateRestore
{
    /// <summary>Puts the recorded configuration into an empty tracker.</summary>
    public static MembershipError Restore(ProgressTracker tracker, ulong lastIndex, ConfState state)
    {
        Invariant.Holds(tracker.Peers.Count == 0);
        var changer = new ConfChanger(tracker, lastIndex);
        var error = state.VotersOutgoing.IsEmpty ? AddOneByOne(changer, Incoming(state)) : EnterJoint(changer, state);
        if (error == MembershipError.None)
        {
            var (config, peers) = changer.Result;
            tracker.Use(config, peers);
        }

        return error;
    }

    private static MembershipError EnterJoint(ConfChanger changer, ConfState state)
    {
        var error = AddOneByOne(changer, Steps(ConfChangeType.AddNode, state.VotersOutgoing));
        return error != MembershipError.None ? error : changer.EnterJoint(state.AutoLeave, Incoming(state).AsSpan());
    }

    private static MembershipError AddOneByOne(ConfChanger changer, ImmutableArray<ConfChangeSingle> steps)
    {
        foreach (var step in steps)
        {
            var error = changer.Simple(step);
            if (error != MembershipError.None)
            {
                return error;
            }
        }

        return MembershipError.None;
    }

    private static ImmutableArray<ConfChangeSingle> Incoming(ConfState state) =>
    [
        .. Steps(ConfChangeType.RemoveNode, state.VotersOutgoing),
        .. Steps(ConfChangeType.AddNode, state.Voters),
        .. Steps(ConfChangeType.AddLearnerNode, state.Learners),
        .. Steps(ConfChangeType.AddLearnerNode, state.LearnersNext),
    ];

    private static ImmutableArray<ConfChangeSingle> Steps(ConfChangeType type, ImmutableArray<ulong> ids)
    {
        var steps = ImmutableArray.CreateBuilder<ConfChangeSingle>(ids.Length);
        foreach (var id in ids)
        {
            steps.Add(new ConfChangeSingle(type, id));
        }

        return steps.MoveToImmutable();
    }
}
