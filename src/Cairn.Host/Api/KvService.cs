using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Reads;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.KV: reading, writing, transactions, compaction.</summary>
internal sealed class KvService(Node node)
{
    // Length of a message is counted in 31 bits by protobuf, and so by etcd's own limit for what it sends.
    private const long SentBytesMax = int.MaxValue;

    // Longer answers are read and sent in parts of this size, so that a million keys take no more memory than a few thousand.
    private const int PartBytes = 256 * 1024;

    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.KV")
        .Unary<RangeRequest, RangeAnswer>("Range", RangeRequest.Parser, RangeAsync, SendRangeAsync)
        .Asks("Put", PutRequest.Parser, node.PutAsync)
        .Asks("DeleteRange", DeleteRangeRequest.Parser, node.DeleteRangeAsync)
        .Asks("Txn", TxnRequest.Parser, node.TxnAsync)
        .Asks("Compact", CompactionRequest.Parser, node.CompactAsync)
        .ServerStream("RangeStream", RangeStreamAsync);

    private async ValueTask<Outcome<RangeAnswer>> RangeAsync(RangeRequest request, GrpcCall call)
    {
        Answer<RangeAnswer> answer = await node.RangeAsync(request, Caller.Of(call));
        return answer.Succeeded && answer.Value.ByteCount > SentBytesMax
            ? new GrpcStatus(GrpcStatusCode.ResourceExhausted, $"trying to send message larger than max ({answer.Value.ByteCount} vs. {SentBytesMax})")
            : answer.ToOutcome();
    }

    private static ValueTask SendRangeAsync(RangeAnswer answer, GrpcCall call)
    {
        if (answer.ByteCount > PartBytes)
        {
            return SendLongRangeAsync(answer, call);
        }

        call.Write(answer, RowWriters.Range);
        return ValueTask.CompletedTask;
    }

    /// <summary>Sends a long answer at the pace of who reads it, a part at a time.</summary>
    private static async ValueTask SendLongRangeAsync(RangeAnswer answer, GrpcCall call)
    {
        call.Write(answer, RowWriters.RangeHead);
        int next = 0;
        do
        {
            next = answer.WritePart(call.Rest, next, PartBytes);
            await call.FlushPartAsync();
        }
        while (next < answer.RowCount);
    }

    private async ValueTask<GrpcStatus> RangeStreamAsync(GrpcCall call)
    {
        RangeRequest? request = await call.ReadOnlyMessageAsync(RangeRequest.Parser);
        if (request is null)
        {
            return call.ReadFailure;
        }

        Answer<RangeChunks> answer = await node.RangeStreamAsync(request, Caller.Of(call));
        if (!answer.Succeeded)
        {
            return EtcdErrors.StatusOf(answer.Error);
        }

        while (true)
        {
            (RangeAnswer? chunk, NodeError error) = answer.Value.Next();
            if (chunk is null)
            {
                return error == NodeError.None ? GrpcStatus.Ok : EtcdErrors.StatusOf(error);
            }

            call.Write(chunk, RowWriters.RangeChunk);
            await call.FlushAsync();
        }
    }
}
