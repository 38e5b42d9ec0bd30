using System.Collections.Concurrent;
using Cairn.Client;
using Cairn.Grpc.Calling;
using Cairn.Protocol;

namespace Cairn.EndToEnd.Faults;

/// <summary>Clients with a lease each, of whom some are dead: many on one stream, so that thousands of them fit into one process.</summary>
internal sealed class LeaseFlock : IAsyncDisposable
{
    // More than a server has under way at a time, of one stream.
    private const int LeasesAStream = 250;
    private const int GrantsAtOnce = 32;

    private static readonly GrpcMethod<LeaseKeepAliveRequest, LeaseKeepAliveResponse> KeepAlive =
        new("/etcdserverpb.Lease/LeaseKeepAlive", LeaseKeepAliveResponse.Parser);

    private readonly GrpcChannel[] _channels;
    private readonly CancellationTokenSource _stop = new();
    private readonly TimeSpan _pause;
    private readonly ConcurrentDictionary<long, long> _renewedAt = [];
    private Task _renewing = Task.CompletedTask;
    private long _renewals;

    private LeaseFlock(string[] endpoints, long ttl)
    {
        _channels = [.. endpoints.Select(static endpoint => new GrpcChannel(new Uri($"http://{endpoint}")))];
        _pause = TimeSpan.FromSeconds(ttl) / 3;
    }

    /// <summary>Leases that are renewed.</summary>
    public ConcurrentBag<long> Living { get; } = [];

    /// <summary>Leases that nobody renews, when each was asked for, and when it was granted.</summary>
    public ConcurrentDictionary<long, (long Asked, long Granted)> Dead { get; } = [];

    /// <summary>Leases that a server said to be gone although they were renewed in time.</summary>
    public ConcurrentQueue<string> Lost { get; } = [];

    /// <summary>Renewals that were acknowledged.</summary>
    public long Renewals => Interlocked.Read(ref _renewals);

    /// <summary>Grants leases and begins to renew them.</summary>
    /// <param name="endpoints">The servers.</param>
    /// <param name="count">How many leases.</param>
    /// <param name="ttl">Their time to live in seconds.</param>
    /// <param name="isDead">Says of each whether its client is dead.</param>
    /// <returns>The clients, at work.</returns>
    public static async Task<LeaseFlock> StartAsync(string[] endpoints, int count, long ttl, Func<int, bool> isDead)
    {
        var flock = new LeaseFlock(endpoints, ttl);
        var shards = Enumerable.Range(0, (count / LeasesAStream) + 1).Select(static _ => new List<long>()).ToArray();
        var next = -1;
        var renewing = new List<Task>();
        await using var client = new CairnClient(new ClientOptions { Endpoints = endpoints, Seed = 1 });

        // Renewing begins beside granting: the first lease would have ended before the last was granted.
        renewing.AddRange(shards.Select((shard, i) => flock.RenewAsync(shard, i)));
        flock._renewing = Task.WhenAll(renewing);
        await Task.WhenAll(Enumerable.Range(0, GrantsAtOnce).Select(async _ =>
        {
            for (var i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next))
            {
                var asked = TimeProvider.System.GetTimestamp();
                var id = (await client.Lease.GrantAsync(ttl)).ID;
                if (isDead(i))
                {
                    flock.Dead[id] = (asked, TimeProvider.System.GetTimestamp());
                    continue;
                }

                flock.Living.Add(id);
                flock._renewedAt[id] = asked;
                lock (shards[i % shards.Length])
                {
                    shards[i % shards.Length].Add(id);
                }
            }
        }));
        return flock;
    }

    /// <summary>Ceases to renew.</summary>
    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _renewing;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        foreach (var channel in _channels)
        {
            channel.Dispose();
        }

        _stop.Dispose();
    }

    /// <summary>Renews the leases of a shard again and again; when a stream breaks, at once with the next server.</summary>
    private async Task RenewAsync(List<long> shard, int turn)
    {
        var waiting = new HashSet<long>();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await using var stream = _channels[turn++ % _channels.Length].Open(KeepAlive, new GrpcCallOptions { Cancelled = _stop.Token });
                while (true)
                {
                    var began = TimeProvider.System.GetTimestamp();
                    await RenewOnceAsync(stream, shard, waiting);
                    var rest = _pause - TimeProvider.System.GetElapsedTime(began);
                    await Task.Delay(rest > TimeSpan.Zero ? rest : TimeSpan.Zero, _stop.Token);
                }
            }
            catch (Exception e) when (e is GrpcException or OperationCanceledException)
            {
                // Those that were not answered are asked for again elsewhere.
                await Task.WhenAny(Task.Delay(TimeSpan.FromMilliseconds(100), _stop.Token));
            }
        }
    }

    private async Task RenewOnceAsync(GrpcStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse> stream, List<long> shard, HashSet<long> waiting)
    {
        if (waiting.Count == 0)
        {
            lock (shard)
            {
                waiting.UnionWith(shard);
            }
        }

        var asked = TimeProvider.System.GetTimestamp();
        var asking = AskAsync(stream, [.. waiting]);
        while (waiting.Count > 0 && await stream.ReadAsync() is { } answer)
        {
            waiting.Remove(answer.ID);
            Interlocked.Increment(ref _renewals);
            if (answer.TTL <= 0)
            {
                var since = TimeProvider.System.GetElapsedTime(_renewedAt[answer.ID]);
                Lost.Enqueue($"lease {answer.ID:x} of a living client was gone {since.TotalSeconds:F1} s after the last renewal, asked for again {TimeProvider.System.GetElapsedTime(asked).TotalSeconds:F1} s ago");
            }

            _renewedAt[answer.ID] = asked;
        }

        await asking;
        if (waiting.Count > 0)
        {
            throw new GrpcException(new Grpc.GrpcStatus(Grpc.GrpcStatusCode.Unavailable, "the stream ended"));
        }
    }

    private static async Task AskAsync(GrpcStream<LeaseKeepAliveRequest, LeaseKeepAliveResponse> stream, long[] leases)
    {
        foreach (var id in leases)
        {
            await stream.WriteAsync(new LeaseKeepAliveRequest { ID = id });
        }
    }
}
