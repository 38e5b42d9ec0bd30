using Cairn.Grpc.Calling;
using Google.Protobuf;

namespace Cairn.Client.Calls;

/// <summary>Streams whose failures are not tried again: they are thrown in the client's own form.</summary>
internal static class Streams
{
    public static async ValueTask WriteAsync<TRequest, TResponse>(GrpcStream<TRequest, TResponse> stream, TRequest request)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        try
        {
            await stream.WriteAsync(request).ConfigureAwait(false);
        }
        catch (GrpcException e)
        {
            throw new ClientException(e);
        }
    }

    public static async ValueTask<TResponse?> ReadAsync<TRequest, TResponse>(GrpcStream<TRequest, TResponse> stream)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        try
        {
            return await stream.ReadAsync().ConfigureAwait(false);
        }
        catch (GrpcException e)
        {
            throw new ClientException(e);
        }
    }
}
