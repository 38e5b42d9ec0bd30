using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Host.Proxy;

/// <summary>etcdserverpb.KV, passed on; serializable reads are answered from what was read before.</summary>
/// <remarks>Who shows a token is not answered from the cache, and leaves nothing there: members judge each of its reads. Source: etcd server/proxy/grpcproxy/kv.go.</remarks>
internal sealed class KvProxy(Upstream upstream, KeyNamespace keys, RangeCache cache)
{
    private static readonly GrpcMethod<RangeRequest, RangeResponse> Range = new("/etcdserverpb.KV/Range", RangeResponse.Parser);
    private static readonly GrpcMethod<RangeRequest, RangeStreamResponse> RangeStream = new("/etcdserverpb.KV/RangeStream", RangeStreamResponse.Parser);
    private static readonly GrpcMethod<PutRequest, PutResponse> Put = new("/etcdserverpb.KV/Put", PutResponse.Parser);
    private static readonly GrpcMethod<DeleteRangeRequest, DeleteRangeResponse> DeleteRange = new("/etcdserverpb.KV/DeleteRange", DeleteRangeResponse.Parser);
    private static readonly GrpcMethod<TxnRequest, TxnResponse> Txn = new("/etcdserverpb.KV/Txn", TxnResponse.Parser);
    private static readonly GrpcMethod<CompactionRequest, CompactionResponse> Compact = new("/etcdserverpb.KV/Compact", CompactionResponse.Parser);

    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.KV")
        .Unary<RangeRequest, RangeResponse>("Range", RangeRequest.Parser, RangeAsync)
        .ServerStream("RangeStream", RangeStreamAsync)
        .Unary<PutRequest, PutResponse>("Put", PutRequest.Parser, PutAsync)
        .Unary<DeleteRangeRequest, DeleteRangeResponse>("DeleteRange", DeleteRangeRequest.Parser, DeleteRangeAsync)
        .Unary<TxnRequest, TxnResponse>("Txn", TxnRequest.Parser, TxnAsync)
        .Unary<CompactionRequest, CompactionResponse>("Compact", CompactionRequest.Parser, CompactAsync);

    private static IEnumerable<(ByteString Key, ByteString End)> TouchedBy(TxnRequest request)
    {
        // A comparison may come of a read that was old: what it compares is read anew.
        IEnumerable<(ByteString, ByteString)> compared = request.Compare.Select(static compare => (compare.Key, compare.RangeEnd));
        return compared.Concat(request.Success.Concat(request.Failure).SelectMany(static operation => operation.RequestCase switch
        {
            RequestOp.RequestOneofCase.RequestPut => [(operation.RequestPut.Key, ByteString.Empty)],
            RequestOp.RequestOneofCase.RequestDeleteRange => [(operation.RequestDeleteRange.Key, operation.RequestDeleteRange.RangeEnd)],
            RequestOp.RequestOneofCase.RequestTxn => TouchedBy(operation.RequestTxn),
            _ => [],
        }));
    }

    private async ValueTask<Outcome<RangeResponse>> RangeAsync(RangeRequest request, GrpcCall call)
    {
        keys.Map(request);
        if (call.Metadata("token") is not null || call.Metadata("authorization") is not null)
        {
            return Unmapped(await upstream.CallAsync(Range, request, call, isRead: true), keys.Unmap);
        }

        if (request.Serializable && cache.Find(request) is { } known)
        {
            return known;
        }

        RangeCache.Fill fill = cache.Begin(request);
        RangeResponse? found = null;
        try
        {
            Outcome<RangeResponse> outcome = Unmapped(await upstream.CallAsync(Range, request, call, isRead: true), keys.Unmap);
            found = outcome.Value;
            return outcome;
        }
        finally
        {
            cache.End(fill, found);
        }
    }

    private async ValueTask<GrpcStatus> RangeStreamAsync(GrpcCall call)
    {
        if (await call.ReadOnlyMessageAsync(RangeRequest.Parser) is not { } request)
        {
            return call.ReadFailure;
        }

        keys.Map(request);
        GrpcChannel channel = upstream.Ring.Current;
        await using GrpcStream<RangeRequest, RangeStreamResponse> stream =
            channel.Open(RangeStream, new GrpcCallOptions { Cancelled = call.Cancelled, Metadata = Upstream.MetadataOf(call) });
        try
        {
            await stream.WriteAsync(request);
            stream.CompleteWriting();
            while (await stream.ReadAsync() is { } answer)
            {
                keys.Unmap(answer.RangeResponse);
                call.Write(answer, ProtobufWriter.Instance);
                await call.FlushAsync();
            }

            return GrpcStatus.Ok;
        }
        catch (GrpcException e)
        {
            if (e.Code == GrpcStatusCode.Unavailable)
            {
                upstream.Ring.Leave(channel);
            }

            return e.Status;
        }
    }

    private ValueTask<Outcome<PutResponse>> PutAsync(PutRequest request, GrpcCall call)
    {
        keys.Map(request);
        return WriteAsync(Put, request, call, [(request.Key, ByteString.Empty)], keys.Unmap);
    }

    private ValueTask<Outcome<DeleteRangeResponse>> DeleteRangeAsync(DeleteRangeRequest request, GrpcCall call)
    {
        keys.Map(request);
        return WriteAsync(DeleteRange, request, call, [(request.Key, request.RangeEnd)], keys.Unmap);
    }

    private ValueTask<Outcome<TxnResponse>> TxnAsync(TxnRequest request, GrpcCall call)
    {
        keys.Map(request);
        return WriteAsync(Txn, request, call, [.. TouchedBy(request)], keys.Unmap);
    }

    private async ValueTask<Outcome<CompactionResponse>> CompactAsync(CompactionRequest request, GrpcCall call)
    {
        Outcome<CompactionResponse> outcome = await upstream.CallAsync(Compact, request, call, isRead: false);
        if (outcome.Value is not null)
        {
            cache.Compact(request.Revision);
        }

        return outcome;
    }

    private async ValueTask<Outcome<TAnswer>> WriteAsync<TRequest, TAnswer>(
        GrpcMethod<TRequest, TAnswer> method, TRequest request, GrpcCall call, (ByteString Key, ByteString End)[] touched, Action<TAnswer> unmap)
        where TRequest : IMessage<TRequest>
        where TAnswer : class, IMessage<TAnswer>
    {
        Spoil(touched);
        try
        {
            return Unmapped(await upstream.CallAsync(method, request, call, isRead: false), unmap);
        }
        finally
        {
            // Also of a write that failed: nobody knows whether it was done.
            Spoil(touched);
        }
    }

    private void Spoil((ByteString Key, ByteString End)[] touched)
    {
        foreach ((ByteString key, ByteString end) in touched)
        {
            cache.Spoil(key, end);
        }
    }

    private Outcome<T> Unmapped<T>(Outcome<T> outcome, Action<T> unmap)
        where T : class
    {
        if (keys.IsSet && outcome.Value is { } answer)
        {
            unmap(answer);
        }

        return outcome;
    }
}
