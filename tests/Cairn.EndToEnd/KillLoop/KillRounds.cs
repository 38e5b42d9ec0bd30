using Cairn.Client;
using Cairn.Protocol;
using Xunit;

namespace Cairn.EndToEnd.KillLoop;

/// <summary>Writers at work on a store that is killed under them, and what must hold after each start. Not thread-safe.</summary>
internal sealed class KillRounds : IAsyncDisposable
{
    private const int Writers = 12;

    private readonly IKillTarget _target;
    private readonly IReadOnlyList<CairnClient> _clients;
    private readonly CairnClient _client;
    private readonly Writer[] _writers;
    private readonly Prng _prng;
    private long _acknowledged;
    private long _killAfter;
    private TaskCompletionSource _kill = new();
    private ulong _term;
    private ulong _cluster;
    private long _floor;

    /// <summary>Takes a store that runs.</summary>
    /// <param name="target">The store; the caller disposes it.</param>
    /// <param name="seed">Says what the writers do and when the store is killed.</param>
    public KillRounds(IKillTarget target, ulong seed)
    {
        _target = target;
        _clients = [.. target.Endpoints.Select(static endpoint => new CairnClient(new ClientOptions { Endpoints = [endpoint], Seed = 1 }))];
        _client = _clients[0];
        _prng = new Prng(seed);
        _writers = [.. Enumerable.Range(0, Writers).Select(number => new Writer(_clients[number % _clients.Count], number, seed, Acknowledge))];
    }

    /// <summary>Changes that were acknowledged so far.</summary>
    public long Acknowledged => Interlocked.Read(ref _acknowledged);

    /// <summary>Lets the writers write until so many changes are acknowledged, and kills the store at that moment.</summary>
    /// <param name="changes">How many at least; chance adds up to as many again.</param>
    /// <returns>When what is killed is gone and the writers have stopped.</returns>
    public async Task WriteAndKillAsync(int changes)
    {
        _kill = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Interlocked.Exchange(ref _killAfter, Acknowledged + changes + _prng.Below(changes));
        using var gone = new CancellationTokenSource();
        var writing = _writers.Select(writer => writer.RunAsync(gone.Token)).ToList();

        // A writer that is refused ends, and the others go on: they bring the kill about.
        var all = Task.WhenAll(writing);
        if (await Task.WhenAny(all, _kill.Task) == all)
        {
            await all;
            throw new InvalidOperationException($"the writers stopped by themselves. It said:\n{_target.Said}");
        }

        await _target.KillAsync();
        await gone.CancelAsync();
        await all;
    }

    /// <summary>Compacts while writers write; whether it took effect may not be known.</summary>
    /// <returns>When it is answered.</returns>
    public async Task CompactAsync()
    {
        _floor = _writers.Max(static writer => writer.Revision) - 50;
        await _client.Kv.CompactAsync(_floor);
    }

    /// <summary>Checks that all that was acknowledged is there.</summary>
    /// <returns>When it is checked.</returns>
    public async Task CheckAsync()
    {
        var revision = _writers.Max(static writer => writer.Revision);
        var status = await _client.Maintenance.StatusAsync(_target.Endpoints[0]);
        Assert.True(status.Header.Revision >= revision, $"the revision went back from {revision} to {status.Header.Revision}");
        Assert.True(status.RaftTerm >= _term, $"the term went back from {_term} to {status.RaftTerm}");
        Assert.True(_cluster == 0 || _cluster == status.Header.ClusterId, "the cluster has another id");
        (_term, _cluster) = (status.RaftTerm, status.Header.ClusterId);

        var leases = (await _client.Lease.ListAsync()).Leases.Select(static lease => lease.ID).ToList();
        var wrong = new List<string>();
        foreach (var writer in _writers)
        {
            wrong.AddRange(await writer.CheckAsync(leases));
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.NotEqual(0u, (await _client.Maintenance.HashKvAsync(_target.Endpoints[0])).Hash);
    }

    /// <summary>Checks that history holds every acknowledged change at its revision, in order, each once.</summary>
    /// <returns>How many changes history holds.</returns>
    public async Task<int> CheckHistoryAsync()
    {
        var last = (await _client.Maintenance.StatusAsync(_target.Endpoints[0])).Header.Revision;
        var changes = await ReadHistoryAsync(last);
        var found = new HashSet<(long, string, string?)>(changes);
        Assert.Equal(changes.Count, found.Count);
        Assert.Equal(changes.Select(static change => change.Revision).Order(), changes.Select(static change => change.Revision));
        var lost = _writers.SelectMany(static writer => writer.Acknowledged).Where(change => change.Revision > _floor && !found.Contains(change)).ToList();
        Assert.True(lost.Count == 0, $"history lacks {lost.Count} acknowledged changes, such as {lost.FirstOrDefault()}");
        return changes.Count;
    }

    /// <summary>Hashes the key space at a revision.</summary>
    /// <param name="revision">The revision, or 0 for the newest.</param>
    /// <returns>The hash, and the revision of the answer.</returns>
    public async Task<(uint Hash, long Revision)> HashAsync(long revision = 0)
    {
        var response = await _client.Maintenance.HashKvAsync(_target.Endpoints[0], revision);
        return (response.Hash, response.Header.Revision);
    }

    /// <summary>Closes the connections.</summary>
    /// <returns>When they are closed.</returns>
    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            await client.DisposeAsync();
        }
    }

    private void Acknowledge()
    {
        if (Interlocked.Increment(ref _acknowledged) >= Interlocked.Read(ref _killAfter))
        {
            _kill.TrySetResult();
        }
    }

    private async Task<List<(long Revision, string Key, string? Value)>> ReadHistoryAsync(long last)
    {
        // The mark ends history for sure: all that is wanted lies before it.
        await _client.Kv.PutAsync("x-mark", "end");
        await using var watcher = _client.Watch.Open(KeyRange.All, _floor + 1);
        var changes = new List<(long, string, string?)>();
        while (true)
        {
            foreach (var change in (await watcher.NextAsync()).Events)
            {
                if (change.Kv.ModRevision > last)
                {
                    return changes;
                }

                var deleted = change.Type == Event.Types.EventType.Delete;
                changes.Add((change.Kv.ModRevision, change.Kv.Key.ToStringUtf8(), deleted ? null : change.Kv.Value.ToStringUtf8()));
            }
        }
    }
}
