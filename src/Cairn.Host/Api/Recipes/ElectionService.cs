using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Protocol.Elections;
using Cairn.Server;
using Google.Protobuf;

namespace Cairn.Host.Api.Recipes;

/// <summary>v3electionpb.Election.</summary>
/// <remarks>Source: etcd server/etcdserver/api/v3election/election.go, client/v3/concurrency/election.go.</remarks>
internal sealed class ElectionService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("v3electionpb.Election")
        .Unary<CampaignRequest, CampaignResponse>("Campaign", CampaignRequest.Parser, CampaignAsync)
        .Unary<ProclaimRequest, ProclaimResponse>("Proclaim", ProclaimRequest.Parser, ProclaimAsync)
        .Unary<LeaderRequest, LeaderResponse>("Leader", LeaderRequest.Parser, LeaderAsync)
        .ServerStream("Observe", ObserveAsync)
        .Unary<ResignRequest, ResignResponse>("Resign", ResignRequest.Parser, ResignAsync);

    private async ValueTask<Outcome<CampaignResponse>> CampaignAsync(CampaignRequest request, GrpcCall call)
    {
        RequestContext context = Caller.Of(call);
        (NodeError refusal, long lease) = await LockService.LeaseAsync(node, request.Lease, context);
        if (refusal != NodeError.None)
        {
            return RecipeErrors.Of(refusal);
        }

        var contest = new Contest(node, context, request.Name);
        Answer<Entrance> entrance = await contest.EnterAsync(lease, request.Value);
        if (!entrance.Succeeded)
        {
            return RecipeErrors.Of(entrance.Error);
        }

        var leader = new LeaderKey { Name = request.Name, Key = contest.KeyOf(lease), Rev = entrance.Value.Revision, Lease = lease };
        if (entrance.Value.Present is { } present && present.Value != request.Value)
        {
            Answer<TxnResponse> changed = await GuardedAsync(leader, Put(leader, request.Value), context);
            if (!changed.Succeeded || !changed.Value.Succeeded)
            {
                await ResignAsync(leader, context);
                return changed.Succeeded ? RecipeErrors.NotLeader : RecipeErrors.Of(changed.Error);
            }
        }

        NodeError waited = await contest.WaitForOlderAsync(leader.Rev);
        if (waited == NodeError.None)
        {
            return new CampaignResponse { Header = entrance.Value.Header, Leader = leader };
        }

        // Who gives up must not keep its place in the line.
        await ResignAsync(leader, context);
        return RecipeErrors.Of(waited);
    }

    private async ValueTask<Outcome<ProclaimResponse>> ProclaimAsync(ProclaimRequest request, GrpcCall call)
    {
        if (request.Leader is not { } leader)
        {
            return RecipeErrors.LeaderMissing;
        }

        Answer<TxnResponse> answer = await GuardedAsync(leader, Put(leader, request.Value), Caller.Of(call));
        return !answer.Succeeded ? RecipeErrors.Of(answer.Error)
            : !answer.Value.Succeeded ? RecipeErrors.NotLeader
            : new ProclaimResponse { Header = answer.Value.Header };
    }

    private async ValueTask<Outcome<LeaderResponse>> LeaderAsync(LeaderRequest request, GrpcCall call)
    {
        Answer<RangeResponse> first = await new Contest(node, Caller.Of(call), request.Name).ReadFirstAsync();
        return !first.Succeeded ? RecipeErrors.Of(first.Error)
            : first.Value.Kvs.Count == 0 ? RecipeErrors.NoLeader
            : new LeaderResponse { Header = first.Value.Header, Kv = first.Value.Kvs[0] };
    }

    private async ValueTask<Outcome<ResignResponse>> ResignAsync(ResignRequest request, GrpcCall call)
    {
        if (request.Leader is not { } leader)
        {
            return RecipeErrors.LeaderMissing;
        }

        Answer<TxnResponse> answer = await ResignAsync(leader, Caller.Of(call));
        return answer.Succeeded ? new ResignResponse { Header = answer.Value.Header } : RecipeErrors.Of(answer.Error);
    }

    /// <summary>Sends who leads now, whenever its value changes, and whoever leads next.</summary>
    private async ValueTask<GrpcStatus> ObserveAsync(GrpcCall call)
    {
        LeaderRequest? request = await call.ReadOnlyMessageAsync(LeaderRequest.Parser);
        if (request is null)
        {
            return call.ReadFailure;
        }

        RequestContext context = Caller.Of(call);
        var contest = new Contest(node, context, request.Name);
        while (true)
        {
            Answer<RangeResponse> first = await contest.ReadFirstAsync();
            if (!first.Succeeded)
            {
                return RecipeErrors.Of(first.Error);
            }

            var leader = new LeaderResponse { Header = first.Value.Header, Kv = first.Value.Kvs.Count > 0 ? first.Value.Kvs[0] : null };
            NodeError failure = leader.Kv is null ? await AwaitCandidateAsync(contest, leader.Header.Revision, context) : await FollowAsync(leader, call, context);
            if (failure != NodeError.None)
            {
                return RecipeErrors.Of(failure);
            }
        }
    }

    /// <summary>Waits until somebody stands.</summary>
    private async ValueTask<NodeError> AwaitCandidateAsync(Contest contest, long revision, RequestContext context)
    {
        using var watch = new KeyWatch(node, context, contest.Prefix, Contest.After(contest.Prefix), revision + 1);
        while (await watch.NextAsync() is { } change)
        {
            if (change.Type == Event.Types.EventType.Put)
            {
                break;
            }
        }

        return watch.Ended;
    }

    /// <summary>Sends a leader and what it proclaims, until it is gone.</summary>
    private async ValueTask<NodeError> FollowAsync(LeaderResponse leader, GrpcCall call, RequestContext context)
    {
        await SendAsync(call, leader);
        using var watch = new KeyWatch(node, context, leader.Kv.Key, rangeEnd: ByteString.Empty, leader.Header.Revision + 1);
        while (await watch.NextAsync() is { Type: Event.Types.EventType.Put } change)
        {
            await SendAsync(call, new LeaderResponse { Header = watch.Header, Kv = change.Kv });
        }

        return watch.Ended;
    }

    private static async ValueTask SendAsync(GrpcCall call, LeaderResponse leader)
    {
        call.Write(leader, ProtobufWriter.Instance);
        await call.FlushAsync();
    }

    private static RequestOp Put(LeaderKey leader, ByteString value) =>
        new() { RequestPut = new PutRequest { Key = leader.Key, Value = value, Lease = leader.Lease } };

    private ValueTask<Answer<TxnResponse>> ResignAsync(LeaderKey leader, RequestContext context) => GuardedAsync(
        leader,
        new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = leader.Key } },
        context with { Cancelled = CancellationToken.None });

    /// <summary>Does something while the key is still that of this leader.</summary>
    private ValueTask<Answer<TxnResponse>> GuardedAsync(LeaderKey leader, RequestOp operation, RequestContext context) =>
        node.TxnAsync(new TxnRequest { Compare = { Contest.CreatedAt(leader.Key, leader.Rev) }, Success = { operation } }, context);
}
