using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: spare learners.</summary>
public sealed class StandbyTests
{
    [Fact]
    public async Task A_spare_learner_gets_the_vote_of_a_leader_that_is_gone_and_that_one_is_the_spare_when_it_comes_back()
    {
        string[] flags = ["--heal-replace-after=10s"];
        using var scratch = new ScratchDirectory();
        await using var cluster = await HealingCluster.StartAsync(3, flags);
        await using var spare = new ClusterMember("spare", scratch["spare"]) { Flags = [.. flags, "--standby"] };
        await cluster.WriteAsync();
        var leader = await cluster.Local.LeaderAsync();
        var others = cluster.Members.Where(member => member != leader).ToArray();
        await new Etcdctl(leader.Endpoint).RunAsync("member", "add", spare.Name, "--learner", $"--peer-urls={spare.PeerUrl}");
        spare.Launch([.. cluster.Members, spare]);
        await using var client = others[0].Connect();
        await LocalCluster.UntilAsync(async () => (await client.Healing.StatusAsync()).Standbys == 1);

        await leader.KillAsync();
        await cluster.WriteAsync(at: others[0]);
        await using var spareClient = spare.Connect();
        await LocalCluster.UntilAsync(async () => (await spareClient.Maintenance.StatusAsync(spare.Endpoint)) is { IsLearner: false });
        leader.Launch(cluster.Members);
        await LocalCluster.UntilAsync(async () => await client.Healing.StatusAsync() is { Standbys: 1, Members: 4, State: { TargetSize: 4, Current: null } });

        await LocalCluster.AgreeAsync([.. others, spare]);
        await cluster.AssertSessionAsync();
        var log = await HealingCluster.CairnAsync("heal", "log", "--endpoints", others[0].Endpoint);
        Assert.Contains("is gone", log, StringComparison.Ordinal);
        Assert.Contains("is a spare learner", log, StringComparison.Ordinal);
    }
}
