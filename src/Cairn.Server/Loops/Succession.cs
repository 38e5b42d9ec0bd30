using Cairn.Raft;

namespace Cairn.Server.Loops;

/// <summary>Spares the cluster the election timeout when the leader's process is known to have ended, or when the leader was removed.</summary>
/// <remarks>
/// <para>A member whose leader falls silent cannot tell a slow network from a dead leader, so it waits. But the machine of a process that was killed says so at once: it ends the connections and
/// refuses new ones. Whoever sees that forgets the leader, so that it no longer holds off pre-votes (etcd-io/raft, MsgForgetLeader), and campaigns.</para>
/// <para>Safe whatever was seen: how long followers wait for a leader is a matter of liveness alone (Raft, 5.6), and reads are confirmed by a quorum. Where only one member lost its leader, the
/// others still hear it and ignore the pre-vote, and nothing happens.</para>
/// <para>Two that campaign in the same moment take each other's votes. So the voters that are left take turns, a tick each, in the order of their ids, twice; after that the election timeout
/// decides as ever.</para>
/// <para>Owned by the raft loop.</para>
/// </remarks>
/// <param name="parts">What the loop works with.</param>
internal sealed class Succession(RaftLoopParts parts)
{
    private const int TurnsEach = 2;

    private ulong _ended;
    private bool _isRemoved;
    private ulong _endedTerm;
    private int _heirs;
    private int _place;
    private int _tick;

    /// <summary>The process of a member has ended. What it sent before is to be heard first: it is acted upon in <see cref="Act"/>.</summary>
    /// <param name="member">Which; of no interest unless it leads.</param>
    public void OnEnded(ulong member) => _ended = member == parts.Core.BasicStatus.SoftState.Leader ? member : _ended;

    /// <summary>The configuration has changed. A leader that was removed, by a stop hook perhaps, is not heard from now on, nor told anything.</summary>
    /// <param name="before">What it was. One that does not list the leader yet is of long ago.</param>
    public void OnConfChange(ConfState before)
    {
        var leader = parts.Core.BasicStatus.SoftState.Leader;
        if (IsVoter(before, leader) && !IsVoter(parts.Core.ConfState, leader))
        {
            (_ended, _isRemoved) = (leader, true);
        }
    }

    /// <summary>Begins the succession of a leader that has ended. Called when all has been heard that came.</summary>
    public void Act()
    {
        if (_ended == 0)
        {
            return;
        }

        var (leader, isRemoved, status, configuration) = (_ended, _isRemoved, parts.Core.BasicStatus, parts.Core.ConfState);
        var heirs = configuration.Voters.Union(configuration.VotersOutgoing).Where(voter => voter != leader).Order().ToList();
        _place = heirs.IndexOf(status.Id);
        (_ended, _isRemoved) = (0, false);
        if (parts.Options.PreVote && status.SoftState.Role == RaftRole.Follower && status.SoftState.Leader == leader && _place >= 0)
        {
            if (isRemoved)
            {
                parts.Logger.LeaderRemoved(status.Id, leader);
            }
            else
            {
                parts.Logger.LeaderEnded(status.Id, leader);
            }

            parts.Core.ForgetLeader();
            (_heirs, _tick, _endedTerm) = (heirs.Count, 0, status.HardState.Term);
            CampaignInTurn();
        }
    }

    /// <summary>Tells, once, that a successor's entries are applied: what the leader that ended left behind is known.</summary>
    /// <param name="appliedTerm">Term of the last entry that was applied.</param>
    /// <param name="endedTerm">The term of the leader that ended.</param>
    /// <returns>False if there is no such leader, or not yet a successor.</returns>
    public bool HasSucceeded(ulong appliedTerm, out ulong endedTerm)
    {
        endedTerm = _endedTerm;
        if (_endedTerm == 0 || appliedTerm <= _endedTerm)
        {
            return false;
        }

        _endedTerm = 0;
        return true;
    }

    /// <summary>A tick passed.</summary>
    public void OnTick()
    {
        if (_heirs == 0)
        {
            return;
        }

        _tick++;
        if (_tick == _heirs * TurnsEach || parts.Core.BasicStatus.SoftState is { Leader: not 0 } or { Role: RaftRole.Candidate or RaftRole.Leader })
        {
            _heirs = 0;
        }
        else
        {
            CampaignInTurn();
        }
    }

    private static bool IsVoter(ConfState configuration, ulong member) => configuration.Voters.Contains(member) || configuration.VotersOutgoing.Contains(member);

    private void CampaignInTurn()
    {
        if (_tick % _heirs == _place)
        {
            parts.Core.Campaign();
        }
    }
}
