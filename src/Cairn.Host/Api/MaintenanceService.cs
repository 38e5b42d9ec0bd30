using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.Maintenance: status, alarms, hashes, leadership.</summary>
internal sealed class MaintenanceService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder(MaintenanceReflection.Descriptor.FindTypeByName<ServiceDescriptor>("Maintenance"))
        .Unary<AlarmRequest, AlarmResponse>("Alarm", async (request, call) => (await node.AlarmAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<StatusRequest, StatusResponse>("Status", async (request, call) => (await node.StatusAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<DefragmentRequest, DefragmentResponse>("Defragment", async (request, call) => (await node.DefragmentAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<HashRequest, HashResponse>("Hash", async (request, call) => (await node.HashAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<HashKVRequest, HashKVResponse>("HashKV", async (request, call) => (await node.HashKvAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<MoveLeaderRequest, MoveLeaderResponse>("MoveLeader", async (request, call) => (await node.MoveLeaderAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<DowngradeRequest, DowngradeResponse>("Downgrade", async (request, call) => (await node.DowngradeAsync(request, Caller.Of(call))).ToOutcome());
}
