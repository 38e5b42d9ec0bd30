using Cairn.Protocol;
using Cairn.Raft;
using Cairn.Server.Loops;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.Server.Proposals;
using Cairn.State.Members;

namespace Cairn.Server.Requests;

/// <summary>Requests on the membership. Source: etcd server/etcdserver/server.go, api/v3rpc/member.go.</summary>
/// <param name="node">The node.</param>
internal sealed class MemberRequests(NodeRuntime node)
{
    private readonly LeaderCalls _leader = new(node);

    /// <summary>Lists the members.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<MemberListResponse>> ListAsync(MemberListRequest request, RequestContext context)
    {
        var refusal = await node.Auth.AdmitAsync(request, context);
        if (refusal == NodeError.None && request.Linearizable)
        {
            refusal = await node.Confirmation.ReadAsync(context);
        }

        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var response = new MemberListResponse { Header = node.Headers.Make(revision: 0) };
        response.Members.AddRange(Members());
        return response;
    }

    /// <summary>Adds a member.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<MemberAddResponse>> AddAsync(MemberAddRequest request, RequestContext context)
    {
        if (!PeerUrls.AreValid(request.PeerURLs))
        {
            return NodeError.InvalidMemberUrls;
        }

        var refusal = await node.Auth.AdmitAsync(request, context);
        if (refusal == NodeError.None)
        {
            refusal = ReconfigurationCheck.JudgeAdd(node.View.Members, request.IsLearner, node.Options.StrictReconfigCheck);
        }

        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var member = new MemberRecord
        {
            Id = ClusterIds.OfMember(request.PeerURLs, token: "", node.Time.GetUtcNow().ToUnixTimeSeconds()),
            PeerUrls = [.. request.PeerURLs.Order(StringComparer.Ordinal)],
            IsLearner = request.IsLearner,
        };
        var type = request.IsLearner ? ConfChangeType.AddLearnerNode : ConfChangeType.AddNode;
        var outcome = await node.Changes.ProposeAsync(id => new ConfChange(id, type, member.Id, MemberJson.Encode(member)), context);
        if (Refusal(outcome) is var error && error != NodeError.None)
        {
            return error;
        }

        var response = new MemberAddResponse { Header = node.Headers.Make(revision: 0), Member = ToMessage(member) };
        response.Members.AddRange(Members());
        return response;
    }

    /// <summary>Removes a member.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<MemberRemoveResponse>> RemoveAsync(MemberRemoveRequest request, RequestContext context)
    {
        var refusal = await node.Auth.AdmitAsync(request, context);
        if (refusal == NodeError.None)
        {
            refusal = ReconfigurationCheck.JudgeRemove(node.View.Members, request.ID, node.Options.StrictReconfigCheck);
        }

        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var outcome = await node.Changes.ProposeAsync(id => new ConfChange(id, ConfChangeType.RemoveNode, request.ID), context);

        // Who removes itself may hear of it from the others, and never see the entry: nobody sends it any more.
        var isGone = request.ID == node.Headers.MemberId && node.Departure.IsUnderWay;
        if (Refusal(outcome) is var error && error != NodeError.None && !isGone)
        {
            return error;
        }

        var response = new MemberRemoveResponse { Header = node.Headers.Make(revision: 0) };
        response.Members.AddRange(Members().Where(member => member.ID != request.ID));
        return response;
    }

    /// <summary>Changes the peer URLs of a member.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<MemberUpdateResponse>> UpdateAsync(MemberUpdateRequest request, RequestContext context)
    {
        var refusal = await node.Auth.AdmitAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var member = new MemberRecord { Id = request.ID, PeerUrls = [.. request.PeerURLs] };
        var outcome = await node.Changes.ProposeAsync(
            id => new ConfChange(id, ConfChangeType.UpdateNode, request.ID, MemberJson.Encode(member)), context);
        if (Refusal(outcome) is var error && error != NodeError.None)
        {
            return error;
        }

        var response = new MemberUpdateResponse { Header = node.Headers.Make(revision: 0) };
        response.Members.AddRange(Members());
        return response;
    }

    /// <summary>Makes a voter of a learner; the leader alone knows whether it is ready.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<MemberPromoteResponse>> PromoteAsync(MemberPromoteRequest request, RequestContext context)
    {
        var (refusal, _) = await node.Auth.JudgeAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        if (node.Facts.LeadingTerm != 0 || node.World.Calls is null)
        {
            return await PromoteHereAsync(request, context);
        }

        var answer = await _leader.AskAsync(new PeerCall($"{PeerRequests.PromotePath}{request.ID}", Array.Empty<byte>()), context);
        switch (answer.Status)
        {
            case 0:
                return node.Facts.LeadingTerm != 0 ? await PromoteHereAsync(request, context) : _leader.Explain(context);
            case 200:
                var response = new MemberPromoteResponse { Header = node.Headers.Make(revision: 0) };
                response.Members.AddRange(MemberPages.TryRead(answer.Body, out var members) ? members.Select(ToMessage) : Members());
                return response;
            case 404:
                return NodeError.MemberNotFound;
            default:
                return System.Text.Encoding.UTF8.GetString(answer.Body.Span).Contains("in sync", StringComparison.Ordinal)
                    ? NodeError.LearnerNotReady
                    : NodeError.MemberNotLearner;
        }
    }

    /// <summary>Makes a voter of a learner, if this member leads.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<MemberPromoteResponse>> PromoteHereAsync(MemberPromoteRequest request, RequestContext context)
    {
        var answer = await TryPromoteAsync(request, context);
        if (answer.Succeeded)
        {
            node.Metrics.Promotions.Add();
        }
        else if (answer.Error != NodeError.NotLeader)
        {
            node.Metrics.RefusedPromotions.Add(answer.Error);
        }

        return answer;
    }

    private async ValueTask<Answer<MemberPromoteResponse>> TryPromoteAsync(MemberPromoteRequest request, RequestContext context)
    {
        var refusal = await JudgePromotionAsync(request.ID);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        var outcome = await node.Changes.ProposeAsync(
            id => new ConfChange(id, ConfChangeType.AddNode, request.ID, MemberJson.EncodePromotion(request.ID)), context);
        if (Refusal(outcome) is var error && error != NodeError.None)
        {
            return error;
        }

        var response = new MemberPromoteResponse { Header = node.Headers.Make(revision: 0) };
        response.Members.AddRange(Members());
        return response;
    }

    /// <summary>Hands leadership to another member.</summary>
    /// <param name="request">The request.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer.</returns>
    public async ValueTask<Answer<MoveLeaderResponse>> MoveLeaderAsync(MoveLeaderRequest request, RequestContext context)
    {
        var (refusal, _) = await node.Auth.JudgeAsync(request, context);
        if (refusal != NodeError.None)
        {
            return refusal;
        }

        if (node.Facts.LeadingTerm == 0)
        {
            return NodeError.NotLeader;
        }

        if (node.View.Members.Find(request.TargetID) is not { IsLearner: false })
        {
            return NodeError.BadLeaderTransferee;
        }

        var limit = TimeSpan.FromSeconds(5) + (2 * node.Options.ElectionTimeout);
        var outcome = await new HandOver(node).ToAsync(request.TargetID, limit, context.Cancelled);
        return outcome switch
        {
            WaitOutcome.Done => new MoveLeaderResponse(),
            WaitOutcome.TimedOut => NodeError.TimeoutLeaderTransfer,
            _ => NodeError.Canceled,
        };
    }

    private static NodeError Refusal(in ProposalOutcome outcome) =>
        outcome.Error != NodeError.None ? outcome.Error : outcome.Result!.Value.Error.ToNodeError();

    private static Member ToMessage(MemberRecord record)
    {
        var member = new Member { ID = record.Id, Name = record.Name, IsLearner = record.IsLearner };
        member.PeerURLs.AddRange(record.PeerUrls);
        member.ClientURLs.AddRange(record.ClientUrls);
        return member;
    }

    private IEnumerable<Member> Members() => node.View.Members.Members.Select(ToMessage);

    /// <summary>A learner may be promoted when its log has nine tenths of the leader's.</summary>
    private async ValueTask<NodeError> JudgePromotionAsync(ulong id)
    {
        var record = node.View.Members.Find(id);
        if (record is not { IsLearner: true })
        {
            return record is null ? NodeError.MemberNotFound : NodeError.MemberNotLearner;
        }

        var described = node.RaftLoop.DescribeAsync();
        if (await Patience.WaitAsync(described, Timeout.InfiniteTimeSpan, node.Time, default) != WaitOutcome.Done)
        {
            return NodeError.Stopped;
        }

        var status = await described;
        if (status.Peers.All(peer => peer.Id != status.Basic.Id))
        {
            // A leader that was removed leads on, for a moment, without being among them.
            return NodeError.NotLeader;
        }

        var learner = status.Peers.FirstOrDefault(peer => peer.Id == id);
        var leader = status.Peers.First(peer => peer.Id == status.Basic.Id);
        return learner.Match * 10 >= leader.Match * 9 ? NodeError.None : NodeError.LearnerNotReady;
    }
}
