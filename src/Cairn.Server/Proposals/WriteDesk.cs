using Cairn.Protocol;
using Cairn.Protocol.Peers;
using Cairn.Raft;
using Cairn.Server.Loops;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.Server.Requests;
using Cairn.State;
using Cairn.State.Auth;
using Cairn.Storage;
using Google.Protobuf;

namespace Cairn.Server.Proposals;

/// <summary>Judges whether this member takes writes, and has the leader carry out those of clients where only this member's disk stands in the way.</summary>
/// <remarks>
/// A follower whose log cannot be written, or whose disk hangs, acknowledges nothing, so that the leader soon sends it nothing new, and it would not learn what became of a write that it only passed on. So the leader
/// proposes it as its own, and tells what the state machine said. A write that may have been proposed is not proposed again.
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class WriteDesk(NodeRuntime node)
{
    /// <summary>Path at which the leader is asked.</summary>
    public const string Path = "/cairn/write";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Whether this member takes writes.</summary>
    /// <returns>None, or the refusal.</returns>
    public NodeError Judge()
    {
        if (node.IsLeaving)
        {
            return NodeError.Stopped;
        }

        // Where only room is missing, and the reserve not given up yet, there will be some in a moment.
        var facts = node.Facts;
        if (facts.WriteFailure is { } failure && !(failure is DiskException { IsNoSpace: true } && node.Disks.Reserve.IsHeld))
        {
            // The leader's word on space is the cluster's.
            return failure is DiskException { IsNoSpace: true } && facts.LeadingTerm != 0 ? NodeError.NoSpace : NodeError.DiskUnusable;
        }

        return facts.HaltedBy is not null ? NodeError.DiskUnusable : facts.Committed > facts.Applied + LoopLimits.ApplyLagEntriesMax ? NodeError.TooManyRequests : NodeError.None;
    }

    /// <summary>Whether a write is better taken to the leader: this member follows one, and its disk has taken nothing for so long that what a leader sends ahead of acknowledgements may be used up.</summary>
    /// <param name="field">Number of its field in InternalRaftRequest.</param>
    /// <returns>True if so. Any other write goes through the log as ever: only what clients write all the time uses up what a leader sends.</returns>
    public bool IsBetterElsewhere(int field) =>
        node.Facts is { LeadingTerm: 0, WritingSince: var since and not 0 } && node.Time.GetElapsedTime(since) >= node.Options.ElectionTimeout && IsForLeaders(field) && FindLeader() is not null;

    /// <summary>Deals with a write that this member does not take.</summary>
    /// <param name="refusal">Why.</param>
    /// <param name="field">Number of its field in InternalRaftRequest.</param>
    /// <param name="request">The request.</param>
    /// <param name="identity">Who asks.</param>
    /// <param name="context">Under which conditions.</param>
    /// <returns>What became of it at the leader; the refusal, if there is nobody who would take it.</returns>
    public async ValueTask<ProposalOutcome> TakeElsewhereAsync(NodeError refusal, int field, IMessage request, AuthIdentity identity, RequestContext context)
    {
        if (refusal != NodeError.DiskUnusable || !IsForLeaders(field))
        {
            return new ProposalOutcome(refusal, null);
        }

        var write = ProposalEncoding.Encode(field, request, new RequestHeader { Username = identity.UserName, AuthRevision = identity.Revision });
        using var limit = new CancellationTokenSource(Patience + (2 * node.Options.ElectionTimeout), node.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, context.Cancelled);
        try
        {
            while (FindLeader() is { } leader)
            {
                var answer = await node.World.Calls!.AskAsync(leader.Url, new PeerCall(Path, write) { To = leader.Id }, both.Token); // There is an address only if there are calls.
                if (answer.Status == 200 && PeerBody.TryParse(WriteAnswer.Parser, answer.Body) is { } said)
                {
                    return Read(said);
                }

                if (!answer.IsMisdirected)
                {
                    return new ProposalOutcome(node.IsStopping ? NodeError.Stopped : NodeError.TimeoutLeaderFailure, null);
                }

                await Task.Delay(Pause, node.Time, both.Token);
            }
        }
        catch (OperationCanceledException)
        {
            return new ProposalOutcome(context.Cancelled.IsCancellationRequested ? NodeError.Canceled : NodeError.Timeout, null);
        }

        return new ProposalOutcome(refusal, null);
    }

    /// <summary>Carries out a write for another member, if this one leads.</summary>
    /// <param name="call">The question.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>What became of it.</returns>
    /// <exception cref="InvalidProtocolBufferException">It is no write.</exception>
    public async ValueTask<PeerAnswer> AnswerAsync(PeerCall call, RequestContext context)
    {
        var write = InternalRaftRequest.Parser.ParseGuarded(call.Body.GetValueOrDefault().Span);
        if (RequestOf(write) is not { Request: { } request } asked)
        {
            return PeerAnswer.Refuse(400, "there is no write in the request, or none that other members hand over");
        }

        if (node.Facts.LeadingTerm == 0)
        {
            return PeerRequests.NotLeading;
        }

        var outcome = await node.ProposeAsync(asked.Field, request, new AuthIdentity(write.Header?.Username ?? "", write.Header?.AuthRevision ?? 0), context);
        var answer = new WriteAnswer { Refusal = $"{outcome.Error}", Error = $"{outcome.Result?.Error ?? StoreError.None}", Revision = outcome.Result?.Revision ?? 0 };
        Fill(answer, outcome.Result?.ToResponse());
        return new PeerAnswer(200, answer.ToByteArray());
    }

    private static bool IsForLeaders(int field) => field is >= InternalRaftRequest.PutFieldNumber and <= InternalRaftRequest.LeaseRevokeFieldNumber;

    private static (int Field, IMessage? Request) RequestOf(InternalRaftRequest write) => write switch
    {
        { Put: { } put } => (InternalRaftRequest.PutFieldNumber, put),
        { DeleteRange: { } deletion } => (InternalRaftRequest.DeleteRangeFieldNumber, deletion),
        { Txn: { } txn } => (InternalRaftRequest.TxnFieldNumber, txn),
        { Compaction: { } compaction } => (InternalRaftRequest.CompactionFieldNumber, compaction),
        { LeaseGrant: { } grant } => (InternalRaftRequest.LeaseGrantFieldNumber, grant),
        { LeaseRevoke: { } revocation } => (InternalRaftRequest.LeaseRevokeFieldNumber, revocation),
        _ => default,
    };

    private static void Fill(WriteAnswer answer, IMessage? response)
    {
        switch (response)
        {
            case PutResponse put:
                answer.Put = put;
                break;
            case DeleteRangeResponse deletion:
                answer.DeleteRange = deletion;
                break;
            case TxnResponse txn:
                answer.Txn = txn;
                break;
            case CompactionResponse compaction:
                answer.Compaction = compaction;
                break;
            case LeaseGrantResponse grant:
                answer.LeaseGrant = grant;
                break;
            case LeaseRevokeResponse revocation:
                answer.LeaseRevoke = revocation;
                break;
            default:
                break;
        }
    }

    /// <summary>Reads what became of a write. An answer of another version that this one does not know is as good as none.</summary>
    private static ProposalOutcome Read(WriteAnswer said)
    {
        IMessage? response = said.ResponseCase switch
        {
            WriteAnswer.ResponseOneofCase.Put => said.Put,
            WriteAnswer.ResponseOneofCase.DeleteRange => said.DeleteRange,
            WriteAnswer.ResponseOneofCase.Txn => said.Txn,
            WriteAnswer.ResponseOneofCase.Compaction => said.Compaction,
            WriteAnswer.ResponseOneofCase.LeaseGrant => said.LeaseGrant,
            WriteAnswer.ResponseOneofCase.LeaseRevoke => said.LeaseRevoke,
            _ => null,
        };
        var isKnown = Enum.TryParse(said.Refusal, out NodeError refusal) & Enum.TryParse(said.Error, out StoreError error);
        return !isKnown || (refusal == NodeError.None && error == StoreError.None && response is null) ? new ProposalOutcome(NodeError.TimeoutLeaderFailure, null)
            : refusal != NodeError.None ? new ProposalOutcome(refusal, null)
            : new ProposalOutcome(NodeError.None, ApplyResult.OfElsewhere(error, said.Revision, response));
    }

    /// <summary>Where the leader is; null if there is none, or it is this member, or etcd's.</summary>
    private (ulong Id, string Url)? FindLeader() =>
        node.Facts is { LeadingTerm: 0, Leader: var leader and not LocalTarget.None } && node.World.Calls is not null && node.View.Members.Find(leader) is { Incarnation: not 0 } member
            && PeerUrls.Of(member, node.Options).FirstOrDefault() is { } url ? (leader, url) : null;
}
