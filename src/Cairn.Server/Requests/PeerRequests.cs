using System.Globalization;
using System.Text;
using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.Protocol.Leases;
using Cairn.Protocol.Peers;
using Cairn.Server.Founding;
using Cairn.Server.Healing;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.Server.Transfer;
using Google.Protobuf;

namespace Cairn.Server.Requests;

/// <summary>What other members ask of this one, because it leads.</summary>
/// <remarks>Source: etcd server/lease/leasehttp/http.go, server/etcdserver/api/etcdhttp/peer.go.</remarks>
/// <param name="node">The node.</param>
/// <param name="leases">Requests on leases.</param>
/// <param name="members">Requests on the membership.</param>
/// <param name="heals">Requests on healing.</param>
internal sealed class PeerRequests(NodeRuntime node, LeaseRequests leases, MemberRequests members, HealRequests heals)
{
    /// <summary>Path of renewals.</summary>
    public const string KeepAlivePath = "/leases";

    /// <summary>Path of questions about a lease.</summary>
    public const string LeasePath = "/leases/internal";

    /// <summary>Path of promotions; the id follows, decimal.</summary>
    public const string PromotePath = "/members/promote/";

    /// <summary>Path at which a directory without a place asks to be taken in.</summary>
    public const string RejoinPath = "/cairn/rejoin";

    /// <summary>Path at which a removed member says that it does not come back.</summary>
    public const string EvictPath = "/cairn/evict";

    /// <summary>Path of questions about healing.</summary>
    public const string HealStatusPath = "/cairn/heal/status";

    /// <summary>Path of approvals.</summary>
    public const string HealApprovePath = "/cairn/heal/approve";

    /// <summary>The answer of a member that does not lead to what only a leader can do.</summary>
    public static readonly PeerAnswer NotLeading = PeerAnswer.Misdirected("this member does not lead");

    private readonly HandshakeDesk _desk = new(node);

    /// <summary>Whether those may ask who are of no cluster yet, or of the one that this one follows.</summary>
    /// <param name="path">Path of the question.</param>
    /// <returns>True if so; what they may have is judged by what they show.</returns>
    public static bool IsForStrangers(string path) => path is Founder.HandshakePath or RejoinPath or Recovery.RecoveryPaths.Promise;

    /// <summary>Answers.</summary>
    /// <param name="call">The question.</param>
    /// <param name="cancelled">Nobody waits any longer.</param>
    /// <returns>The answer; none if there is no such question.</returns>
    public async ValueTask<PeerAnswer> AnswerAsync(PeerCall call, CancellationToken cancelled)
    {
        if (call.To != 0 && call.To != node.Headers.MemberId)
        {
            return PeerAnswer.Misdirected($"member {call.To:x} is asked, this is {node.Headers.MemberId:x}");
        }

        var context = new RequestContext(cancelled);
        try
        {
            switch (call.Path)
            {
                case KeepAlivePath:
                    return await KeepAliveAsync(LeaseKeepAliveRequest.Parser.ParseGuarded(call.Body.GetValueOrDefault().Span), context);
                case Disks.DiskWatch.Path:
                    return new PeerAnswer(200, node.Disks.Watch.Describe().ToByteArray());
                case Upkeep.HistoryNeeds.Path:
                    return new PeerAnswer(200, node.Housekeeping.Compaction.Needs.Describe().ToByteArray());
                case Disks.DamageList.Path:
                    return new PeerAnswer(200, node.Disks.Damage.Answer(RecordRequest.Parser.ParseGuarded(call.Body.GetValueOrDefault().Span)).ToByteArray());
                case HashQuestions.Path:
                    return await node.Hashes.Questions.AnswerAsync(call, cancelled);
                case HashCheck.DiffersPath:
                    return node.Hashes.HearDifference(call);
                case Proposals.WriteDesk.Path:
                    return await node.Writes.AnswerAsync(call, context);
                case LeasePath:
                    var question = LeaseInternalRequest.Parser.ParseGuarded(call.Body.GetValueOrDefault().Span);
                    return await DescribeLeaseAsync(question.LeaseTimeToLiveRequest ?? new LeaseTimeToLiveRequest(), context);
                case Founder.HandshakePath:
                    return _desk.Greet(Handshake.Parser.ParseGuarded(call.Body.GetValueOrDefault().Span));
                case RejoinPath:
                    return await RejoinAsync(call, RejoinRequest.Parser.ParseGuarded(call.Body.GetValueOrDefault().Span), context);
                case Recovery.RecoveryPaths.Promise:
                    return new PeerAnswer(200, (await node.Recovery.PromiseAsync(PromiseRequest.Parser.ParseGuarded(call.Body.GetValueOrDefault().Span))).ToByteArray());
                case Recovery.RecoveryPaths.Wish:
                    node.Recovery.Take(RecoveryWish.Parser.ParseGuarded(call.Body.GetValueOrDefault().Span));
                    return new PeerAnswer(200, default);
                case EvictPath:
                    return await EvictAsync(call, EvictMember.Parser.ParseGuarded(call.Body.GetValueOrDefault().Span), context);
                case HealStatusPath:
                    return new PeerAnswer(200, heals.Describe().ToByteArray());
                case HealApprovePath:
                    var approval = heals.ApproveHere(HealApproveRequest.Parser.ParseGuarded(call.Body.GetValueOrDefault().Span));
                    return approval.Succeeded ? new PeerAnswer(200, default) : PeerAnswer.Refuse(404, "healing proposes nothing of that key");
                case StateTransfer.OfferPath or StateTransfer.PullPath:
                    return await node.Transfer.AnswerAsync(call, cancelled);
                case var path when path.StartsWith(PromotePath, StringComparison.Ordinal):
                    return ulong.TryParse(path.AsSpan(PromotePath.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var id)
                        ? await PromoteAsync(id, context)
                        : PeerAnswer.Refuse(404, $"member {path[PromotePath.Length..]} not found in cluster");
                default:
                    return node.LeaseTeller.Answer(call) ?? PeerAnswer.None;
            }
        }
        catch (InvalidProtocolBufferException)
        {
            return PeerAnswer.Refuse(400, "error unmarshalling request");
        }
    }

    private static PeerAnswer RefuseLease(NodeError error) => error switch
    {
        NodeError.LeaseNotFound => PeerAnswer.Refuse(404, "requested lease not found"),
        NodeError.TimeoutWaitingForApply or NodeError.Timeout => PeerAnswer.Refuse(408, "waiting for node to catch up its applied index has timed out"),
        _ => PeerAnswer.Refuse(500, error.ToString()),
    };

    private async ValueTask<PeerAnswer> KeepAliveAsync(LeaseKeepAliveRequest request, RequestContext context)
    {
        var answer = await leases.KeepAliveHereAsync(request, context);
        if (!answer.Succeeded)
        {
            return RefuseLease(answer.Error);
        }

        return answer.Value.TTL == 0 ? RefuseLease(NodeError.LeaseNotFound) : new PeerAnswer(200, answer.Value.ToByteArray());
    }

    private async ValueTask<PeerAnswer> DescribeLeaseAsync(LeaseTimeToLiveRequest request, RequestContext context)
    {
        var answer = await leases.TimeToLiveHereAsync(request, context);
        if (!answer.Succeeded)
        {
            return RefuseLease(answer.Error);
        }

        return answer.Value.TTL < 0
            ? RefuseLease(NodeError.LeaseNotFound)
            : new PeerAnswer(200, new LeaseInternalResponse { LeaseTimeToLiveResponse = answer.Value }.ToByteArray());
    }

    private async ValueTask<PeerAnswer> PromoteAsync(ulong id, RequestContext context)
    {
        var answer = await members.PromoteHereAsync(new MemberPromoteRequest { ID = id }, context);
        return answer.Error switch
        {
            NodeError.None => new PeerAnswer(200, MemberPages.Describe(node.View.Members)),
            NodeError.MemberNotFound => PeerAnswer.Refuse(404, $"member {id:x} not found in cluster"),
            NodeError.LearnerNotReady => PeerAnswer.Refuse(412, "etcdserver: can only promote a learner member which is in sync with leader"),
            NodeError.MemberNotLearner => PeerAnswer.Refuse(412, "membership: can only promote a learner member"),
            _ => PeerAnswer.Refuse(500, answer.Error.ToString()),
        };
    }

    /// <summary>Hears who asks to be taken in, or takes it to the leader, which alone can decide.</summary>
    private async ValueTask<PeerAnswer> RejoinAsync(PeerCall call, RejoinRequest request, RequestContext context)
    {
        if (request.Speaker is not { Incarnation: not 0, PeerUrls.Count: > 0 } speaker)
        {
            return PeerAnswer.Refuse(400, "the request does not say who asks: incarnation and peer URLs are missing");
        }

        if (node.Facts.Leader == 0)
        {
            return Rejoined(new RejoinAnswer { Reason = node.Recovery.Notice ?? "the cluster has no leader now" });
        }

        if (heals.ForeignLeader is { } foreign)
        {
            return Rejoined(new RejoinAnswer { Reason = foreign });
        }

        if (node.Facts.LeadingTerm == 0)
        {
            var answer = await PassOnAsync(call, context);
            return answer.Status != 0 ? answer : Rejoined(new RejoinAnswer { Reason = "the cluster has no leader now" });
        }

        var hash = System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes(node.Token));
        var heard = await node.Healer.HearAsync(request, isOfThisCluster: speaker.TokenHash.Span.SequenceEqual(hash));
        heard.HasLeader = heard.HasPlace && await LeadsAsync();
        return Rejoined(heard);
    }

    /// <summary>Asks the leader, unless this member was asked by one that took it for that: two that take each other for the leader would ask without end.</summary>
    private async ValueTask<PeerAnswer> PassOnAsync(PeerCall call, RequestContext context) => call.To != 0 ? NotLeading : await new LeaderCalls(node).AskAsync(call, context);

    /// <summary>Whether a quorum still follows this member.</summary>
    private async ValueTask<bool> LeadsAsync()
    {
        using var limit = new CancellationTokenSource(node.Options.ElectionTimeout, node.Time);
        return await node.Confirmation.ReadAsync(new RequestContext(limit.Token)) == NodeError.None;
    }

    private async ValueTask<PeerAnswer> EvictAsync(PeerCall call, EvictMember request, RequestContext context)
    {
        if (node.Facts.LeadingTerm == 0)
        {
            return await PassOnAsync(call, context);
        }

        var answer = await heals.EvictKnownAsync(new EvictRequest { MemberId = request.MemberId }, context);
        return answer.Succeeded ? new PeerAnswer(200, default) : PeerAnswer.Refuse(412, answer.Error.ToString());
    }

    private static PeerAnswer Rejoined(RejoinAnswer answer) => new(200, answer.ToByteArray());
}
