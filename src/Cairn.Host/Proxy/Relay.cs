using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Host.Grpc;
using Google.Protobuf.WellKnownTypes;

namespace Cairn.Host.Proxy;

/// <summary>Passes calls on that the proxy need not understand. An empty message, which keeps the fields that it does not know, carries any other.</summary>
internal static class Relay
{
    /// <summary>Binds methods that answer one message with one.</summary>
    /// <param name="binder">The service.</param>
    /// <param name="upstream">The cluster.</param>
    /// <param name="names">The methods.</param>
    /// <returns>The service.</returns>
    public static ServiceBinder Relays(this ServiceBinder binder, Upstream upstream, params IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            GrpcMethod<Empty, Empty> method = MethodOf(binder, name);
            binder.Unary<Empty, Empty>(name, Empty.Parser, (request, call) => upstream.CallAsync(method, request, call, isRead: false));
        }

        return binder;
    }

    /// <summary>Binds a method of which the server streams.</summary>
    /// <param name="binder">The service.</param>
    /// <param name="upstream">The cluster.</param>
    /// <param name="name">The method.</param>
    /// <returns>The service.</returns>
    public static ServiceBinder RelaysAnswers(this ServiceBinder binder, Upstream upstream, string name)
    {
        GrpcMethod<Empty, Empty> method = MethodOf(binder, name);
        return binder.ServerStream(name, call => StreamAsync(method, upstream, call));
    }

    /// <summary>Binds a method of which both sides stream.</summary>
    /// <param name="binder">The service.</param>
    /// <param name="upstream">The cluster.</param>
    /// <param name="name">The method.</param>
    /// <returns>The service.</returns>
    public static ServiceBinder RelaysBoth(this ServiceBinder binder, Upstream upstream, string name)
    {
        GrpcMethod<Empty, Empty> method = MethodOf(binder, name);
        return binder.BothStream(name, call => StreamAsync(method, upstream, call));
    }

    private static GrpcMethod<Empty, Empty> MethodOf(ServiceBinder binder, string name) => new($"/{binder.Service}/{name}", Empty.Parser);

    private static async ValueTask<GrpcStatus> StreamAsync(GrpcMethod<Empty, Empty> method, Upstream upstream, GrpcCall call)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(call.Cancelled);
        GrpcChannel channel = upstream.Ring.Current;
        await using GrpcStream<Empty, Empty> stream = channel.Open(method, new GrpcCallOptions { Cancelled = ended.Token, Metadata = Upstream.MetadataOf(call) });
        Task sending = SendAsync(call, stream, ended);
        GrpcStatus status = GrpcStatus.Ok;
        try
        {
            while (await stream.ReadAsync() is { } answer)
            {
                call.Write(answer, ProtobufWriter.Instance);
                await call.FlushAsync();
            }
        }
        catch (GrpcException e)
        {
            status = e.Status;
            if (e.Code == GrpcStatusCode.Unavailable)
            {
                upstream.Ring.Leave(channel);
            }
        }
        catch (OperationCanceledException) when (!call.ReadFailure.IsOk)
        {
            // The client broke the protocol, and its stream was ended for that.
        }
        finally
        {
            await ended.CancelAsync();
            await sending;
        }

        return call.ReadFailure.IsOk ? status : call.ReadFailure;
    }

    private static async Task SendAsync(GrpcCall call, GrpcStream<Empty, Empty> stream, CancellationTokenSource ended)
    {
        try
        {
            while (await call.ReadAsync(Empty.Parser, ended.Token) is { } request)
            {
                await stream.WriteAsync(request);
            }

            if (call.ReadFailure.IsOk)
            {
                stream.CompleteWriting();
            }
            else
            {
                await ended.CancelAsync();
            }
        }
        catch (Exception e) when (e is GrpcException || GrpcServer.IsEndOfCall(e))
        {
            // Who reads the answers learns how it ended.
        }
    }
}
