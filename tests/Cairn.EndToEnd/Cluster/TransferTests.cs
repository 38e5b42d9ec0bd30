using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Cluster;

/// <summary>Members that need what the log does not have any more.</summary>
public sealed class TransferTests
{
    private static readonly string Value = new('v', 500);

    [Fact]
    public async Task A_member_that_was_down_for_more_than_the_log_keeps_is_fed_although_history_was_compacted()
    {
        await using var cluster = await StartAsync();
        var (leader, absent) = await LeaveAsync(cluster);
        var revision = await WriteAsync(leader, 20_500);
        await using (var client = leader.Connect())
        {
            await client.Kv.DeleteAsync("before/3");
            await client.Kv.CompactAsync(revision);
        }

        await cluster.LaunchAsync(absent);

        await LocalCluster.AgreeAsync(cluster.Members);
        await LocalCluster.UntilAsync(() => Task.FromResult(absent.Run.Said.Contains("received and installed database snapshot", StringComparison.Ordinal)));
        await using var fed = absent.Connect();
        Assert.Equal(39, (await fed.Kv.GetAsync(KeyRange.Prefix("before/"))).Count);
    }

    [Fact]
    public async Task A_member_that_is_killed_while_it_receives_is_fed_again()
    {
        await using var cluster = await StartAsync();
        var (leader, absent) = await LeaveAsync(cluster);
        await WriteAsync(leader, 8_000);
        absent.Launch(cluster.Members);
        await absent.Run.LineAsync(static line => line.Contains("receiving database snapshot", StringComparison.Ordinal));

        await absent.KillAsync();

        await cluster.LaunchAsync(absent);
        await LocalCluster.AgreeAsync(cluster.Members);
    }

    [Fact]
    public async Task One_member_with_a_long_history_grows_to_three()
    {
        await using var cluster = LocalCluster.Prepare();
        var (first, second, third) = (cluster.Members[0], cluster.Members[1], cluster.Members[2]);
        var etcdctl = new Etcdctl(first.Endpoint);
        first.Launch([first]);
        await first.ReadyAsync();
        await WriteAsync(first, 5_000);

        await etcdctl.RunAsync("member", "add", "m2", $"--peer-urls={second.PeerUrl}");
        second.Launch([first, second], "existing");
        await second.ReadyAsync();
        await etcdctl.RunAsync("member", "add", "m3", $"--peer-urls={third.PeerUrl}");
        third.Launch(cluster.Members, "existing");
        await third.ReadyAsync();

        await LocalCluster.AgreeAsync(cluster.Members);
        await first.KillAsync();
        await using var client = third.Connect();
        await LocalCluster.UntilAsync(async () => (await client.Kv.PutAsync("after", "1")).Header.Revision > 0);
        await LocalCluster.AgreeAsync(second, third);
    }

    private static Task<LocalCluster> StartAsync() => LocalCluster.StartAsync("--snapshot-catchup-entries", "1000");

    /// <summary>Kills a follower that has something.</summary>
    private static async Task<(ClusterMember Leader, ClusterMember Absent)> LeaveAsync(LocalCluster cluster)
    {
        var leader = await cluster.LeaderAsync();
        var absent = cluster.Members.First(member => member != leader);
        await using var client = leader.Connect();
        for (var i = 0; i < 40; i++)
        {
            await client.Kv.PutAsync($"before/{i}", "1");
        }

        await LocalCluster.AgreeAsync(cluster.Members);
        await absent.KillAsync();
        return (leader, absent);
    }

    /// <summary>Writes some hundred keys again and again.</summary>
    /// <returns>The last revision.</returns>
    private static async Task<long> WriteAsync(ClusterMember member, int count)
    {
        await using var client = member.Connect();
        long revision = 0;
        for (var i = 0; i < count; i += 500)
        {
            var puts = await Task.WhenAll(Enumerable.Range(0, 500).Select(j => client.Kv.PutAsync($"key/{j}", Value)));
            revision = puts.Max(static put => put.Header.Revision);
        }

        return revision;
    }
}
