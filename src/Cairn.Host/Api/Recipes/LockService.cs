using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Protocol.Locks;
using Cairn.Server;
using Google.Protobuf;

namespace Cairn.Host.Api.Recipes;

/// <summary>v3lockpb.Lock.</summary>
/// <remarks>Source: etcd server/etcdserver/api/v3lock/lock.go.</remarks>
internal sealed class LockService(Node node)
{
    // As in etcd: of the lease that a caller without one gets, and which nobody keeps alive.
    internal const long OrphanTtlSeconds = 60;

    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("v3lockpb.Lock")
        .Unary<LockRequest, LockResponse>("Lock", LockRequest.Parser, LockAsync)
        .Unary<UnlockRequest, UnlockResponse>("Unlock", UnlockRequest.Parser, UnlockAsync);

    private async ValueTask<Outcome<LockResponse>> LockAsync(LockRequest request, GrpcCall call)
    {
        RequestContext context = Caller.Of(call);
        (NodeError refusal, long lease) = await LeaseAsync(node, request.Lease, context);
        if (refusal != NodeError.None)
        {
            return RecipeErrors.Of(refusal);
        }

        var contest = new Contest(node, context, request.Name);
        ByteString key = contest.KeyOf(lease);
        Answer<Entrance> entrance = await contest.EnterAsync(lease, ByteString.Empty);
        if (!entrance.Succeeded)
        {
            return RecipeErrors.Of(entrance.Error);
        }

        Answer<RangeResponse> first = await contest.ReadFirstAsync();
        if (first.Succeeded && first.Value.Kvs is [var owner] && owner.CreateRevision == entrance.Value.Revision)
        {
            return new LockResponse { Header = entrance.Value.Header, Key = key };
        }

        NodeError waited = first.Succeeded ? await contest.WaitForOlderAsync(entrance.Value.Revision) : first.Error;
        Answer<RangeResponse> own = waited == NodeError.None ? await contest.ReadAsync(new RangeRequest { Key = key }) : waited;
        if (!own.Succeeded)
        {
            await contest.LeaveAsync(key);
            return RecipeErrors.Of(own.Error);
        }

        return own.Value.Kvs.Count == 0 ? RecipeErrors.SessionExpired : new LockResponse { Header = own.Value.Header, Key = key };
    }

    private async ValueTask<Outcome<UnlockResponse>> UnlockAsync(UnlockRequest request, GrpcCall call)
    {
        Answer<DeleteRangeResponse> answer = await node.DeleteRangeAsync(new DeleteRangeRequest { Key = request.Key }, Caller.Of(call));
        return answer.Succeeded ? new UnlockResponse { Header = answer.Value.Header } : RecipeErrors.Of(answer.Error);
    }

    /// <summary>The lease that was named, or a new one.</summary>
    internal static async ValueTask<(NodeError Refusal, long Lease)> LeaseAsync(Node node, long lease, RequestContext context)
    {
        if (lease != 0)
        {
            return (NodeError.None, lease);
        }

        Answer<LeaseGrantResponse> granted = await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = OrphanTtlSeconds }, context);
        return (granted.Error, granted.Value?.ID ?? 0);
    }
}
