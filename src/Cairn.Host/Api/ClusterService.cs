using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.Cluster: membership.</summary>
internal sealed class ClusterService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Cluster")
        .Asks("MemberList", MemberListRequest.Parser, node.MemberListAsync)
        .Asks("MemberAdd", MemberAddRequest.Parser, node.MemberAddAsync)
        .Asks("MemberRemove", MemberRemoveRequest.Parser, node.MemberRemoveAsync)
        .Asks("MemberUpdate", MemberUpdateRequest.Parser, node.MemberUpdateAsync)
        .Asks("MemberPromote", MemberPromoteRequest.Parser, node.MemberPromoteAsync);
}
