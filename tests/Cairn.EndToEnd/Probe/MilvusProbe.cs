using System.Globalization;
using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Probe;

/// <summary>Milvus in miniature: a session with a lease of 15 s, registered by a transaction, kept alive and given up by Milvus' rules, and a save every 50 ms.</summary>
/// <remarks>
/// When no renewal succeeded for one TTL, or the lease is said to be gone, the session asks how long the lease has left; if that is nothing, or there is no
/// answer within one more TTL, it exits with status 80. So it does when it sees its key deleted. Beside it stands a rival, as a second coordinator does, who
/// registers once nobody is registered; and all changes are watched, in which every acknowledged save has to appear, once, and in order.
/// </remarks>
internal sealed class MilvusProbe : IAsyncDisposable
{
    private const int LostSession = 80;
    private const string Root = "by-dev/";
    private const string SessionKey = Root + "meta/session/rootcoord";
    private const string SaveKey = Root + "kv/gid/timestamp";
    private static readonly TimeSpan Ttl = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan SaveEvery = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan RivalTriesEvery = TimeSpan.FromSeconds(1);

    // Milvus gives up by itself after two times its TTL: nothing is asked of a store that has no quorum for longer than this.
    private static readonly TimeSpan SilenceBorne = Ttl * 1.5;

    private readonly CairnClient _client;
    private readonly CancellationTokenSource _stop = new();
    private readonly SeenChanges _changes = new();
    private readonly List<TimeSpan> _saves = [];
    private readonly Lock _answers = new();
    private Task _work = Task.CompletedTask;
    private long _lease;
    private long _registered;
    private long _answeredAt;
    private TimeSpan _longestSilence;
    private int _failedSaves;
    private int _exitStatus;
    private int _wrongElections;

    private MilvusProbe(CairnClient client) => _client = client;

    /// <summary>0 while it runs; the status with which Milvus would have exited.</summary>
    public int ExitStatus => Volatile.Read(ref _exitStatus);

    /// <summary>Registers a session and begins to work.</summary>
    /// <param name="endpoints">The servers.</param>
    /// <returns>The probe, at work.</returns>
    public static Task<MilvusProbe> StartAsync(params string[] endpoints) => StartAsync(new ClientOptions { Endpoints = endpoints });

    /// <summary>Registers a session with members of a cluster and begins to work.</summary>
    /// <param name="cluster">The cluster.</param>
    /// <returns>The probe, at work.</returns>
    public static Task<MilvusProbe> StartAsync(LocalCluster cluster) =>
        StartAsync(new ClientOptions { Endpoints = [.. cluster.Members.Select(static member => member.Endpoint)], Tls = cluster.Members[0].Tls });

    /// <summary>Registers a session and begins to work.</summary>
    /// <param name="options">Where, and as whom.</param>
    /// <returns>The probe, at work.</returns>
    public static async Task<MilvusProbe> StartAsync(ClientOptions options)
    {
        var probe = new MilvusProbe(new CairnClient(options with { CallTimeout = TimeSpan.FromSeconds(10), Seed = 1 }));
        probe._lease = (await probe._client.Lease.GrantAsync((long)Ttl.TotalSeconds)).ID;
        await LocalCluster.UntilAsync(probe.RegisterAsync);
        probe._answeredAt = TimeProvider.System.GetTimestamp();
        probe._work = Task.WhenAll(probe.KeepAliveAsync(), probe.WatchAsync(), probe.SaveAsync(), probe.RivalAsync());
        return probe;
    }

    /// <summary>Insists that all is as it must be for a client that is alive: the session is there, nobody else was elected, and no acknowledged save was missed by who watches.</summary>
    /// <remarks>Of a session that no server answered for longer than one and a half TTL nothing is asked: it may have given itself up.</remarks>
    public async Task AssertWholeAsync()
    {
        var silence = NoteAnswer(isOne: false);
        Assert.Equal(0, Volatile.Read(ref _wrongElections));
        if (silence > SilenceBorne)
        {
            TestContext.Current.SendDiagnosticMessage($"nobody answered the session for {silence}: not judged");
            return;
        }

        Assert.True(ExitStatus == 0, $"the session was given up: {Report()}");
        await LocalCluster.UntilAsync(async () => await IsRegisteredAsync() ? true : throw new InvalidOperationException($"the session is gone: {Report()}"));
        var saves = _changes.Acknowledged();
        await LocalCluster.UntilAsync(() => Task.FromResult(_changes.HasCaughtUp(saves)));
        Assert.Empty(_changes.Missed(saves));
        Assert.Equal(0, _changes.OutOfOrder);
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
            $"exit {ExitStatus}, {saves.Count} saves, p50 {saves.Median:F0} ms, p99 {saves.P99:F0} ms, worst {saves.Worst:F0} ms, {saves.Failed} failed, longest silence {NoteAnswer(isOne: false).TotalSeconds:F1} s, {_wrongElections} wrong elections");
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
                NoteAnswer(isOne: true);
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
        var from = _registered + 1;
        while (!_stop.IsCancellationRequested)
        {
            await using var watcher = _client.Watch.Open(KeyRange.Prefix(Root), from);
            try
            {
                while (true)
                {
                    foreach (var change in (await watcher.NextAsync(_stop.Token)).Events)
                    {
                        await SeeAsync(change);
                    }
                }
            }
            catch (WatchCompactedException e)
            {
                // What is compacted cannot be watched any more: Milvus lists anew.
                _changes.Excuse(e.CompactRevision);
                from = e.CompactRevision;
            }
            catch (Exception e) when (e is ClientException or OperationCanceledException)
            {
                from = watcher.NextRevision;
                await WorkAsync(RetryAfter);
            }
        }
    }

    private async Task SeeAsync(Event change)
    {
        switch (change.Kv.Key.ToStringUtf8())
        {
            case SaveKey:
                _changes.See(change.Kv.ModRevision);
                break;
            case SessionKey when change.Type == Event.Types.EventType.Delete:
                await ExitAsync();
                break;
        }
    }

    /// <summary>A second coordinator: it registers when nobody is registered, which is never the case while the first one is alive.</summary>
    private async Task RivalAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if ((await _client.Kv.TxnAsync(Registration("rival", lease: 0), _stop.Token)).Succeeded && ExitStatus == 0)
                {
                    Interlocked.Increment(ref _wrongElections);
                }
            }
            catch (Exception e) when (e is ClientException or OperationCanceledException)
            {
                // It tries again.
            }

            await WorkAsync(RivalTriesEvery);
        }
    }

    /// <summary>Registers the session, if an attempt that failed has not done so already.</summary>
    private async Task<bool> RegisterAsync()
    {
        var answer = await _client.Kv.TxnAsync(Registration("{}", _lease));
        _registered = answer.Header.Revision;
        if (!answer.Succeeded)
        {
            var found = await _client.Kv.GetAsync(SessionKey);
            Assert.True(found?.Lease == _lease, "somebody is registered before the probe");
            _registered = found.ModRevision;
        }

        return true;
    }

    private static TxnRequest Registration(string value, long lease) => new()
    {
        Compare = { new Compare { Key = Text(SessionKey), Target = Compare.Types.CompareTarget.Version, Version = 0 } },
        Success = { new RequestOp { RequestPut = new PutRequest { Key = Text(SessionKey), Value = Text(value), Lease = lease } } },
    };

    /// <summary>Notes that the store answered now.</summary>
    /// <param name="isOne">False only to look.</param>
    /// <returns>For how long nobody answered at most.</returns>
    private TimeSpan NoteAnswer(bool isOne)
    {
        lock (_answers)
        {
            var now = TimeProvider.System.GetTimestamp();
            var silence = TimeProvider.System.GetElapsedTime(_answeredAt, now);
            _longestSilence = silence > _longestSilence ? silence : _longestSilence;
            _answeredAt = isOne ? now : _answeredAt;
            return _longestSilence;
        }
    }

    private async Task SaveAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            var began = TimeProvider.System.GetTimestamp();
            try
            {
                var put = new PutRequest { Key = Text(SaveKey), Value = ByteString.CopyFrom(BitConverter.GetBytes(began)) };
                _changes.Acknowledge((await _client.Kv.PutAsync(put, _stop.Token)).Header.Revision);
                NoteAnswer(isOne: true);
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
