using System.Threading.Channels;
using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;

namespace Cairn.Host.Api;

/// <summary>The renewals of one stream: several under way at a time, answered one by one in the order in which they were asked for. Of one call.</summary>
/// <remarks>
/// A renewal waits for the leader to be sure that it leads, and now and then for the log. A client has all its leases on one stream, so one after the other
/// its thousandth would wait for a thousand rounds. Who fails ends the stream, as if those behind had not been asked for yet: a lease that was renewed and whose
/// client was not told lives longer, which it may.
/// </remarks>
/// <param name="call">The stream.</param>
/// <param name="renew">Renews a lease; ends soon once the context is cancelled.</param>
internal sealed class KeepAliveStream(GrpcCall call, Func<LeaseKeepAliveRequest, RequestContext, ValueTask<Answer<LeaseKeepAliveResponse>>> renew)
{
    /// <summary>Renewals of one stream under way: enough that rounds are shared, and a stream whose client does not read holds kilobytes.</summary>
    internal const int UnderWayMax = 64;

    private readonly Channel<Task<Answer<LeaseKeepAliveResponse>>> _underWay =
        Channel.CreateBounded<Task<Answer<LeaseKeepAliveResponse>>>(new BoundedChannelOptions(UnderWayMax - 1) { SingleReader = true, SingleWriter = true });

    /// <summary>Renews until the client has ended its side, or a renewal fails.</summary>
    /// <returns>How the stream ends.</returns>
    public async ValueTask<GrpcStatus> RunAsync()
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(call.Cancelled);
        Task receiving = ReceiveAsync(Caller.Of(call) with { Cancelled = ended.Token });
        try
        {
            GrpcStatus sent = await SendAsync();
            if (!sent.IsOk)
            {
                return sent;
            }

            await receiving;
            return call.ReadFailure;
        }
        finally
        {
            // The call object is used again for another stream: nobody may read from it, or rely on its token, any more.
            await ended.CancelAsync();
            await ForgetRestAsync(receiving);
        }
    }

    private async Task ReceiveAsync(RequestContext context)
    {
        try
        {
            while (await _underWay.Writer.WaitToWriteAsync(context.Cancelled)
                && await call.ReadAsync(LeaseKeepAliveRequest.Parser, context.Cancelled) is { } request)
            {
                Invariant.Holds(_underWay.Writer.TryWrite(renew(request, context).AsTask()));
            }
        }
        finally
        {
            _underWay.Writer.Complete();
        }
    }

    /// <summary>Answers in order; what is at hand goes out together.</summary>
    private async ValueTask<GrpcStatus> SendAsync()
    {
        while (await _underWay.Reader.WaitToReadAsync(CancellationToken.None))
        {
            while (_underWay.Reader.TryRead(out Task<Answer<LeaseKeepAliveResponse>>? renewal))
            {
                Answer<LeaseKeepAliveResponse> answer = await renewal;
                if (!answer.Succeeded)
                {
                    return EtcdErrors.StatusOf(answer.Error);
                }

                call.Write(answer.Value, ProtobufWriter.Instance);
                if (!_underWay.Reader.TryPeek(out Task<Answer<LeaseKeepAliveResponse>>? next) || !next.IsCompleted)
                {
                    await call.FlushAsync();
                }
            }
        }

        return GrpcStatus.Ok;
    }

    /// <summary>Waits until nothing goes on whose outcome nobody wants any more.</summary>
    private async ValueTask ForgetRestAsync(Task receiving)
    {
        await EndOf(receiving);
        while (_underWay.Reader.TryRead(out Task<Answer<LeaseKeepAliveResponse>>? renewal))
        {
            await EndOf(renewal);
        }
    }

    private static async ValueTask EndOf(Task task)
    {
        try
        {
            await task;
        }
        catch (Exception e) when (GrpcServer.IsEndOfCall(e))
        {
            // As wanted.
        }
    }
}
