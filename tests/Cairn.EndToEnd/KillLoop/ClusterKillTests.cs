using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.KillLoop;

/// <summary>Nothing acknowledged is lost, whichever members of a cluster are killed, and each time the cluster heals without a hand.</summary>
public sealed class ClusterKillTests
{
    private const ulong Seed = 20261121;

    // The gate runs this many; an endurance run asks for more.
    private static int Rounds => LongForm.Number("CAIRN_CLUSTER_KILL_ROUNDS", 6);

    [Fact]
    public async Task Nothing_acknowledged_is_lost_when_all_or_the_leader_or_a_follower_is_killed_again_and_again()
    {
        await using var cluster = await LocalCluster.StartAsync();
        var target = new ClusterTarget(cluster, new Prng(Seed));
        await using var rounds = new KillRounds(target, Seed);
        for (var round = 0; round < Rounds; round++)
        {
            await rounds.WriteAndKillAsync(changes: 300);
            await target.HealAsync();
            await rounds.CheckAsync();
            if (round % 5 == 4)
            {
                await rounds.CheckHistoryAsync();
                await rounds.CompactAsync();
            }
        }

        var history = await rounds.CheckHistoryAsync();
        TestContext.Current.SendDiagnosticMessage($"{Rounds} rounds, {rounds.Acknowledged} acknowledged changes, {history} in history since the last compaction");
    }
}
