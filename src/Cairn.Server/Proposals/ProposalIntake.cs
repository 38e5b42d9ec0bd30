using Cairn.Raft;
using Cairn.Server.Loops;

namespace Cairn.Server.Proposals;

/// <summary>Brings proposals to the core: a batch at once, held back while there is no leader, given up when they have waited too long.</summary>
/// <param name="parts">What the raft loop works with.</param>
/// <remarks>Owned by the raft loop.</remarks>
internal sealed class ProposalIntake(RaftLoopParts parts)
{
    // etcd's own limit, to which two election timeouts are added.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    private readonly List<Proposal> _held = [];
    private readonly Queue<(Message Message, long Since)> _heldForOthers = [];
    private ReadOnlyMemory<byte>[] _payloads = new ReadOnlyMemory<byte>[64];

    /// <summary>Proposes a batch: all at once, or, where that is refused, one by one.</summary>
    /// <param name="batch">The proposals, in the order in which they came.</param>
    public void Propose(IReadOnlyList<Proposal> batch)
    {
        if (parts.Facts.Leader == 0)
        {
            _held.AddRange(batch);
            return;
        }

        var count = GatherPayloads(batch);
        if (count == batch.Count && parts.Core.Propose(_payloads.AsSpan(0, count)) == RaftError.None)
        {
            var now = parts.Time.GetTimestamp();
            var term = parts.Core.BasicStatus.HardState.Term;
            foreach (var proposal in batch)
            {
                Accept(proposal, now, term);
            }

            return;
        }

        foreach (var proposal in batch)
        {
            ProposeOne(proposal);
        }
    }

    /// <summary>Takes a proposal of another member that the core refused. While leadership changes hands it is held back like our own: the member that sent it cannot know, and its
    /// client would wait in vain.</summary>
    /// <param name="message">The message, of which the core kept nothing.</param>
    public void Refused(Message message)
    {
        if (IsLeadershipChanging && _heldForOthers.Count < LoopLimits.PeerMessagesCapacity)
        {
            _heldForOthers.Enqueue((message, parts.Time.GetTimestamp()));
        }
    }

    /// <summary>Proposes what was held back, if there is a leader now.</summary>
    public void ProposeHeld()
    {
        ForwardHeld();
        _held.RemoveAll(proposal => proposal.IsCompleted);
        if (_held.Count > 0 && parts.Facts.Leader != 0)
        {
            Proposal[] held = [.. _held];
            _held.Clear();
            Propose(held);
        }
    }

    /// <summary>Lets proposals go that nobody may wait for any longer. Where there is nobody else to ask, they wait as long as their clients do.</summary>
    public void Expire()
    {
        var limit = Patience + (2 * parts.Options.ElectionTimeout);
        while (_heldForOthers.TryPeek(out var oldest) && parts.Time.GetElapsedTime(oldest.Since) > limit)
        {
            _heldForOthers.Dequeue();
        }

        if (parts.Facts.IsOnlyVoter && parts.Facts.LeadingTerm != 0)
        {
            return;
        }

        parts.Metrics.ProposalsFailed.Add(parts.Proposals.Expire(limit, JudgeTimeout));
    }

    /// <summary>Lets proposals go that were on their way to a leader that ended: what its successor's log holds of them has been applied, and hardly any other comes back. Their clients
    /// learn at once what they would learn at their time limit.</summary>
    /// <param name="term">The term of the leader that ended.</param>
    public void AbandonOrphans(ulong term) =>
        parts.Metrics.ProposalsFailed.Add(parts.Proposals.Refuse(proposal => proposal.IsAccepted && proposal.Term <= term, NodeError.TimeoutLeaderFailure));

    // What the core knows: the facts follow at the end of the turn, and one batch of messages may bring the vote for a successor and a proposal behind it.
    private bool IsLeadershipChanging => parts.Core.BasicStatus is { SoftState.Leader: 0 } or { Transferee: not 0 };

    private void ForwardHeld()
    {
        for (var count = _heldForOthers.Count; count > 0 && !IsLeadershipChanging; count--)
        {
            var held = _heldForOthers.Dequeue();
            var error = parts.Core.Step(held.Message);
            if (error == RaftError.None && parts.Facts.LeadingTerm != 0)
            {
                LeaseExpiry.NoteRevocations(parts, held.Message);
            }
        }
    }

    private void Accept(Proposal proposal, long now, ulong term)
    {
        proposal.AcceptedAt = now;
        proposal.Term = term;
        LeaseExpiry.NoteRevocation(parts, proposal.Data);
    }

    /// <summary>Says why a proposal ran out of time, as far as can be known.</summary>
    /// <remarks>Source: etcd server/etcdserver/server.go (parseProposeCtxErr).</remarks>
    private NodeError JudgeTimeout(Proposal proposal)
    {
        if (!proposal.IsAccepted)
        {
            return NodeError.DeadlineExceeded;
        }

        var lost = parts.Facts.LeaderLostAt;
        var wasLostRecently = lost != 0 && parts.Time.GetElapsedTime(lost) < Patience + (5 * parts.Options.ElectionTimeout);
        return wasLostRecently && lost >= proposal.Began ? NodeError.TimeoutLeaderFailure : NodeError.Timeout;
    }

    private int GatherPayloads(IReadOnlyList<Proposal> batch)
    {
        if (_payloads.Length < batch.Count)
        {
            _payloads = new ReadOnlyMemory<byte>[batch.Count * 2];
        }

        var count = 0;
        foreach (var proposal in batch)
        {
            if (proposal.Change is null && !proposal.IsCompleted)
            {
                _payloads[count++] = proposal.Data;
            }
        }

        return count;
    }

    private void ProposeOne(Proposal proposal)
    {
        if (proposal.IsCompleted)
        {
            return;
        }

        var error = proposal.Change is { } change ? parts.Core.ProposeConfChange(change) : parts.Core.Propose(proposal.Data);
        if (error == RaftError.None)
        {
            Accept(proposal, parts.Time.GetTimestamp(), parts.Core.BasicStatus.HardState.Term);
        }
        else if (parts.Core.BasicStatus is { Transferee: 0, SoftState.Role: RaftRole.Leader })
        {
            // The leader itself refuses: too much waits for the disk.
            parts.Metrics.ProposalsFailed.Add();
            parts.Proposals.Refuse(proposal, NodeError.TooManyRequests);
        }
        else
        {
            _held.Add(proposal);
        }
    }
}
