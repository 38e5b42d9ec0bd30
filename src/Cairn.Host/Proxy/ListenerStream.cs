using System.Threading.Channels;
using Cairn.Grpc;
using Cairn.Protocol;

namespace Cairn.Host.Proxy;

/// <summary>What waits to be sent on a client's watch stream. Any thread adds, and never waits; one reads.</summary>
internal sealed class ListenerStream
{
    // As in etcd. Who is that far behind is sent away, and comes back with the revision that it has: nobody waits for it, and nothing is lost.
    private const int Capacity = 1024;

    private readonly Channel<WatchResponse> _waiting = Channel.CreateBounded<WatchResponse>(new BoundedChannelOptions(Capacity) { SingleReader = true });
    private GrpcStatus? _ended;

    /// <summary>How the stream ends; null while it does not.</summary>
    public GrpcStatus? Ended => _ended;

    /// <summary>Adds an answer.</summary>
    public void Add(WatchResponse answer)
    {
        if (!_waiting.Writer.TryWrite(answer))
        {
            End(new GrpcStatus(GrpcStatusCode.Unavailable, "grpc-proxy: the client reads its watch too slowly; watch again"));
        }
    }

    /// <summary>Ends the stream after what waits.</summary>
    public void End(GrpcStatus status)
    {
        _ended ??= status;
        _waiting.Writer.TryComplete();
    }

    /// <summary>Waits for something to send.</summary>
    /// <returns>False at the end.</returns>
    public ValueTask<bool> WaitAsync(CancellationToken cancelled) => _waiting.Reader.WaitToReadAsync(cancelled);

    /// <summary>Takes an answer, if there is one.</summary>
    public bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out WatchResponse? answer) => _waiting.Reader.TryRead(out answer);
}
