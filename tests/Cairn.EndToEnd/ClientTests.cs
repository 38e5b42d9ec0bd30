using Cairn.Client;
using Cairn.Client.Recipes;
using Cairn.EndToEnd.Harness;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>The client library against a real server.</summary>
public sealed class ClientTests(SharedServer shared) : IClassFixture<SharedServer>
{
    [Fact]
    public async Task Keys_are_written_read_and_deleted()
    {
        await using var client = shared.Server.Connect();

        var put = await client.Kv.PutAsync("kv/a", "1");
        var row = await client.Kv.GetAsync("kv/a");
        var deleted = await client.Kv.DeleteAsync(KeyRange.Prefix("kv/"));

        Assert.Equal("1", row?.Value.ToStringUtf8());
        Assert.Equal(put.Header.Revision, row?.ModRevision);
        Assert.Equal(1, deleted.Deleted);
        Assert.Null(await client.Kv.GetAsync("kv/a"));
    }

    [Fact]
    public async Task A_refused_call_carries_the_servers_code_and_text()
    {
        await using var client = shared.Server.Connect();

        var refused = await Assert.ThrowsAsync<ClientException>(() => client.Kv.PutAsync("", "1"));

        Assert.Equal(ClientErrorCode.InvalidArgument, refused.Code);
        Assert.Equal("etcdserver: key is not provided", refused.Message);
        Assert.False(refused.NeverSent);
    }

    [Fact]
    public async Task A_watcher_gives_each_change_once_and_in_order()
    {
        await using var client = shared.Server.Connect();
        await using var watcher = client.Watch.Open(KeyRange.Prefix("watch/"));
        await watcher.CreatedAsync();

        var puts = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => client.Kv.PutAsync($"watch/{i}", $"{i}")));

        var seen = await EventsAsync(watcher, 100);
        Assert.Equal(puts.Select(static put => put.Header.Revision).Order(), seen.Select(static change => change.Kv.ModRevision));
    }

    [Fact]
    public async Task A_watcher_of_the_compacted_past_says_from_where_it_can_start()
    {
        await using var client = shared.Server.Connect();
        await client.Kv.PutAsync("compacted/a", "1");
        var last = (await client.Kv.PutAsync("compacted/a", "2")).Header.Revision;
        await client.Kv.CompactAsync(last);
        await using var watcher = client.Watch.Open(KeyRange.Prefix("compacted/"), startRevision: 1);

        var compacted = await Assert.ThrowsAsync<WatchCompactedException>(() => watcher.NextAsync());

        Assert.Equal(last, compacted.CompactRevision);
    }

    [Fact]
    public async Task A_watcher_whose_wait_was_given_up_misses_nothing()
    {
        await using var client = shared.Server.Connect();
        await using var watcher = client.Watch.Open(KeyRange.Prefix("giveup/"));
        await watcher.CreatedAsync();
        using var given = new CancellationTokenSource();
        var waiting = watcher.NextAsync(given.Token);
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        await client.Kv.PutAsync("giveup/a", "1");

        Assert.Equal("giveup/a", (await watcher.NextAsync()).Events[0].Kv.Key.ToStringUtf8());
    }

    [Fact]
    public async Task A_refused_watcher_says_why()
    {
        await using var client = shared.Server.Connect();
        await using var watcher = client.Watch.Open(new KeyRange(ByteString.CopyFromUtf8("b"), ByteString.CopyFromUtf8("a")));

        var refused = await Assert.ThrowsAsync<ClientException>(() => watcher.NextAsync());

        Assert.Contains("watcher range is empty", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lease_that_is_revoked_is_lost_for_its_keeper()
    {
        await using var client = shared.Server.Connect();
        var lease = await client.Lease.GrantAsync(5);
        await using var keeper = client.Lease.KeepAlive(lease.ID, lease.TTL);
        var lost = new TaskCompletionSource();
        await using var registration = keeper.Lost.Register(lost.SetResult);

        await client.Lease.RevokeAsync(lease.ID);

        await lost.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_lease_that_is_kept_outlives_its_time()
    {
        await using var client = shared.Server.Connect();
        var kept = await client.Lease.GrantAsync(5);
        await using var keeper = client.Lease.KeepAlive(kept.ID, kept.TTL);
        var left = await client.Lease.GrantAsync(5);
        var put = await client.Kv.PutAsync("outlive/left", "1", left.ID);
        await client.Kv.PutAsync("outlive/kept", "1", kept.ID);
        await using var watcher = client.Watch.Open(KeyRange.Prefix("outlive/left"), put.Header.Revision + 1);

        var ended = await watcher.NextAsync();

        Assert.Equal(Event.Types.EventType.Delete, ended.Events[0].Type);
        Assert.False(keeper.Lost.IsCancellationRequested);
        Assert.NotNull(await client.Kv.GetAsync("outlive/kept"));
    }

    [Fact]
    public async Task Keep_alive_once_answers_zero_for_a_lease_that_does_not_exist()
    {
        await using var client = shared.Server.Connect();

        Assert.Equal(0, (await client.Lease.KeepAliveOnceAsync(4711)).TTL);
    }

    [Fact]
    public async Task A_lock_passes_from_one_session_to_the_next_with_a_greater_revision()
    {
        await using var client = shared.Server.Connect();
        await using var firstSession = await Session.OpenAsync(client);
        await using var secondSession = await Session.OpenAsync(client);
        var first = new DistributedLock(firstSession, "lock");
        var second = new DistributedLock(secondSession, "lock");
        await first.AcquireAsync();
        var firstRevision = first.Revision;

        var waiting = second.AcquireAsync();
        Assert.True(await first.ReleaseAsync());
        await waiting;

        Assert.True(second.Revision > firstRevision);
        Assert.False(await first.ReleaseAsync());
    }

    [Fact]
    public async Task A_lock_and_etcdctls_lock_exclude_each_other()
    {
        await using var client = shared.Server.Connect();
        await using var theirs = shared.Etcdctl.Start("lock", "common");
        await theirs.LineAsync();
        await using var session = await Session.OpenAsync(client);
        var ours = new DistributedLock(session, "common");

        var waiting = ours.AcquireAsync();
        var line = await client.Kv.GetAsync(KeyRange.Prefix("common/"));
        Assert.False(waiting.IsCompletedSuccessfully);
        Signals.SendInterrupt(theirs.Process);
        await waiting;

        Assert.True(line.Kvs.Count >= 1);
        Assert.Equal(ours.Key, (await client.Kv.GetAsync(KeyRange.Prefix("common/"))).Kvs[0].Key);
    }

    [Fact]
    public async Task An_election_is_observed()
    {
        await using var client = shared.Server.Connect();
        await using var session = await Session.OpenAsync(client);
        var election = new Election(session, "chair");
        Assert.Null(await election.LeaderAsync());

        await election.CampaignAsync(ByteString.CopyFromUtf8("me"));
        await using var observed = election.ObserveAsync().GetAsyncEnumerator();
        Assert.True(await observed.MoveNextAsync());
        Assert.Equal("me", observed.Current.Value.ToStringUtf8());
        Assert.True(await election.ProclaimAsync(ByteString.CopyFromUtf8("still me")));
        Assert.True(await observed.MoveNextAsync());
        Assert.Equal("still me", observed.Current.Value.ToStringUtf8());
        Assert.True(await election.ResignAsync());
        Assert.Null(await election.LeaderAsync());
    }

    [Fact]
    public async Task Endpoints_are_taken_from_the_members()
    {
        await using var client = shared.Server.Connect();

        await client.SyncEndpointsAsync();

        Assert.Equal([new Uri($"http://{shared.Server.Endpoint}")], client.Endpoints);
    }

    [Fact]
    public async Task Large_values_and_large_answers_pass()
    {
        await using var client = shared.Server.Connect();
        var value = ByteString.CopyFrom(new byte[1024 * 1024]);
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => client.Kv.PutAsync(new PutRequest { Key = ByteString.CopyFromUtf8($"large/{i}"), Value = value })));

        var all = await client.Kv.GetAsync(KeyRange.Prefix("large/"));

        Assert.Equal(8, all.Kvs.Count);
        Assert.All(all.Kvs, row => Assert.Equal(value, row.Value));
    }

    internal static async Task<List<Event>> EventsAsync(Watcher watcher, int count)
    {
        var events = new List<Event>();
        while (events.Count < count)
        {
            events.AddRange((await watcher.NextAsync()).Events);
        }

        return events;
    }
}
