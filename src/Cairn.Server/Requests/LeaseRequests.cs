using Cairn.Protocol;
using Cairn.Protocol.Leases;
using Cairn.Server.Leases;
using Cairn.Server.Loops;
using Cairn.Server.Peers;
using Cairn.State.Lease;
using Google.Protobuf;

namespace Cairn.Server.Requests;

/// <summary>Requests on leases. Source: etcd server/etcdserver/v3_server.go, api/v3rpc/lease.go.</summary>
/// <param name="node">The node.</param>
internal sealed class LeaseRequests(NodeRuntime node)
{
    // What a lease weighs against the space quota, as in etcd.
    private const long LeaseCostBytes = 64;

    // Renewals that this member has the leader handle at a time: each takes a connection, and after an election all leases are renewed at once.
    private const int ForwardedMax = 128;

    // How long a request waits for entries that are committed and not applied, as in etcd.
    private static readonly TimeSpan ApplyWait = TimeSpan.FromSeconds(1);

    private readonly LeaderCalls _leader = new(node);
    private readonly SemaphoreSlim _forwarding = new(ForwardedMax);

    /// <summary>Grants a lease.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<LeaseGrantResponse>> GrantAsync(LeaseGrantRequest request, RequestContext context)
    {
        var refusal = await node.Housekeeping.Quota.AdmitAsync(LeaseCostBytes);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var granted = request;
        if (request.ID == 0)
        {
            granted = new LeaseGrantRequest { ID = NewId(), TTL = request.TTL };
        }

        return node.Answer<LeaseGrantResponse>(await node.ProposeAsync(InternalRaftRequest.LeaseGrantFieldNumber, granted, context));
    }

    /// <summary>Revokes a lease.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<LeaseRevokeResponse>> RevokeAsync(LeaseRevokeRequest request, RequestContext context) =>
        node.Answer<LeaseRevokeResponse>(await node.ProposeAsync(InternalRaftRequest.LeaseRevokeFieldNumber, request, context));

    /// <summary>Renews a lease, here or at the leader.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer; TTL 0 if the lease is gone.</returns>
    public async ValueTask<Answer<LeaseKeepAliveResponse>> KeepAliveAsync(LeaseKeepAliveRequest request, RequestContext context)
    {
        var (refusal, _) = await node.Auth.JudgeAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        if (MustForward(context))
        {
            return await ForwardKeepAliveAsync(request, context);
        }

        var answer = await KeepAliveHereAsync(request, context);
        var hasMoved = answer.Error is NodeError.NoLeader or NodeError.LeaderChanged && MustForward(context);
        return hasMoved ? await ForwardKeepAliveAsync(request, context) : answer;
    }

    /// <summary>Tells how long a lease has left, here or from the leader.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer; TTL -1 if the lease is gone.</returns>
    public async ValueTask<Answer<LeaseTimeToLiveResponse>> TimeToLiveAsync(LeaseTimeToLiveRequest request, RequestContext context)
    {
        var (refusal, _) = await node.Auth.JudgeAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var answer = MustForward(context) ? await ForwardTimeToLiveAsync(request, context) : await TimeToLiveHereAsync(request, context);

        // Keys may have been attached since: what is shown is what may be seen now.
        (refusal, _) = await node.Auth.JudgeAsync(request, context);
        return refusal == NodeError.None ? answer : refusal;
    }

    /// <summary>Renews a lease, from memory: no disk is asked, and nothing goes through the log but what takes a checkpoint back, or what a quorum cannot be told.</summary>
    /// <remarks>Whoever is told of a renewal had asked before a successor of this leader could have begun to count: the lease has its time from then on.</remarks>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer; TTL 0 if the lease is gone.</returns>
    public async ValueTask<Answer<LeaseKeepAliveResponse>> KeepAliveHereAsync(LeaseKeepAliveRequest request, RequestContext context)
    {
        while (true)
        {
            var (refusal, index) = await ProveLeadershipAsync(context);
            if (refusal != NodeError.None)
            {
                return refusal;
            }

            // The header comes first, so that its revision is never that of a revocation which this renewal preceded.
            var response = new LeaseKeepAliveResponse { Header = node.Headers.Make(node.View.Revision), ID = request.ID };
            var term = node.Leases.Term;
            switch (node.Leases.Renew(request.ID, out var ttl, out var revocation))
            {
                case RenewOutcome.Renewed:
                    refusal = await UntilKnownAsync(request.ID, term, context);
                    if (refusal != NodeError.None)
                    {
                        return refusal;
                    }

                    node.Metrics.LeasesRenewed.Add();
                    response.TTL = (long)ttl.TotalSeconds;
                    return response;
                case RenewOutcome.Checkpointed:
                    refusal = await TakeBackCheckpointAsync(request.ID, context);
                    break;
                case RenewOutcome.BeingRevoked:
                    refusal = await UntilAsync(revocation!, Timeout.InfiniteTimeSpan, context);
                    break;
                case var _ when node.Facts.Applied < index:
                    // Granted or elected just now, and not applied yet.
                    refusal = await UntilAsync(node.Gate.WaitAsync(index), ApplyWait, context);
                    break;
                case RenewOutcome.Gone:
                    return response;
                default:
                    return NodeError.LeaderChanged;
            }

            if (refusal != NodeError.None)
            {
                return refusal;
            }
        }
    }

    /// <summary>Tells how long a lease has left: from memory, unless it is unknown, or its keys are wanted.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer; TTL -1 if the lease is gone.</returns>
    public async ValueTask<Answer<LeaseTimeToLiveResponse>> TimeToLiveHereAsync(LeaseTimeToLiveRequest request, RequestContext context)
    {
        var (refusal, index) = await ProveLeadershipAsync(context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        if (node.Facts.Applied < index && (request.Keys || !node.Leases.IsAlive(request.ID)))
        {
            refusal = await UntilAsync(node.Gate.WaitAsync(index), ApplyWait, context);
            if (refusal != NodeError.None)
            {
                return refusal;
            }
        }

        var response = new LeaseTimeToLiveResponse { Header = node.Headers.Make(node.View.Revision), ID = request.ID, TTL = -1 };
        if (!node.View.Leases.TryGet(request.ID, out var lease))
        {
            return response;
        }

        if (!node.Leases.TryGetRemaining(request.ID, out var remaining))
        {
            return NodeError.LeaderChanged;
        }

        response.TTL = (long)remaining.TotalSeconds;
        response.GrantedTTL = lease.GrantedTtl;
        if (request.Keys)
        {
            response.Keys.AddRange(node.View.Leases.KeysOf(request.ID).Select(ByteString.CopyFrom));
        }

        return response;
    }

    /// <summary>Lists the leases: by time left where it is known, else by id.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<LeaseLeasesResponse>> ListAsync(LeaseLeasesRequest request, RequestContext context)
    {
        var refusal = await node.Auth.AdmitAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var response = new LeaseLeasesResponse { Header = node.Headers.Make(node.View.Revision) };
        foreach (var lease in node.View.Leases.List().OrderBy(Remaining))
        {
            response.Leases.Add(new LeaseStatus { ID = lease.Id });
        }

        return response;
    }

    private bool MustForward(RequestContext context) =>
        node.Facts.LeadingTerm == 0 && node.World.Calls is not null && node.JudgeRequest(context) == NodeError.None;

    private async ValueTask<Answer<LeaseKeepAliveResponse>> ForwardKeepAliveAsync(LeaseKeepAliveRequest request, RequestContext context)
    {
        // As of before the renewal, which is when the leader's is from, too: while the answer is under way this member may hear of a revocation that comes after it.
        var known = node.View.Revision;
        var answer = await AskInTurnAsync(new PeerCall(PeerRequests.KeepAlivePath, request.ToByteArray()), context);
        switch (answer.Status)
        {
            case 200:
                // The leader's header may be empty, as etcd's is; clients are told of this member.
                var response = LeaseKeepAliveResponse.Parser.ParseGuarded(answer.Body.Span);
                response.Header = node.Headers.Make(Math.Max(response.Header?.Revision ?? 0, known));
                return response;
            case 404:
                return new LeaseKeepAliveResponse { Header = node.Headers.Make(node.View.Revision), ID = request.ID };
            default:
                return node.Facts.LeadingTerm != 0 ? await KeepAliveHereAsync(request, context) : _leader.Explain(context);
        }
    }

    private async ValueTask<PeerAnswer> AskInTurnAsync(PeerCall call, RequestContext context)
    {
        try
        {
            await _forwarding.WaitAsync(context.Cancelled);
        }
        catch (OperationCanceledException)
        {
            // Nobody waits any longer.
            return PeerAnswer.None;
        }

        try
        {
            return await _leader.AskAsync(call, context);
        }
        finally
        {
            _forwarding.Release();
        }
    }

    private async ValueTask<Answer<LeaseTimeToLiveResponse>> ForwardTimeToLiveAsync(LeaseTimeToLiveRequest request, RequestContext context)
    {
        var question = new LeaseInternalRequest { LeaseTimeToLiveRequest = request };
        var answer = await _leader.AskAsync(new PeerCall(PeerRequests.LeasePath, question.ToByteArray()), context);
        switch (answer.Status)
        {
            case 200:
                var response = LeaseInternalResponse.Parser.ParseGuarded(answer.Body.Span).LeaseTimeToLiveResponse;
                response.Header = node.Headers.Make(Math.Max(response.Header?.Revision ?? 0, node.View.Revision));
                return response;
            case 404:
                return new LeaseTimeToLiveResponse { Header = node.Headers.Make(node.View.Revision), ID = request.ID, TTL = -1 };
            default:
                return node.Facts.LeadingTerm != 0 ? await TimeToLiveHereAsync(request, context) : _leader.Explain(context);
        }
    }

    private TimeSpan Remaining(LeaseInfo lease) => node.Leases.TryGetRemaining(lease.Id, out var remaining) ? remaining : TimeSpan.Zero;

    private long NewId()
    {
        var id = (long)(node.Ids.Next() & long.MaxValue);
        return id == 0 ? NewId() : id;
    }

    /// <summary>Makes sure that this member leads now: the time of leases is the leader's.</summary>
    private async ValueTask<(NodeError Error, ulong Index)> ProveLeadershipAsync(RequestContext context)
    {
        var refusal = node.JudgeRequest(context);
        if (refusal != NodeError.None)
        {
            return (refusal, 0);
        }

        return node.Facts.LeadingTerm == 0 ? (NodeError.NoLeader, 0) : await node.Confirmation.LeadershipAsync(context);
    }

    /// <summary>Waits until a successor would know of the renewals so far: a quorum was told, or the log.</summary>
    private async ValueTask<NodeError> UntilKnownAsync(long id, ulong term, RequestContext context)
    {
        var outcome = await node.LeaseTeller.UntilKnownAsync(term, context);
        return outcome == NodeError.Timeout ? await TakeBackCheckpointAsync(id, context) : outcome;
    }

    /// <summary>Has the log forget how idle a lease was. What a member proposed that leads no more may be lost, and the lease would end meanwhile: its successor is asked then.</summary>
    private async ValueTask<NodeError> TakeBackCheckpointAsync(long id, RequestContext context)
    {
        var taken = ProposeToForgetAsync(id, context);
        while (await Patience.WaitAsync(taken, node.Options.ElectionTimeout, node.Time, context.Cancelled) == WaitOutcome.TimedOut)
        {
            if (node.Facts.LeadingTerm == 0)
            {
                return NodeError.LeaderChanged;
            }
        }

        return await taken;
    }

    private async Task<NodeError> ProposeToForgetAsync(long id, RequestContext context)
    {
        var request = new LeaseCheckpointRequest { Checkpoints = { new LeaseCheckpoint { ID = id } } };
        return (await node.ProposeOwnAsync(InternalRaftRequest.LeaseCheckpointFieldNumber, request, context)).Error;
    }

    private async ValueTask<NodeError> UntilAsync(Task task, TimeSpan limit, RequestContext context) =>
        await Patience.WaitAsync(task, limit, node.Time, context.Cancelled) switch
        {
            WaitOutcome.Done => NodeError.None,
            WaitOutcome.TimedOut => NodeError.TimeoutWaitingForApply,
            _ => node.IsStopping ? NodeError.Stopped : NodeError.Canceled,
        };
}
