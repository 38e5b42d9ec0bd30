using System.Globalization;
using System.Net.Security;
using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.EndToEnd.Probe;

/// <summary>Milvus in miniature: a session with a lease of 15 s, registered by a transaction, kept alive and given up by Milvus' rules, and a save every 50 ms.</summary>
/// <remarks>
/// When no renewal succeeded for one TTL, or the lease is said to be gone, the session asks how long the lease has left; if that is nothing, or there is no
/// answer within one more TTL, it exits with status 80. So it does when it sees its key deleted.
/// </remarks>
internal sealed class MilvusProbe : IAsyncDisposable
{
    private const int LostSession = 80;
    private const string SessionKey = "by-dev/meta/session/rootcoord";
    private const string SaveKey = "by-dev/kv/gid/timestamp";
    private static readonly TimeSpan Ttl = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan SaveEvery = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);

    private readonly CairnClient _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly List<TimeSpan> _saves = [];
    private Task _work = Task.CompletedTask;
    private long _lease;
    private long _registered;
    private int _failedSaves;
    private int _exitStatus;

    private MilvusProbe(CairnClient client) => _client = client;

    /// <summary>0 while it runs; the status with which Milvus would have exited.</summary>
    public int ExitStatus => Volatile.Read(ref _exitStatus);

    /// <summary>Registers a session and begins to work.</summary>
    /// <param name="endpoints">The servers.</param>
    /// <returns>The probe, at work.</returns>
    public static Task<MilvusProbe> StartAsync(params string[] endpoints) => StartAsync(tls: null, endpoints);

    /// <summary>Registers a session with members of a cluster and begins to work.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <returns>The probe, at work.</returns>
    public static Task<MilvusProbe> StartAsync(LocalCluster cluster) => StartAsync(cluster.Members[0].Tls, [.. cluster.Members.Select(static member => member.Endpoint)]);

    private static async Task<MilvusProbe> StartAsync(SslClientAuthenticationOptions? tls, string[] endpoints)
    {
        var probe = new MilvusProbe(new CairnClient(new ClientOptions { Endpoints = endpoints, Tls = tls, CallTimeout = TimeSpan.FromSeconds(10), Seed = 1 }));
        probe._lease = (await probe._client.Lease.GrantAsync((long)Ttl.TotalSeconds)).ID;
        var put = new PutRequest { Key = Text(SessionKey), Value = Text("{}"), Lease = probe._lease };
        var answer = await probe._client.Kv.TxnAsync(new TxnRequest
        {
            Compare = { new Compare { Key = Text(SessionKey), Target = Compare.Types.CompareTarget.Version, Version = 0 } },
            Success = { new RequestOp { RequestPut = put } },
        });
        probe._registered = answer.Header.Revision;
        probe._work = Task.WhenAll(probe.KeepAliveAsync(), probe.WatchAsync(), probe.SaveAsync());
        return probe;
    }

    /// <summary>Works for a while.</summary>
    /// <param name="span">How long.</param>
    /// <returns>When it is over, or the probe has exited.</returns>
    public async Task WorkAsync(TimeSpan span)
    {
        try
        {
            await Task.Delay(span, _stop.Token);
        }
        catch (OperationCanceledException)
        {
            // It has exited.
        }
    }

    /// <summary>Whether the session is the one that was registered.</summary>
    public async Task<bool> IsRegisteredAsync() => (await _client.Kv.GetAsync(SessionKey))?.ModRevision == _registered;

    /// <summary>Writes and counts, in words.</summary>
    public string Report()
    {
        var saves = Measure();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"exit {ExitStatus}, {saves.Count} saves, p50 {saves.Median:F0} ms, p99 {saves.P99:F0} ms, worst {saves.Worst:F0} ms, {saves.Failed} failed");
    }

    /// <summary>How long saves took.</summary>
    public SaveTimes Measure()
    {
        lock (_saves)
        {
            double[] sorted = [.. _saves.Select(static save => save.TotalMilliseconds).Order()];
            double Quantile(double part) => sorted.Length == 0 ? 0 : sorted[(int)((sorted.Length - 1) * part)];
            return new SaveTimes(sorted.Length, Quantile(0.5), Quantile(0.99), Quantile(1), _failedSaves);
        }
    }

    /// <summary>Forgets how long saves took so far; the session goes on.</summary>
    public void Forget()
    {
        lock (_saves)
        {
            _saves.Clear();
            _failedSaves = 0;
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _work;
        await _client.DisposeAsync();
        _stop.Dispose();
    }

    private static ByteString Text(string text) => ByteString.CopyFromUtf8(text);

    private async Task KeepAliveAsync()
    {
        var last = TimeProvider.System.GetTimestamp();
        while (!_stop.IsCancellationRequested)
        {
            var ttl = await TryAsync(async cancelled => (await _client.Lease.KeepAliveOnceAsync(_lease, cancelled)).TTL, Ttl / 3);
            if (ttl > 0)
            {
                last = TimeProvider.System.GetTimestamp();
            }

            if (ttl == 0 || TimeProvider.System.GetElapsedTime(last) >= Ttl)
            {
                if (await FindTimeLeftAsync() <= 0)
                {
                    await ExitAsync();
                    return;
                }

                last = TimeProvider.System.GetTimestamp();
            }

            await WorkAsync(ttl > 0 ? Ttl / 3 : RetryAfter);
        }
    }

    /// <summary>Asks how long the lease has left, for one TTL.</summary>
    /// <returns>Seconds; 0 if nobody answered.</returns>
    private async Task<long> FindTimeLeftAsync()
    {
        var began = TimeProvider.System.GetTimestamp();
        while (TimeProvider.System.GetElapsedTime(began) < Ttl)
        {
            if (await TryAsync(async cancelled => (await _client.Lease.TimeToLiveAsync(_lease, cancelled: cancelled)).TTL, Ttl / 3) is { } left)
            {
                return left;
            }

            await WorkAsync(RetryAfter);
        }

        return 0;
    }

    private async Task WatchAsync()
    {
        await using var watcher = _client.Watch.Open(KeyRange.Of(Text(SessionKey)), _registered + 1);
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var response = await watcher.NextAsync(_stop.Token);
                if (response.Events.Any(static change => change.Type == Event.Types.EventType.Delete))
                {
                    await ExitAsync();
                }
            }
            catch (Exception e) when (e is ClientException or OperationCanceledException)
            {
                // The client resumes the watch where it was.
                await WorkAsync(RetryAfter);
            }
        }
    }

    private async Task SaveAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var began = TimeProvider.System.GetTimestamp();
            try
            {
                await _client.Kv.PutAsync(new PutRequest { Key = Text(SaveKey), Value = ByteString.CopyFrom(BitConverter.GetBytes(began)) }, _stop.Token);
            }
            catch (ClientException)
            {
                lock (_saves)
                {
                    _failedSaves++;
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }

            lock (_saves)
            {
                _saves.Add(TimeProvider.System.GetElapsedTime(began));
            }

            await WorkAsync(SaveEvery);
        }
    }

    private async Task<long?> TryAsync(Func<CancellationToken, Task<long>> ask, TimeSpan within)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        limit.CancelAfter(within);
        try
        {
            return await ask(limit.Token);
        }
        catch (Exception e) when (e is ClientException or OperationCanceledException)
        {
            return _stop.IsCancellationRequested ? 1 : null;
        }
    }

    private async Task ExitAsync()
    {
        if (!_stop.IsCancellationRequested)
        {
            Volatile.Write(ref _exitStatus, LostSession);
            await _stop.CancelAsync();
        }
    }
}

/// <summary>How long saves took, failed ones included, in milliseconds.</summary>
/// <param name="Count">How many there were.</param>
/// <param name="Median">Half of them took no longer.</param>
/// <param name="P99">99 of 100 took no longer.</param>
/// <param name="Worst">The longest.</param>
/// <param name="Failed">How many failed.</param>
internal readonly record struct SaveTimes(int Count, double Median, double P99, double Worst, int Failed);
