using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.Lease.</summary>
internal sealed class LeaseService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Lease")
        .Asks("LeaseGrant", LeaseGrantRequest.Parser, node.LeaseGrantAsync)
        .Asks("LeaseRevoke", LeaseRevokeRequest.Parser, node.LeaseRevokeAsync)
        .Asks("LeaseTimeToLive", LeaseTimeToLiveRequest.Parser, node.LeaseTimeToLiveAsync)
        .Asks("LeaseLeases", LeaseLeasesRequest.Parser, node.LeaseLeasesAsync)
        .BothStream("LeaseKeepAlive", call => new KeepAliveStream(call, node.LeaseKeepAliveAsync).RunAsync());
}
