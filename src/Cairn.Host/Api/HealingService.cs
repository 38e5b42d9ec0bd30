using Cairn.Host.Grpc;
using Cairn.Protocol.Healing;
using Cairn.Server;

namespace Cairn.Host.Api;

/// <summary>cairn.Healing: what operators ask of healing.</summary>
internal sealed class HealingService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("cairn.Healing")
        .Unary<HealStatusRequest, HealStatusResponse>(
            "Status", HealStatusRequest.Parser, async (request, call) => (await node.HealStatusAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<HealApproveRequest, HealApproveResponse>(
            "Approve", HealApproveRequest.Parser, async (request, call) => (await node.HealApproveAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<EvictRequest, EvictResponse>(
            "Evict", EvictRequest.Parser, async (request, call) => (await node.EvictAsync(request, Caller.Of(call))).ToOutcome());
}
