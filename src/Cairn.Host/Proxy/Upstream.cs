using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Host.Grpc;
using Google.Protobuf;

namespace Cairn.Host.Proxy;

/// <summary>The cluster behind the proxy: calls go to one member until it fails, then to the next. Any thread.</summary>
/// <remarks>Who calls is who called the proxy: tokens are passed on, and the proxy has no user of its own.</remarks>
internal sealed class Upstream(EndpointRing ring) : IDisposable
{
    // What says who asks, and under which conditions.
    private static readonly string[] PassedOn = ["token", "authorization", "hasleader"];

    /// <summary>The members.</summary>
    public EndpointRing Ring => ring;

    /// <summary>What a call says of its caller.</summary>
    /// <param name="call">The call.</param>
    /// <returns>Names and values.</returns>
    public static IReadOnlyList<KeyValuePair<string, string>> MetadataOf(GrpcCall call) =>
        [.. from name in PassedOn let value = call.Metadata(name) where value is not null select new KeyValuePair<string, string>(name, value)];

    /// <summary>Passes a call on.</summary>
    /// <typeparam name="TRequest">The request.</typeparam>
    /// <typeparam name="TAnswer">The answer.</typeparam>
    /// <param name="method">What to call.</param>
    /// <param name="request">The request; must not change before the answer.</param>
    /// <param name="call">The call of the client.</param>
    /// <param name="isRead">Whether nothing comes of it if two members see it.</param>
    /// <returns>What came of it.</returns>
    public ValueTask<Outcome<TAnswer>> CallAsync<TRequest, TAnswer>(GrpcMethod<TRequest, TAnswer> method, TRequest request, GrpcCall call, bool isRead)
        where TRequest : IMessage<TRequest>
        where TAnswer : class, IMessage<TAnswer> =>
        CallAsync(method, request, new GrpcCallOptions { Cancelled = call.Cancelled, Metadata = MetadataOf(call) }, isRead);

    /// <summary>Calls the cluster: each member once at most, and another only if it is certain that nothing is done twice.</summary>
    /// <typeparam name="TRequest">The request.</typeparam>
    /// <typeparam name="TAnswer">The answer.</typeparam>
    /// <param name="method">What to call.</param>
    /// <param name="request">The request; must not change before the answer.</param>
    /// <param name="options">Deadline, metadata, cancellation.</param>
    /// <param name="isRead">Whether nothing comes of it if two members see it.</param>
    /// <returns>What came of it.</returns>
    public async ValueTask<Outcome<TAnswer>> CallAsync<TRequest, TAnswer>(GrpcMethod<TRequest, TAnswer> method, TRequest request, GrpcCallOptions options, bool isRead)
        where TRequest : IMessage<TRequest>
        where TAnswer : class, IMessage<TAnswer>
    {
        for (int attempt = 1; ; attempt++)
        {
            GrpcChannel channel = ring.Current;
            try
            {
                return await channel.CallAsync(method, request, options);
            }
            catch (GrpcException e)
            {
                if (e.Code != GrpcStatusCode.Unavailable)
                {
                    return e.Status;
                }

                ring.Leave(channel);
                if (attempt >= ring.Count || !(isRead || e.NeverSent))
                {
                    return e.Status;
                }
            }
        }
    }

    /// <inheritdoc/>
    public void Dispose() => ring.Dispose();
}
