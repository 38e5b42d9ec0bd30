using Cairn.EndToEnd.Cluster;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: identity comes from the disk, so members that moved find each other, and flags that are stale or wrong change nothing.</summary>
public sealed class MovedTests
{
    [Fact]
    public async Task Members_that_all_moved_while_they_were_down_find_each_other_by_their_names()
    {
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        await LocalCluster.AgreeAsync(cluster.Members);
        await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
        Array.ForEach(cluster.Members, static member => member.Move());
        Array.ForEach(cluster.Members, member => member.Launch(cluster.Members));

        await cluster.HealedAsync();
        await cluster.WriteAsync();
        await using var client = cluster.Local.Connect();
        await LocalCluster.UntilAsync(async () =>
            (await client.Cluster.ListAsync()).Members.SelectMany(static member => member.PeerURLs).Order().SequenceEqual(cluster.Members.Select(static member => member.PeerUrl).Order()));
    }

    [Fact]
    public async Task A_member_with_wrong_flags_goes_on_as_the_member_that_its_disk_says()
    {
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        var wrong = cluster.Members[2];
        await wrong.KillAsync();
        wrong.Flags =
        [
            "--name", "stranger",
            "--initial-cluster", $"stranger={wrong.PeerUrl},nobody=http://127.0.0.1:1",
            "--initial-cluster-token", "another",
        ];
        wrong.Launch(cluster.Members);

        await wrong.Run.LineAsync(static line => line.Contains("flags that contradict the data directory are ignored", StringComparison.Ordinal));
        await cluster.HealedAsync();
    }
}
