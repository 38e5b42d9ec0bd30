using System.Diagnostics.CodeAnalysis;
using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Protocol;

namespace Cairn.Host.Proxy;

/// <summary>One watcher of the cluster, and those who listen to it. It goes on at another member where one fails.</summary>
/// <remarks>What is known of it is guarded by the lock of <see cref="Broadcasts"/>; its loop is the only one that reads the stream.</remarks>
[SuppressMessage("Design", "CA1001", Justification = "A source without a timer holds nothing, and those who leave may still cancel it.")]
internal sealed class Broadcast(Broadcasts broadcasts, Upstream upstream, WatchTopic topic, IReadOnlyList<KeyValuePair<string, string>> metadata, long start, TimeProvider time)
{
    private static readonly GrpcMethod<WatchRequest, WatchResponse> Watch = new("/etcdserverpb.Watch/Watch", WatchResponse.Parser);

    // A cluster that comes back is not flooded, and is seen within a second.
    private static readonly TimeSpan PauseMin = TimeSpan.FromMilliseconds(25);

    // As above.
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stopping = new();

    /// <summary>What it is about.</summary>
    public WatchTopic Topic => topic;

    /// <summary>Who listens.</summary>
    public List<Listener> Listeners { get; } = [];

    /// <summary>The first revision that was not told; meaningless before <see cref="Header"/> is there.</summary>
    public long Next { get; set; } = start;

    /// <summary>The newest header; null before the cluster has made the watcher.</summary>
    public ResponseHeader? Header { get; set; }

    /// <summary>Ends the watcher of the cluster.</summary>
    public void Stop() => _stopping.Cancel();

    /// <summary>Follows the cluster until told to stop, or until the cluster ends it.</summary>
    public async Task RunAsync()
    {
        CancellationToken stopping = _stopping.Token;
        try
        {
            for (TimeSpan pause = PauseMin; ; pause = pause * 2 > PauseMax ? PauseMax : pause * 2)
            {
                (GrpcStatus? end, bool wasUp) = await FollowAsync(stopping);
                if (end is { } status)
                {
                    broadcasts.End(this, status);
                    return;
                }

                pause = wasUp ? PauseMin : pause;
                await Task.Delay(pause, time, stopping);
            }
        }
        catch (OperationCanceledException)
        {
            // Nobody listens any more.
        }
    }

    /// <returns>How it ends for good, null if another member may go on; and whether this one had told anything.</returns>
    private async Task<(GrpcStatus? End, bool WasUp)> FollowAsync(CancellationToken stopping)
    {
        bool wasUp = false;
        GrpcChannel channel = upstream.Ring.Current;
        await using GrpcStream<WatchRequest, WatchResponse> stream = channel.Open(Watch, new GrpcCallOptions { Cancelled = stopping, Metadata = metadata });
        try
        {
            WatchCreateRequest create = WatchCreateRequest.Parser.ParseFrom(topic.Request);
            create.StartRevision = Next;
            await stream.WriteAsync(new WatchRequest { CreateRequest = create });
            while (await stream.ReadAsync() is { } told)
            {
                wasUp = true;
                if (!broadcasts.Take(this, told))
                {
                    return (GrpcStatus.Ok, wasUp);
                }
            }
        }
        catch (GrpcException e) when (e.Code == GrpcStatusCode.Unavailable && !IsAboutLeader(e))
        {
            upstream.Ring.Leave(channel);
        }
        catch (GrpcException e)
        {
            return (e.Status, wasUp);
        }

        return (null, wasUp);
    }

    /// <summary>Who asked for a cluster with a leader is to know at once that there is none.</summary>
    private bool IsAboutLeader(GrpcException e) => e.Status.Message == "etcdserver: no leader" && metadata.Any(static pair => pair.Key == "hasleader");
}
