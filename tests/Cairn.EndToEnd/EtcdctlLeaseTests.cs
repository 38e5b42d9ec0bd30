using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>Leases, and what rests on them: locks and elections.</summary>
public sealed class EtcdctlLeaseTests(SharedServer shared) : IClassFixture<SharedServer>
{
    [Fact]
    public async Task Revoking_a_lease_deletes_its_keys()
    {
        var id = await GrantAsync(600);
        await shared.Etcdctl.RunAsync("put", "lease/a", "1", "--lease", id);
        await shared.Etcdctl.RunAsync("put", "lease/b", "1", "--lease", id);

        Assert.Equal($"lease {id} revoked", await shared.Etcdctl.RunAsync("lease", "revoke", id));

        Assert.Equal("", await shared.Etcdctl.RunAsync("get", "lease/", "--prefix"));
    }

    [Fact]
    public async Task Timetolive_prints_the_keys_of_a_lease()
    {
        var id = await GrantAsync(600);
        await shared.Etcdctl.RunAsync("put", "ttl/a", "1", "--lease", id);

        var said = await shared.Etcdctl.RunAsync("lease", "timetolive", id, "--keys");

        Assert.StartsWith($"lease {id} granted with TTL(600s), remaining(", said, StringComparison.Ordinal);
        Assert.EndsWith("attached keys([ttl/a])", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task List_prints_leases_that_live_and_none_that_do_not()
    {
        var living = await GrantAsync(600);
        var dead = await GrantAsync(600);
        await shared.Etcdctl.RunAsync("lease", "revoke", dead);

        var said = await shared.Etcdctl.RunAsync("lease", "list");

        Assert.Contains(living, said, StringComparison.Ordinal);
        Assert.DoesNotContain(dead, said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Keep_alive_renews()
    {
        var id = await GrantAsync(600);

        Assert.Equal($"lease {id} keepalived with TTL(600)", await shared.Etcdctl.RunAsync("lease", "keep-alive", "--once", id));
    }

    [Fact]
    public async Task A_lease_that_nobody_renews_ends_and_its_keys_with_it()
    {
        var next = (await shared.Etcdctl.JsonAsync("get", "x")).GetProperty("header").GetProperty("revision").GetInt64() + 1;
        await using var watch = shared.Etcdctl.Start("watch", "expire/a", "--rev", $"{next}");
        var id = await GrantAsync(10);
        await shared.Etcdctl.RunAsync("put", "expire/a", "1", "--lease", id);

        await watch.LineAsync(static line => line == "DELETE");

        Assert.Equal($"lease {id} already expired", await shared.Etcdctl.RunAsync("lease", "timetolive", id));
    }

    [Fact]
    public async Task A_put_to_a_lease_that_does_not_exist_is_refused()
    {
        var result = await shared.Etcdctl.TryAsync("put", "unleased/a", "1", "--lease", "1234");

        Assert.Equal(1, result.Status);
        Assert.Contains("etcdserver: requested lease not found", result.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_lock_is_held_by_one_at_a_time()
    {
        await using var first = shared.Etcdctl.Start("lock", "mutex");
        var key = await first.LineAsync();
        Assert.StartsWith("mutex/", key, StringComparison.Ordinal);
        await using var second = shared.Etcdctl.Start("lock", "mutex");
        await BothWaitAsync("mutex/");

        Assert.Equal(key, (await shared.Etcdctl.RunAsync("get", "mutex/", "--prefix", "--keys-only", "--sort-by", "CREATE", "--limit", "1")).Trim());
        Signals.SendInterrupt(first.Process);

        Assert.NotEqual(key, await second.LineAsync());
    }

    [Fact]
    public async Task A_lock_is_held_while_a_program_runs_and_no_longer()
    {
        Assert.Equal("locked", await shared.Etcdctl.RunAsync("lock", "guarded", "echo", "locked"));

        Assert.Equal("", await shared.Etcdctl.RunAsync("get", "guarded/", "--prefix"));
    }

    [Fact]
    public async Task An_election_has_one_leader_and_the_next_follows_it()
    {
        await using var first = shared.Etcdctl.Start("elect", "poll", "one");
        var key = await first.LineAsync();
        Assert.Equal("one", await first.LineAsync());
        await using var second = shared.Etcdctl.Start("elect", "poll", "two");
        await BothWaitAsync("poll/");
        await using var observer = shared.Etcdctl.Start("elect", "-l", "poll");
        Assert.Equal(key, await observer.LineAsync());
        Assert.Equal("one", await observer.LineAsync());

        Signals.SendInterrupt(first.Process);

        await observer.LineAsync(static line => line == "two");
        await second.LineAsync(static line => line == "two");
    }

    private async Task<string> GrantAsync(int seconds)
    {
        var said = await shared.Etcdctl.RunAsync("lease", "grant", $"{seconds}");
        Assert.EndsWith($"granted with TTL({seconds}s)", said, StringComparison.Ordinal);
        return said.Split(' ')[1];
    }

    // The second stands in the line when its key is there; the wait ends with the change that shows it.
    private async Task BothWaitAsync(string prefix)
    {
        var found = await shared.Etcdctl.JsonAsync("get", prefix, "--prefix", "--keys-only");
        if (found.GetProperty("kvs").GetArrayLength() < 2)
        {
            var next = found.GetProperty("header").GetProperty("revision").GetInt64() + 1;
            await using var watch = shared.Etcdctl.Start("watch", prefix, "--prefix", "--rev", $"{next}");
            await watch.LineAsync(static line => line == "PUT");
        }
    }
}
