using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Cluster;

/// <summary>Three processes that are one store.</summary>
public sealed class ClusterTests
{
    [Fact]
    public async Task Every_member_takes_writes_and_all_agree()
    {
        await using var cluster = await LocalCluster.StartAsync();
        for (var i = 0; i < 90; i++)
        {
            await using var client = cluster.Members[i % 3].Connect();
            await client.Kv.PutAsync($"key/{i}", $"{i}");
        }

        await LocalCluster.AgreeAsync(cluster.Members);
        foreach (var member in cluster.Members)
        {
            await using var client = member.Connect();
            Assert.Equal(90, (await client.Kv.GetAsync(KeyRange.Prefix("key/"))).Count);
        }
    }

    [Fact]
    public async Task Every_member_renews_and_describes_a_lease()
    {
        await using var cluster = await LocalCluster.StartAsync();
        var lease = await new Etcdctl(cluster.Members[0].Endpoint).JsonAsync("lease", "grant", "60");
        var id = lease.GetProperty("ID").GetInt64().ToString("x", System.Globalization.CultureInfo.InvariantCulture);

        foreach (var member in cluster.Members)
        {
            var etcdctl = new Etcdctl(member.Endpoint);
            Assert.Contains("keepalived with TTL(60)", await etcdctl.RunAsync("lease", "keep-alive", "--once", id), StringComparison.Ordinal);
            Assert.Contains("granted with TTL(60s)", await etcdctl.RunAsync("lease", "timetolive", id), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Nothing_acknowledged_is_lost_when_the_leader_is_killed_under_load()
    {
        await using var cluster = await LocalCluster.StartAsync();
        var leader = await cluster.LeaderAsync();
        var others = cluster.Members.Where(member => member != leader).ToArray();
        using var enough = new CancellationTokenSource();
        var writers = others.Select((member, i) => WriteAsync(member, $"w{i}", enough.Token)).ToArray();
        await using var watched = others[0].Connect();
        await LocalCluster.UntilAsync(async () => (await watched.Kv.GetAsync(KeyRange.Prefix("w"))).Count > 200);

        await leader.KillAsync();

        await LocalCluster.UntilAsync(async () => (await watched.Kv.PutAsync("after", "1")).Header.Revision > 0);
        await enough.CancelAsync();
        var acknowledged = (await Task.WhenAll(writers)).SelectMany(static keys => keys).ToArray();
        var kept = (await watched.Kv.GetAsync(KeyRange.Prefix("w"))).Kvs.Select(static row => row.Key.ToStringUtf8()).ToHashSet();
        Assert.Superset(acknowledged.ToHashSet(), kept);
        await cluster.LaunchAsync(leader);
        await LocalCluster.AgreeAsync(cluster.Members);
    }

    [Fact]
    public async Task The_others_find_out_that_the_leader_was_killed_and_do_not_wait_for_it()
    {
        // Far longer than it takes to find out.
        await using var cluster = LocalCluster.Prepare();
        Array.ForEach(cluster.Members, static member => member.Flags = ["--heartbeat-interval", "400", "--election-timeout", "4000"]);
        await cluster.LaunchAsync(cluster.Members);
        var leader = await cluster.LeaderAsync();
        var others = cluster.Members.Where(member => member != leader).ToArray();

        await leader.KillAsync();

        await await Task.WhenAny(others.Select(static other => other.Run.LineAsync(static line => line.Contains("its process has ended, its peer address refuses connections", StringComparison.Ordinal))));
        await using var client = others[0].Connect();
        await LocalCluster.UntilAsync(async () => (await client.Kv.PutAsync("after", "1")).Header.Revision > 0);
    }

    [Theory]
    [InlineData(0, 1, 2)]
    [InlineData(2, 0, 1)]
    public async Task All_are_killed_at_once_and_come_back_in_any_order(int first, int second, int third)
    {
        await using var cluster = await LocalCluster.StartAsync();
        await using (var client = cluster.Connect())
        {
            await Task.WhenAll(Enumerable.Range(0, 500).Select(i => client.Kv.PutAsync($"key/{i}", $"{i}")));
        }

        await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
        await cluster.LaunchAsync(cluster.Members[first], cluster.Members[second], cluster.Members[third]);

        await using var after = cluster.Connect();
        Assert.Equal(500, (await after.Kv.GetAsync(KeyRange.Prefix("key/"))).Count);
        await LocalCluster.AgreeAsync(cluster.Members);
    }

    [Fact]
    public async Task A_member_that_missed_many_writes_catches_up()
    {
        await using var cluster = await LocalCluster.StartAsync();
        var leader = await cluster.LeaderAsync();
        var absent = cluster.Members.First(member => member != leader);
        await absent.KillAsync();
        await using (var client = leader.Connect())
        {
            for (var i = 0; i < 40; i++)
            {
                await Task.WhenAll(Enumerable.Range(0, 500).Select(j => client.Kv.PutAsync($"key/{i}/{j}", "value")));
            }
        }

        await cluster.LaunchAsync(absent);

        await LocalCluster.AgreeAsync(cluster.Members);
    }

    [Fact]
    public async Task One_member_grows_to_three_and_shrinks_again()
    {
        await using var cluster = LocalCluster.Prepare();
        var (first, second, third) = (cluster.Members[0], cluster.Members[1], cluster.Members[2]);
        var etcdctl = new Etcdctl(first.Endpoint);
        first.Launch([first]);
        await first.ReadyAsync();
        await etcdctl.RunAsync("put", "a", "1");

        await etcdctl.RunAsync("member", "add", "m2", $"--peer-urls={second.PeerUrl}");
        second.Launch([first, second], "existing");
        await second.ReadyAsync();
        await etcdctl.RunAsync("member", "add", "m3", "--learner", $"--peer-urls={third.PeerUrl}");
        third.Launch(cluster.Members, "existing");
        await third.ReadyAsync();

        var members = (await etcdctl.JsonAsync("member", "list")).GetProperty("members").EnumerateArray().ToDictionary(
            static member => member.GetProperty("name").GetString()!, static member => member.GetProperty("ID").GetUInt64());
        var promoted = new Etcdctl(second.Endpoint);
        await LocalCluster.UntilAsync(async () => (await promoted.TryAsync("member", "promote", $"{members["m3"]:x}")).Status == 0);
        await LocalCluster.AgreeAsync(cluster.Members);
        await etcdctl.RunAsync("member", "remove", $"{members["m2"]:x}");
        await second.Run.EndAsync();
        await new Etcdctl(third.Endpoint).RunAsync("put", "b", "2");
        await LocalCluster.AgreeAsync(first, third);
    }

    private static async Task<List<string>> WriteAsync(ClusterMember member, string prefix, CancellationToken enough)
    {
        var acknowledged = new List<string>();
        await using var client = member.Connect();
        for (var i = 0; !enough.IsCancellationRequested; i++)
        {
            try
            {
                await client.Kv.PutAsync($"{prefix}/{i}", "1", cancelled: enough);
                acknowledged.Add($"{prefix}/{i}");
            }
            catch (Exception exception) when (exception is ClientException or OperationCanceledException)
            {
                // Unknown: it may be there or not.
            }
        }

        return acknowledged;
    }
}
