using Cairn.Raft.Progress;
using Cairn.Raft.Quorum;

namespace Cairn.Raft.Membership;

/// <summary>Computes the configuration that follows from another one and a change. The tracker it starts from stays as it is.</summary>
/// <param name="tracker">Holds the configuration to start from.</param>
/// <param name="lastIndex">The last index of the log: where sending to a new member begins.</param>
/// <remarks>Source: etcd-io/raft, confchange/confchange.go; Raft dissertation, sections 4.1 and 4.3.</remarks>
internal sealed class ConfChanger(ProgressTracker tracker, ulong lastIndex)
{
    private MembershipConfig _config = tracker.Config;
    private readonly ProgressMap _peers = tracker.Peers.Clone();

    /// <summary>The result of the changes so far.</summary>
    public (MembershipConfig Config, ProgressMap Peers) Result => (_config, _peers);

    /// <summary>Does what a committed change asks for.</summary>
    public MembershipError Apply(ConfChangeV2 change)
    {
        if (change.Transition is < ConfChangeTransition.Auto or > ConfChangeTransition.JointExplicit)
        {
            return MembershipError.UnknownChange;
        }

        if (change.LeavesJoint)
        {
            return LeaveJoint();
        }

        return change.EntersJoint ? EnterJoint(change.AutoLeave, change.Changes.AsSpan()) : Simple(change.Changes.AsSpan());
    }

    /// <summary>From <c>(1 2 3)</c> to <c>(1 2 3)&amp;&amp;(1 2 3)</c>, then the steps on the incoming half.</summary>
    public MembershipError EnterJoint(bool autoLeave, ReadOnlySpan<ConfChangeSingle> steps)
    {
        if (_config.Voters.IsJoint)
        {
            return MembershipError.AlreadyJoint;
        }

        if (_config.Voters.Incoming.IsEmpty)
        {
            return MembershipError.NoVotersToJoin;
        }

        _config = _config with { Voters = new JointQuorum(_config.Voters.Incoming, _config.Voters.Incoming) };
        var error = Take(steps);
        _config = _config with { AutoLeave = autoLeave };
        return Checked(error);
    }

    /// <summary>Drops the outgoing half; who waited to be a learner becomes one.</summary>
    public MembershipError LeaveJoint()
    {
        if (!_config.Voters.IsJoint)
        {
            return MembershipError.NotJoint;
        }

        foreach (var id in _config.LearnersNext.Ids)
        {
            _peers[id].IsLearner = true;
        }

        var learners = _config.Learners.Union(_config.LearnersNext);
        foreach (var id in _config.Voters.Outgoing.Ids)
        {
            if (!_config.Voters.Incoming.Contains(id) && !learners.Contains(id))
            {
                _peers.Remove(id);
            }
        }

        _config = new MembershipConfig { Voters = new JointQuorum(_config.Voters.Incoming, MemberSet.Empty), Learners = learners };
        return Checked(MembershipError.None);
    }

    /// <summary>Changes at most one voter, so that old and new majorities overlap.</summary>
    public MembershipError Simple(params ReadOnlySpan<ConfChangeSingle> steps)
    {
        if (_config.Voters.IsJoint)
        {
            return MembershipError.SimpleChangeWhileJoint;
        }

        var before = _config.Voters.Incoming;
        var error = Take(steps);
        if (error == MembershipError.None && before.DifferenceFrom(_config.Voters.Incoming) > 1)
        {
            return MembershipError.MoreThanOneVoterChanged;
        }

        return Checked(error);
    }

    private MembershipError Take(ReadOnlySpan<ConfChangeSingle> steps)
    {
        foreach (var step in steps)
        {
            if (step.MemberId == LocalTarget.None)
            {
                continue;
            }

            switch (step.Type)
            {
                case ConfChangeType.AddNode:
                    MakeVoter(step.MemberId);
                    break;
                case ConfChangeType.AddLearnerNode:
                    MakeLearner(step.MemberId);
                    break;
                case ConfChangeType.RemoveNode:
                    Remove(step.MemberId);
                    break;
                case ConfChangeType.UpdateNode:
                    break;
                default:
                    return MembershipError.UnknownChange;
            }
        }

        return _config.Voters.Incoming.IsEmpty ? MembershipError.AllVotersRemoved : MembershipError.None;
    }

    private void MakeVoter(ulong id)
    {
        if (_peers.Find(id) is { } peer)
        {
            peer.IsLearner = false;
        }
        else
        {
            AddPeer(id, isLearner: false);
        }

        _config = _config with
        {
            Voters = _config.Voters with { Incoming = _config.Voters.Incoming.With(id) },
            Learners = _config.Learners.Without(id),
            LearnersNext = _config.LearnersNext.Without(id),
        };
    }

    private void MakeLearner(ulong id)
    {
        var peer = _peers.Find(id);
        if (peer is null)
        {
            AddPeer(id, isLearner: true);
            _config = _config with { Learners = _config.Learners.With(id) };
            return;
        }

        if (peer.IsLearner)
        {
            return;
        }

        Remove(id);
        _peers[id] = peer;

        // An outgoing voter still votes: it waits until the joint configuration is left.
        if (_config.Voters.Outgoing.Contains(id))
        {
            _config = _config with { LearnersNext = _config.LearnersNext.With(id) };
            return;
        }

        peer.IsLearner = true;
        _config = _config with { Learners = _config.Learners.With(id) };
    }

    private void Remove(ulong id)
    {
        _config = _config with
        {
            Voters = _config.Voters with { Incoming = _config.Voters.Incoming.Without(id) },
            Learners = _config.Learners.Without(id),
            LearnersNext = _config.LearnersNext.Without(id),
        };
        if (!_config.Voters.Outgoing.Contains(id))
        {
            _peers.Remove(id);
        }
    }

    // Beginning at the last index is a guess: the new member's first rejection corrects it.
    private void AddPeer(ulong id, bool isLearner) => _peers[id] = tracker.NewPeer(Math.Max(lastIndex, 1), isLearner);

    private MembershipError Checked(MembershipError error)
    {
        Invariant.Holds(error != MembershipError.None || _config.FindFlaw(_peers) is null);
        return error;
    }
}
