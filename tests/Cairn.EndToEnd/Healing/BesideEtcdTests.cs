using System.Globalization;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: in a cluster with a member of etcd healing says what it would do, and what a person can do, and does nothing.</summary>
public sealed class BesideEtcdTests
{
    [Fact]
    public async Task A_wiped_member_beside_one_of_etcd_is_proposed_to_be_replaced_and_comes_back_by_hand()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd does not heal");
        using var scratch = new ScratchDirectory();
        await using var etcd = new ClusterMember("m1", scratch["m1"]) { Program = EtcdPrograms.Path("etcd") };
        await using var cairn = new ClusterMember("m2", scratch["m2"]);
        await using var wiped = new ClusterMember("m3", scratch["m3"]);
        ClusterMember[] all = [etcd, cairn, wiped];
        var etcdctl = new Etcdctl(etcd.Endpoint);
        etcd.Launch([etcd]);
        await etcd.ReadyAsync();
        await JoinAsync(etcdctl, cairn, [etcd, cairn]);
        await JoinAsync(etcdctl, wiped, all);
        await etcdctl.RunAsync("put", "kept", "1");
        var old = await IdAsync(etcdctl, wiped);

        // etcd leads: it is said that nothing is healed.
        await HeardAsync(etcdctl, cairn);
        Assert.Contains("(m1) leads and is not known to be a Cairn", await StatusAsync(cairn), StringComparison.Ordinal);

        // Cairn leads.
        await etcdctl.RunAsync("move-leader", await IdAsync(etcdctl, cairn));
        await wiped.KillAsync();
        wiped.Wipe();
        wiped.Launch(all, "existing");
        var byHand = $"By hand: `etcdctl member remove {old}`, then `etcdctl member add m3 --peer-urls={wiped.PeerUrl}`";
        await cairn.Run.LineAsync(line => line.Contains("(m1) is not known to be a Cairn", StringComparison.Ordinal) && line.Contains(byHand, StringComparison.Ordinal));
        var status = await StatusAsync(cairn);
        Assert.Contains("intended: not known", status, StringComparison.Ordinal);
        Assert.Contains($"waiting: wiped-{old}: ", status, StringComparison.Ordinal);
        Assert.Contains(byHand, status, StringComparison.Ordinal);
        var metrics = await GetAsync(cairn, "metrics");
        Assert.Contains("\ncairn_heal_waiting 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("\ncairn_heal_begun_total 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains("(m1) is not known to be a Cairn", await GetAsync(cairn, "health"), StringComparison.Ordinal);
        var approval = await ApproveAsync(cairn, $"wiped-{old}");
        Assert.NotEqual(0, approval.Status);
        Assert.Equal(old, await IdAsync(etcdctl, wiped));

        // By hand, as it was said.
        await etcdctl.RunAsync("member", "remove", old);
        await etcdctl.RunAsync("member", "add", "m3", $"--peer-urls={wiped.PeerUrl}");
        await wiped.ReadyAsync();
        Assert.Equal("kept\n1", await new Etcdctl(wiped.Endpoint).RunAsync("get", "kept"));
        await using var client = cairn.Connect();
        await LocalCluster.UntilAsync(async () => (await client.Healing.StatusAsync()).Waiting.All(waiting => waiting.Key != $"wiped-{old}"));
    }

    private static async Task JoinAsync(Etcdctl etcdctl, ClusterMember member, ClusterMember[] members)
    {
        await LocalCluster.UntilAsync(async () => (await etcdctl.TryAsync("member", "add", member.Name, $"--peer-urls={member.PeerUrl}")).Status == 0);
        member.Launch(members, "existing");
        await member.ReadyAsync();
    }

    /// <summary>Waits until a member hears its leader, and knows the leader's name.</summary>
    private static async Task HeardAsync(Etcdctl etcdctl, ClusterMember member)
    {
        await using var client = member.Connect();
        await LocalCluster.UntilAsync(async () => (await client.Maintenance.StatusAsync(member.Endpoint)).Leader.ToString("x", CultureInfo.InvariantCulture)
            == (await etcdctl.JsonAsync("endpoint", "status"))[0].GetProperty("Status").GetProperty("leader").GetUInt64().ToString("x", CultureInfo.InvariantCulture));
    }

    private static Task<string> StatusAsync(ClusterMember member) => HealingCluster.CairnAsync("heal", "status", "--endpoints", member.Endpoint);

    private static async Task<(int Status, string Said)> ApproveAsync(ClusterMember member, string key)
    {
        await using var run = ProgramRun.Start(ServerBinary.Path, ["heal", "approve", key, "--endpoints", member.Endpoint]);
        return (await run.EndAsync(), run.Said);
    }

    private static async Task<string> GetAsync(ClusterMember member, string page)
    {
        using var http = new HttpClient();
        return await http.GetStringAsync(new Uri($"http://{member.Endpoint}/{page}"));
    }

    private static async Task<string> IdAsync(Etcdctl etcdctl, ClusterMember member)
    {
        var all = (await etcdctl.JsonAsync("member", "list")).GetProperty("members").EnumerateArray();
        return all.Single(each => each.GetProperty("peerURLs")[0].GetString() == member.PeerUrl).GetProperty("ID").GetUInt64().ToString("x", CultureInfo.InvariantCulture);
    }
}
