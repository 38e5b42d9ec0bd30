using Cairn.Grpc.Calling;
using Cairn.Host.Grpc;
using Cairn.Protocol;

namespace Cairn.Host.Proxy;

/// <summary>etcdserverpb.Lease, passed on. Each stream of keep-alives has one of its own to a member, which answers each of them: no answer is made up here.</summary>
internal sealed class LeaseProxy(Upstream upstream, KeyNamespace keys)
{
    private static readonly GrpcMethod<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse> TimeToLive = new("/etcdserverpb.Lease/LeaseTimeToLive", LeaseTimeToLiveResponse.Parser);

    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Lease")
        .Relays(upstream, "LeaseGrant", "LeaseRevoke", "LeaseLeases")
        .RelaysBoth(upstream, "LeaseKeepAlive")
        .Unary<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse>("LeaseTimeToLive", LeaseTimeToLiveRequest.Parser, TimeToLiveAsync);

    private async ValueTask<Outcome<LeaseTimeToLiveResponse>> TimeToLiveAsync(LeaseTimeToLiveRequest request, GrpcCall call)
    {
        Outcome<LeaseTimeToLiveResponse> outcome = await upstream.CallAsync(TimeToLive, request, call, isRead: true);
        if (keys.IsSet && outcome.Value is { } answer)
        {
            keys.Unmap(answer);
        }

        return outcome;
    }
}
