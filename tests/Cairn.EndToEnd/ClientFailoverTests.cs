using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>The client library while its server goes away and comes back.</summary>
public sealed class ClientFailoverTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_dead_endpoint_is_passed_over()
    {
        await using var server = await Server.StartAsync(_directory["data"]);
        var dead = Ports.Free(1)[0];

        for (ulong seed = 0; seed < 4; seed++)
        {
            await using var client = new CairnClient(new ClientOptions { Endpoints = [$"127.0.0.1:{dead}", server.Endpoint], Seed = seed });
            await client.Kv.PutAsync("failover/a", $"{seed}");
            Assert.Equal($"{seed}", (await client.Kv.GetAsync("failover/a"))?.Value.ToStringUtf8());
        }
    }

    [Fact]
    public async Task A_write_that_nobody_saw_says_so_when_its_time_is_over()
    {
        var options = new ClientOptions { Endpoints = [$"127.0.0.1:{Ports.Free(1)[0]}"], CallTimeout = TimeSpan.FromMilliseconds(300) };
        await using var client = new CairnClient(options);

        var failed = await Assert.ThrowsAsync<ClientException>(() => client.Kv.PutAsync("a", "1"));

        Assert.Equal(ClientErrorCode.Unavailable, failed.Code);
        Assert.True(failed.NeverSent);
    }

    [Fact]
    public async Task A_watcher_goes_on_where_it_was_when_the_server_comes_back()
    {
        await using var server = await Server.StartAsync(_directory["data"]);
        await using var client = server.Connect();
        await using var watcher = client.Watch.Open(KeyRange.Prefix("resume/"));
        await watcher.CreatedAsync();
        await client.Kv.PutAsync("resume/a", "1");
        var before = await ClientTests.EventsAsync(watcher, 1);

        var waiting = ClientTests.EventsAsync(watcher, 2);
        await server.KillAsync();
        await server.StartAsync();
        await client.Kv.PutAsync("resume/b", "2");
        await client.Kv.PutAsync("resume/c", "3");
        var after = await waiting;

        Assert.Equal(["resume/b", "resume/c"], after.Select(static change => change.Kv.Key.ToStringUtf8()));
        Assert.True(after[0].Kv.ModRevision > before[0].Kv.ModRevision);
    }

    [Fact]
    public async Task A_lease_is_kept_alive_over_a_restart()
    {
        await using var server = await Server.StartAsync(_directory["data"]);
        await using var client = server.Connect();
        var lease = await client.Lease.GrantAsync(20);
        await using var keeper = client.Lease.KeepAlive(lease.ID, lease.TTL);

        await server.KillAsync();
        await server.StartAsync();

        Assert.Equal(20, (await client.Lease.KeepAliveOnceAsync(lease.ID)).TTL);
        Assert.False(keeper.Lost.IsCancellationRequested);
    }
}
