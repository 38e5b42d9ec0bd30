using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Watch;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.Watch: following changes. Requests are taken by one loop, messages sent by another.</summary>
internal sealed class WatchService(Node node)
{
    // Messages that are at hand go out together, up to this many bytes: one flush for many small events, and no large backlog in the output.
    private const int FlushBytes = 64 * 1024;

    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Watch")
        .BothStream("Watch", WatchAsync);

    private async ValueTask<GrpcStatus> WatchAsync(GrpcCall call)
    {
        using WatchStream stream = node.OpenWatchStream(Caller.Of(call));
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(call.Cancelled);
        Task<GrpcStatus> receiving = ReceiveAsync(stream, call, ended);
        GrpcStatus sent = await SendAsync(stream, call, ended);
        GrpcStatus received = await receiving;
        return received.IsOk ? sent : received;
    }

    /// <summary>Takes requests until the client ends its side, which leaves the watchers running, or breaks the protocol, which ends the stream.</summary>
    private static async Task<GrpcStatus> ReceiveAsync(WatchStream stream, GrpcCall call, CancellationTokenSource ended)
    {
        try
        {
            while (await call.ReadAsync(WatchRequest.Parser, ended.Token) is { } request)
            {
                await stream.RequestAsync(request, ended.Token);
            }
        }
        catch (Exception e) when (GrpcServer.IsEndOfCall(e))
        {
            await ended.CancelAsync();
            return GrpcStatus.Ok;
        }

        if (!call.ReadFailure.IsOk)
        {
            await ended.CancelAsync();
        }

        return call.ReadFailure;
    }

    private static async Task<GrpcStatus> SendAsync(WatchStream stream, GrpcCall call, CancellationTokenSource ended)
    {
        try
        {
            while (await stream.WaitAsync(ended.Token))
            {
                await SendAvailableAsync(stream, call);
            }

            return stream.Ended switch
            {
                NodeError.None => GrpcStatus.Ok,
                NodeError.Canceled => Cancelled(call),
                NodeError error => EtcdErrors.StatusOf(error),
            };
        }
        catch (Exception e) when (GrpcServer.IsEndOfCall(e))
        {
            return Cancelled(call);
        }
        finally
        {
            await ended.CancelAsync();
        }
    }

    /// <summary>Who is sent away because the server stops must be told so: Go's client gives a watch up for good when it was cancelled, and goes on elsewhere otherwise.</summary>
    private static GrpcStatus Cancelled(GrpcCall call) =>
        call.Stopping ? EtcdErrors.StatusOf(NodeError.Stopped) : new GrpcStatus(GrpcStatusCode.Canceled, "etcdserver: watch canceled");

    private static async ValueTask SendAvailableAsync(WatchStream stream, GrpcCall call)
    {
        int unflushed = 0;
        while (stream.TryTake(out WatchDelivery? delivery))
        {
            unflushed += call.Write(delivery, RowWriters.Watch);
            if (unflushed >= FlushBytes)
            {
                await call.FlushAsync();
                unflushed = 0;
            }
        }

        if (unflushed > 0)
        {
            await call.FlushAsync();
        }
    }
}
