using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Protocol;

namespace Cairn.Host.Proxy;

/// <summary>etcdserverpb.Watch: watchers of many clients, on few of the cluster.</summary>
/// <remarks>Requests for progress are passed over, as etcd's proxy does: what is shared has no progress of its own. Source: etcd server/proxy/grpcproxy/watch.go.</remarks>
internal sealed class WatchProxy(Broadcasts broadcasts, KeyNamespace keys)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Watch").BothStream("Watch", WatchAsync);

    private async ValueTask<GrpcStatus> WatchAsync(GrpcCall call)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(call.Cancelled);
        var stream = new ListenerStream();
        Task receiving = ReceiveAsync(stream, call, ended);
        try
        {
            while (await stream.WaitAsync(ended.Token))
            {
                while (stream.TryTake(out WatchResponse? answer))
                {
                    call.Write(answer, ProtobufWriter.Instance);
                }

                await call.FlushAsync();
            }
        }
        catch (OperationCanceledException) when (!call.ReadFailure.IsOk)
        {
            // The client broke the protocol, and its stream was ended for that.
        }
        finally
        {
            await ended.CancelAsync();
            await receiving;
        }

        return call.ReadFailure.IsOk ? stream.Ended ?? GrpcStatus.Ok : call.ReadFailure;
    }

    private async Task ReceiveAsync(ListenerStream stream, GrpcCall call, CancellationTokenSource ended)
    {
        var listeners = new Dictionary<long, Listener>();
        long nextId = 0;
        try
        {
            while (await call.ReadAsync(WatchRequest.Parser, ended.Token) is { } request)
            {
                switch (request.RequestUnionCase)
                {
                    case WatchRequest.RequestUnionOneofCase.CreateRequest:
                        Create(request.CreateRequest, stream, listeners, ref nextId, call);
                        break;
                    case WatchRequest.RequestUnionOneofCase.CancelRequest when listeners.Remove(request.CancelRequest.WatchId, out Listener? listener):
                        ResponseHeader? header = broadcasts.Leave(listener);
                        stream.Add(new WatchResponse { Header = header ?? new ResponseHeader(), WatchId = request.CancelRequest.WatchId, Canceled = true });
                        break;
                }
            }

            if (call.ReadFailure.IsOk)
            {
                // The client has nothing more to ask, and goes on to listen.
                await Task.Delay(Timeout.InfiniteTimeSpan, ended.Token);
            }
        }
        catch (Exception e) when (GrpcServer.IsEndOfCall(e))
        {
            // The client is gone, or the stream has ended.
        }
        finally
        {
            foreach (Listener listener in listeners.Values)
            {
                broadcasts.Leave(listener);
            }

            await ended.CancelAsync();
        }
    }

    private void Create(WatchCreateRequest request, ListenerStream stream, Dictionary<long, Listener> listeners, ref long nextId, GrpcCall call)
    {
        long id = request.WatchId;
        while (id == 0 && listeners.ContainsKey(nextId))
        {
            nextId++;
        }

        id = id == 0 ? nextId++ : id;
        if (listeners.ContainsKey(id))
        {
            stream.Add(new WatchResponse
            {
                Header = new ResponseHeader(),
                WatchId = -1,
                Created = true,
                Canceled = true,
                CancelReason = "mvcc: duplicate watch ID provided on the WatchStream",
            });
            return;
        }

        keys.Map(request);
        var listener = new Listener(stream, id, Math.Max(0, request.StartRevision), request.ProgressNotify);
        listeners.Add(id, listener);
        broadcasts.Join(listener, WatchTopic.Of(request, call), Upstream.MetadataOf(call));
    }
}
