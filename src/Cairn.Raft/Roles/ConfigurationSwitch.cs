using System.Collections.Immutable;
using Cairn.Raft.Membership;
using Cairn.Raft.Progress;

namespace Cairn.Raft.Roles;

/// <summary>Puts a configuration into force, and does what follows from it.</summary>
/// <remarks>Configurations are in force once applied, not once appended. Source: etcd-io/raft, raft.go (applyConfChange, switchToConfig).</remarks>
internal sealed class ConfigurationSwitch(RaftCore core)
{
    /// <summary>Puts a recorded configuration into the core's empty tracker.</summary>
    public void Restore(ConfState state)
    {
        var error = ConfStateRestore.Restore(core.Tracker, core.Log.LastIndex, state);
        Invariant.Holds(error == MembershipError.None, $"{error}: {state}");
        Switch();
        Invariant.Holds(IsSame(core.Tracker.Config.ToConfState(), state), $"restored {core.Tracker.Config} from {state}");
    }

    /// <summary>Does what a committed change asks for; on error the configuration stays.</summary>
    public MembershipError Apply(ConfChangeV2 change)
    {
        var changer = new ConfChanger(core.Tracker, core.Log.LastIndex);
        var error = changer.Apply(change);
        if (error != MembershipError.None)
        {
            return error;
        }

        var (config, peers) = changer.Result;
        core.Tracker.Use(config, peers);
        Switch();
        return MembershipError.None;
    }

    private void Switch()
    {
        var config = core.Tracker.Config;
        core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} switched to configuration {config}");
        if (!core.IsLeader)
        {
            return;
        }

        if (core.Tracker.Peers.Find(core.Id) is not { IsLearner: false })
        {
            // A leader that was removed may go on leading until its successor is found, unless it is told not to.
            if (core.Config.StepDownOnRemoval)
            {
                core.BecomeFollower(core.Term, LocalTarget.None);
            }

            return;
        }

        ContinueLeading(config);
    }

    private void ContinueLeading(MembershipConfig config)
    {
        if (core.LeaderRole.TryCommit())
        {
            // A smaller quorum may have what the larger one had not.
            core.LeaderRole.Reads.ReleasePostponed();
            core.LeaderRole.Replication.BroadcastAppend();
        }
        else
        {
            ProbeNewPeers(core.Tracker.Peers);
        }

        core.LeaderRole.Reads.Recount();
        var transfer = core.LeaderRole.Transfer;
        if (transfer.Transferee != LocalTarget.None && !config.Voters.Contains(transfer.Transferee))
        {
            transfer.Abort();
        }
    }

    /// <summary>New members need not wait for the next heartbeat or proposal.</summary>
    private void ProbeNewPeers(ProgressMap peers)
    {
        for (var i = 0; i < peers.Count; i++)
        {
            if (peers.IdAt(i) != core.Id)
            {
                core.LeaderRole.Replication.TrySendAppend(peers.IdAt(i), sendIfEmpty: false);
            }
        }
    }

    private static bool IsSame(ConfState ours, ConfState given) => ours == given with
    {
        Voters = Sorted(given.Voters),
        Learners = Sorted(given.Learners),
        VotersOutgoing = Sorted(given.VotersOutgoing),
        LearnersNext = Sorted(given.LearnersNext),
    };

    private static ImmutableArray<ulong> Sorted(ImmutableArray<ulong> ids) => ids.Sort();
}
