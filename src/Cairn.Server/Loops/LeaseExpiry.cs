using Cairn.Protocol;
using Cairn.Raft;
using Cairn.Server.Leases;
using Cairn.Server.Proposals;
using Cairn.State.Lease;
using Google.Protobuf;

namespace Cairn.Server.Loops;

/// <summary>Brings together the lease clock and the core: what ended is proposed at once, what was idle is told to the log, what entered the log to the clock.</summary>
/// <remarks>Owned by the raft loop.</remarks>
/// <param name="parts">What the raft loop works with.</param>
/// <param name="contact">When a quorum was last heard.</param>
internal sealed class LeaseExpiry(RaftLoopParts parts, QuorumContact contact)
{
    // Twenty thousand leases: some hundred kilobytes, behind which the log's other entries wait for milliseconds.
    private const int CheckpointsATickMax = 20;

    private readonly List<long> _ended = [];
    private readonly List<LeaseInfo> _idle = [];

    /// <summary>Decides and proposes in one turn, in the term in which this member leads: a follower would forward it, so only a leader comes here.</summary>
    public void OnTick()
    {
        var status = parts.Core.BasicStatus;
        var leads = status.SoftState.Role == RaftRole.Leader ? status.HardState.Term : 0;
        _ended.Clear();
        parts.Leases.Tick(leads, contact.Unheard(parts.Core.ConfState, status.Id), _ended);
        foreach (var lease in _ended)
        {
            if (TryPropose(InternalRaftRequest.LeaseRevokeFieldNumber, new LeaseRevokeRequest { ID = lease }))
            {
                parts.Metrics.LeasesExpired.Add();
            }
            else
            {
                parts.Leases.NotRevoked(lease);
            }
        }

        if (leads != 0 && !parts.Facts.IsOnlyVoter)
        {
            var told = 0;
            while (told < CheckpointsATickMax && Checkpoint())
            {
                told++;
            }
        }
    }

    /// <summary>Notes what a leader needs to know of a message: that a member answers, or that somebody's revocation entered the log.</summary>
    /// <param name="message">The message.</param>
    /// <param name="error">What the core said to it.</param>
    public void Observe(Message message, RaftError error)
    {
        var leads = parts.Facts.LeadingTerm;
        if (error != RaftError.None || leads == 0)
        {
            return;
        }

        if (message.Type is MessageType.HeartbeatResp or MessageType.AppResp && message.Term == leads)
        {
            contact.Heard(message.From);
        }
        else if (message.Type == MessageType.Prop)
        {
            NoteRevocations(parts, message);
        }
    }

    /// <summary>Tells the lease clock of the revocations in a message that entered the log of this leader.</summary>
    /// <param name="parts">What the raft loop works with.</param>
    /// <param name="message">Proposals of another member.</param>
    public static void NoteRevocations(RaftLoopParts parts, Message message)
    {
        foreach (ref readonly var entry in message.Entries.Span)
        {
            NoteRevocation(parts, entry.Data.Span);
        }
    }

    /// <summary>Tells the lease clock of a revocation that entered the log of this leader.</summary>
    /// <param name="parts">What the raft loop works with.</param>
    /// <param name="payload">Payload of an entry.</param>
    public static void NoteRevocation(RaftLoopParts parts, ReadOnlySpan<byte> payload)
    {
        if (parts.Facts.LeadingTerm != 0 && LeaseRevocation.TryRead(payload, out var lease))
        {
            parts.Leases.RevocationBegun(lease);
        }
    }

    /// <summary>Tells the log of leases that are idle, for the next leader. Who is alone has no successor.</summary>
    /// <returns>Whether there may be more to tell.</returns>
    private bool Checkpoint()
    {
        _idle.Clear();
        parts.Leases.TakeIdle(_idle);
        if (_idle.Count == 0)
        {
            return false;
        }

        var request = new LeaseCheckpointRequest();
        request.Checkpoints.AddRange(_idle.Select(static lease => new LeaseCheckpoint { ID = lease.Id, RemainingTTL = lease.RemainingTtl, CairnRoundedUp = lease.RoundedUp }));
        if (TryPropose(InternalRaftRequest.LeaseCheckpointFieldNumber, request))
        {
            return _idle.Count == LeaseClock.CheckpointLeasesMax;
        }

        _idle.ForEach(lease => parts.Leases.NotCheckpointed(lease.Id));
        return false;
    }

    private bool TryPropose(int field, IMessage request)
    {
        // What holds keys that are not everybody's is still the cluster's own to end.
        var self = parts.Self();
        var header = new RequestHeader { ID = parts.Ids.Next(), Username = self.UserName, AuthRevision = self.Revision };
        return parts.Core.Propose(ProposalEncoding.Encode(field, request, header)) == RaftError.None;
    }
}
