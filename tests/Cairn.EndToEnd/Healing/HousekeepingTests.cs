using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: members that were added and never come.</summary>
public sealed class HousekeepingTests
{
    // Nobody listens on the first ports.
    private const string Typo = "http://127.0.0.1:1";
    private const string AnotherTypo = "http://127.0.0.1:2";

    /// <summary>After the first, etcd refuses each further addition with "unhealthy cluster", until a person removes the one that never came.</summary>
    [Fact]
    public async Task Typos_in_peer_urls_block_no_later_change_and_are_cleared_before_they_cost_the_quorum()
    {
        using var scratch = new ScratchDirectory();
        await using var cluster = await HealingCluster.StartAsync(3, "--heal-replace-after=5s");
        await using var fourth = new ClusterMember("m4", scratch["m4"]);
        var etcdctl = new Etcdctl(cluster.Members[0].Endpoint);
        await etcdctl.RunAsync("member", "add", "m4", $"--peer-urls={Typo}");
        await etcdctl.RunAsync("member", "add", "m4", $"--peer-urls={AnotherTypo}");
        await etcdctl.RunAsync("member", "add", "m4", "--learner", $"--peer-urls={fourth.PeerUrl}");
        await cluster.WriteAsync();
        fourth.Launch([.. cluster.Members, fourth], "existing");
        await fourth.ReadyAsync();

        // The two count as voters, so that one more failure would stop the cluster: they are waited for no longer than a lost voter.
        await using var client = cluster.Local.Connect();
        await LocalCluster.UntilAsync(async () => (await client.Cluster.ListAsync()).Members.All(static member => !member.PeerURLs.Contains(Typo) && !member.PeerURLs.Contains(AnotherTypo)));
        Assert.Contains("members: 4, intended: 4", await HealingCluster.CairnAsync("heal", "status", "--endpoints", cluster.Members[0].Endpoint), StringComparison.Ordinal);
        await cluster.AssertSessionAsync();
    }
}
