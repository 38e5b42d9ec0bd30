using Cairn.Client.Calls;
using Cairn.Grpc.Calling;
using Cairn.Protocol.Healing;
using Google.Protobuf;

namespace Cairn.Client;

/// <summary>What Cairn does about members that are lost; servers of etcd do not know these calls. Any thread. All methods throw <see cref="ClientException"/> when the call fails.</summary>
public sealed class HealingClient
{
    private static readonly GrpcMethod<HealStatusRequest, HealStatusResponse> StatusMethod = Of<HealStatusRequest, HealStatusResponse>("Status", HealStatusResponse.Parser);
    private static readonly GrpcMethod<HealApproveRequest, HealApproveResponse> ApproveMethod =
        Of<HealApproveRequest, HealApproveResponse>("Approve", HealApproveResponse.Parser);

    private static readonly GrpcMethod<EvictRequest, EvictResponse> EvictMethod = Of<EvictRequest, EvictResponse>("Evict", EvictResponse.Parser);

    private readonly Caller _caller;

    internal HealingClient(Caller caller) => _caller = caller;

    /// <summary>Asks what healing does, did and waits for.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<HealStatusResponse> StatusAsync(CancellationToken cancelled = default) =>
        _caller.CallAsync(StatusMethod, new HealStatusRequest(), Repeat.Always, cancelled);

    /// <summary>Lets healing do what it proposes, once.</summary>
    /// <param name="key">Key of the proposal.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<HealApproveResponse> ApproveAsync(string key, CancellationToken cancelled = default) =>
        _caller.CallAsync(ApproveMethod, new HealApproveRequest { Key = key }, Repeat.Always, cancelled);

    /// <summary>Sends a removed member away for good: the cluster is meant to be smaller from now on.</summary>
    /// <param name="memberId">The removed member.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The answer.</returns>
    public Task<EvictResponse> EvictAsync(ulong memberId, CancellationToken cancelled = default) =>
        _caller.CallAsync(EvictMethod, new EvictRequest { MemberId = memberId }, Repeat.Always, cancelled);

    private static GrpcMethod<TRequest, TResponse> Of<TRequest, TResponse>(string name, MessageParser<TResponse> parser)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> => new("/cairn.Healing/" + name, parser);
}
