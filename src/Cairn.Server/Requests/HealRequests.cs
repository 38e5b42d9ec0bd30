using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.Server.Peers;
using Google.Protobuf;

namespace Cairn.Server.Requests;

/// <summary>Requests on healing: what operators ask, and what members take to the leader.</summary>
/// <param name="node">The node.</param>
internal sealed class HealRequests(NodeRuntime node)
{
    private readonly LeaderCalls _leader = new(node);

    /// <summary>Why nothing is healed or proposed while the present leader leads: it is not one of us; null if it is, or there is none.</summary>
    public string? ForeignLeader => node.View.Members.Find(node.Facts.Leader) is { Incarnation: 0, Name: { Length: > 0 } name } leader
        ? $"member {leader.Id:x} ({name}) leads and is not known to be a Cairn: nothing is healed or proposed until another one leads; `etcdctl move-leader` hands leadership over"
        : null;

    /// <summary>Says what healing does: the leader's word, or, if there is none, what this member knows.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<HealStatusResponse>> StatusAsync(HealStatusRequest request, RequestContext context)
    {
        var refusal = await node.Auth.AdmitAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        if (node.Facts.LeadingTerm == 0 && node.Facts.Leader != 0 && ForeignLeader is null)
        {
            var answer = await _leader.AskAsync(new PeerCall(PeerRequests.HealStatusPath, request.ToByteArray()), context);
            if (answer.Status == 200)
            {
                return HealStatusResponse.Parser.ParseGuarded(answer.Body.Span);
            }
        }

        return Describe();
    }

    /// <summary>Lets healing do what it proposes, once.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<HealApproveResponse>> ApproveAsync(HealApproveRequest request, RequestContext context)
    {
        var refusal = await node.Auth.AdmitAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        if (node.Facts.LeadingTerm != 0)
        {
            return ApproveHere(request);
        }

        var answer = await _leader.AskAsync(new PeerCall(PeerRequests.HealApprovePath, request.ToByteArray()), context);
        return answer.Status switch
        {
            200 => new HealApproveResponse(),
            404 => NodeError.HealNotProposed,
            _ => node.Facts.LeadingTerm != 0 ? ApproveHere(request) : _leader.Explain(context),
        };
    }

    /// <summary>Sends a removed member away for good.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<EvictResponse>> EvictAsync(EvictRequest request, RequestContext context)
    {
        var refusal = await node.Auth.AdmitAsync(request, context);
        return refusal == NodeError.None ? await EvictKnownAsync(request, context) : refusal;
    }

    /// <summary>As <see cref="EvictAsync"/>, for a removed member that says so itself.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<EvictResponse>> EvictKnownAsync(EvictRequest request, RequestContext context)
    {
        if (!node.View.Members.Removed.Contains(request.MemberId))
        {
            return NodeError.MemberNotFound;
        }

        if (node.View.Members.Members.Any(member => member.Incarnation == 0))
        {
            return NodeError.NotCapable;
        }

        var evict = new HealingRequest { Evict = new EvictMember { MemberId = request.MemberId } };
        var outcome = await node.ProposeOwnAsync(InternalRaftRequest.HealingFieldNumber, evict, context);
        return outcome.Error != NodeError.None ? outcome.Error : new EvictResponse { TargetSize = (uint)node.View.Healing.TargetSize };
    }

    /// <summary>What this member knows.</summary>
    /// <returns>The answer.</returns>
    public HealStatusResponse Describe()
    {
        var response = new HealStatusResponse
        {
            Mode = node.Options.Heal.ToString().ToLowerInvariant(),
            State = node.View.Healing.ToMessage(),
            Members = (uint)node.View.Members.Members.Length,
            Standbys = (uint)node.View.Members.Members.Count(static member => member.IsStandby),
            IsFromLeader = node.Facts.LeadingTerm != 0,
        };
        response.Waiting.AddRange(node.Healer.Notices.Select(
            notice => new HealWaiting { Key = notice.Key, Text = notice.Text, IsProposal = notice.Proposal is not null }));
        if (ForeignLeader is { } foreign)
        {
            response.Waiting.Add(new HealWaiting { Key = "leader", Text = foreign });
        }

        if (node.Recovery.Notice is { } lost)
        {
            response.Waiting.Add(new HealWaiting { Key = "recover", Text = lost });
        }

        if (node.Recovery.Others.Notice is { } split)
        {
            response.Waiting.Add(new HealWaiting { Key = "split", Text = split });
        }

        return response;
    }

    /// <summary>As <see cref="ApproveAsync"/>, on the leader.</summary>
    /// <param name="request">The request.</param>
    /// <returns>The answer.</returns>
    public Answer<HealApproveResponse> ApproveHere(HealApproveRequest request) =>
        node.Healer.Approve(request.Key) ? new HealApproveResponse() : NodeError.HealNotProposed;
}
