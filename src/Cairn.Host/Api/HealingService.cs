using Cairn.Host.Grpc;
using Cairn.Protocol.Healing;
using Cairn.Server;

namespace Cairn.Host.Api;

/// <summary>cairn.Healing: what operators ask of healing.</summary>
internal sealed class HealingService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("cairn.Healing")
        .Asks("Status", HealStatusRequest.Parser, node.HealStatusAsync)
        .Asks("Approve", HealApproveRequest.Parser, node.HealApproveAsync)
        .Asks("Evict", EvictRequest.Parser, node.EvictAsync);
}
