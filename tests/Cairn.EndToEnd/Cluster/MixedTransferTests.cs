using System.Globalization;
using Cairn.EndToEnd.Harness;
using Cairn.Protocol;
using Xunit;

namespace Cairn.EndToEnd.Cluster;

/// <summary>States between Cairn and etcd, in one cluster: as a backend file behind a raft snapshot, in both directions.</summary>
public sealed class MixedTransferTests
{
    // The log of neither reaches back to the beginning.
    private static readonly string[] ShortLog = ["--snapshot-count", "50"];

    [Fact]
    public async Task A_leader_of_either_kind_feeds_a_member_of_the_other()
    {
        using var scratch = new ScratchDirectory();
        await using var first = new ClusterMember("m1", scratch["m1"]) { Program = EtcdPrograms.Path("etcd"), Flags = [.. ShortLog, "--experimental-snapshot-catchup-entries", "5"] };
        await using var second = new ClusterMember("m2", scratch["m2"]) { Flags = [.. ShortLog, "--snapshot-catchup-entries", "5"] };
        await using var third = new ClusterMember("m3", scratch["m3"]) { Program = EtcdPrograms.Path("etcd"), Flags = [.. ShortLog, "--experimental-snapshot-catchup-entries", "5"] };
        first.Launch([first]);
        await first.ReadyAsync();
        await WriteAsync(first, 300);

        // etcd leads, and feeds Cairn.
        var etcdctl = new Etcdctl(first.Endpoint);
        await JoinAsync(etcdctl, second, [first, second]);
        Assert.Contains("received and installed database snapshot", second.Run.Said, StringComparison.Ordinal);
        await AgreeAsync(first, second);

        // Cairn leads, and feeds etcd.
        await etcdctl.RunAsync("move-leader", await IdAsync(etcdctl, second));
        await WriteAsync(second, 1500);
        await JoinAsync(new Etcdctl(second.Endpoint), third, [first, second, third]);
        Assert.Contains("sent database snapshot", second.Run.Said, StringComparison.Ordinal);
        await AgreeAsync(first, second, third);
        await using var client = third.Connect();
        Assert.Single((await client.Lease.ListAsync()).Leases);
        Assert.Equal(["reader"], (await client.Auth.ListUsersAsync()).Users);

        // Each counts: without one of them the others go on.
        await first.KillAsync();
        await LocalCluster.UntilAsync(async () => (await client.Kv.PutAsync("by", "two")).Header.Revision > 0);
        await AgreeAsync(second, third);
    }

    /// <summary>Adds a member as a learner, and gives it its vote.</summary>
    private static async Task JoinAsync(Etcdctl etcdctl, ClusterMember member, ClusterMember[] members)
    {
        await etcdctl.RunAsync("member", "add", member.Name, "--learner", "--peer-urls", member.PeerUrl);
        member.Launch(members, "existing");
        await member.ReadyAsync();
        var id = await IdAsync(etcdctl, member);
        await LocalCluster.UntilAsync(async () => (await etcdctl.TryAsync("member", "promote", id)).Status == 0);
    }

    private static async Task<string> IdAsync(Etcdctl etcdctl, ClusterMember member)
    {
        var all = (await etcdctl.JsonAsync("member", "list")).GetProperty("members").EnumerateArray();
        return all.Single(each => each.GetProperty("peerURLs")[0].GetString() == member.PeerUrl).GetProperty("ID").GetUInt64().ToString("x", CultureInfo.InvariantCulture);
    }

    private static async Task WriteAsync(ClusterMember member, int count)
    {
        await using var client = member.Connect();
        if ((await client.Lease.ListAsync()).Leases.Count == 0)
        {
            var lease = await client.Lease.GrantAsync(5000);
            await client.Kv.PutAsync("leased", "1", lease.ID);
            await client.Auth.AddUserAsync(new AuthUserAddRequest { Name = "reader", Password = "word" });
        }

        for (var i = 0; i < count; i += 10)
        {
            await Task.WhenAll(Enumerable.Range(i, 10).Select(n => client.Kv.PutAsync($"key/{n % 100}", $"{n}")));
        }

        await client.Kv.DeleteAsync("key/7");
        await client.Kv.CompactAsync((await client.Kv.PutAsync("end", $"{count}")).Header.Revision - 20);
    }

    /// <summary>Waits until members have the same history. The newest release of 3.5 does not say of which revision its hash is.</summary>
    private static Task AgreeAsync(params ClusterMember[] members) => LocalCluster.UntilAsync(async () =>
    {
        var hashes = new HashSet<(uint, long, long)>();
        foreach (var member in members)
        {
            await using var client = member.Connect();
            var hash = await client.Maintenance.HashKvAsync(member.Endpoint);
            hashes.Add((hash.Hash, hash.Header.Revision, hash.CompactRevision));
        }

        return hashes.Count == 1;
    });
}
