using System.Globalization;
using System.Net.Sockets;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: all members are killed at once, and started again in any order. How long it takes is said, not judged: it is the machine's as much as the cluster's.</summary>
public sealed class AllKilledTests
{
    // The gate runs this many; an endurance run asks for more.
    private static int Rounds => LongForm.Number("CAIRN_HEAL_ROUNDS", 1);

    // How far apart the members are started, at most.
    private static int SkewMilliseconds => 1000 * LongForm.Number("CAIRN_HEAL_SKEW_SECONDS", 1);

    [Theory]
    [InlineData(3)]
    [InlineData(5)]
    public async Task Killed_all_at_once_and_started_in_any_order_they_go_on_with_everything(int count)
    {
        await using var cluster = await HealingCluster.StartAsync(count);
        var chance = new Prng((ulong)count);
        var waits = new List<double>();
        for (var round = 0; round < Rounds; round++)
        {
            await cluster.WriteAsync();
            await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
            var accepted = cluster.Members.Select(member => LaunchAsync(member, cluster, TimeSpan.FromMilliseconds(chance.Below(SkewMilliseconds + 1)))).ToList();
            var written = WriteAsync(cluster);
            var times = (await Task.WhenAll(accepted)).Order().ToArray();
            waits.Add(TimeProvider.System.GetElapsedTime(times[count / 2], await written).TotalSeconds);
            await cluster.HealedAsync();
        }

        waits.Sort();
        TestContext.Current.SendDiagnosticMessage(string.Create(
            CultureInfo.InvariantCulture,
            $"{count} members, {waits.Count} rounds: first write {waits[waits.Count / 2]:F2} s (median), {waits[^1]:F2} s (worst) after the peer port of a quorum accepted"));
    }

    /// <summary>Starts a member after a while.</summary>
    /// <returns>When its peer port accepted a connection.</returns>
    private static async Task<long> LaunchAsync(ClusterMember member, HealingCluster cluster, TimeSpan after)
    {
        await Task.Delay(after);
        member.Launch(cluster.Members);
        var port = new Uri(member.PeerUrl).Port;
        await LocalCluster.UntilAsync(async () =>
        {
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync("127.0.0.1", port);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        });
        return TimeProvider.System.GetTimestamp();
    }

    private static async Task<long> WriteAsync(HealingCluster cluster)
    {
        await cluster.WriteAsync();
        return TimeProvider.System.GetTimestamp();
    }
}
