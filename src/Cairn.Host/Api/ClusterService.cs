using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.Cluster: membership.</summary>
internal sealed class ClusterService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder(ClusterReflection.Descriptor.FindTypeByName<ServiceDescriptor>("Cluster"))
        .Unary<MemberListRequest, MemberListResponse>("MemberList", async (request, call) => (await node.MemberListAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<MemberAddRequest, MemberAddResponse>("MemberAdd", async (request, call) => (await node.MemberAddAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<MemberRemoveRequest, MemberRemoveResponse>("MemberRemove", async (request, call) => (await node.MemberRemoveAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<MemberUpdateRequest, MemberUpdateResponse>("MemberUpdate", async (request, call) => (await node.MemberUpdateAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<MemberPromoteRequest, MemberPromoteResponse>(
            "MemberPromote", async (request, call) => (await node.MemberPromoteAsync(request, Caller.Of(call))).ToOutcome());
}
