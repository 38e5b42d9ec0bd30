using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.Cluster: membership.</summary>
internal sealed class ClusterService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Cluster")
        .Unary<MemberListRequest, MemberListResponse>(
            "MemberList", MemberListRequest.Parser, async (request, call) => (await node.MemberListAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<MemberAddRequest, MemberAddResponse>(
            "MemberAdd", MemberAddRequest.Parser, async (request, call) => (await node.MemberAddAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<MemberRemoveRequest, MemberRemoveResponse>(
            "MemberRemove", MemberRemoveRequest.Parser, async (request, call) => (await node.MemberRemoveAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<MemberUpdateRequest, MemberUpdateResponse>(
            "MemberUpdate", MemberUpdateRequest.Parser, async (request, call) => (await node.MemberUpdateAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<MemberPromoteRequest, MemberPromoteResponse>(
            "MemberPromote", MemberPromoteRequest.Parser, async (request, call) => (await node.MemberPromoteAsync(request, Caller.Of(call))).ToOutcome());
}
