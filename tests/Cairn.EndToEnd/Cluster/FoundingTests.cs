using System.Net;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Healing;
using Xunit;

namespace Cairn.EndToEnd.Cluster;

/// <summary>Empty data directories found a cluster together, and never beside one that has data.</summary>
public sealed class FoundingTests
{
    [Fact]
    public async Task Two_of_three_wait_alive_and_say_for_whom()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd does not wait");
        await using var cluster = LocalCluster.Prepare();
        var (first, second, third) = (cluster.Members[0], cluster.Members[1], cluster.Members[2]);
        first.Launch(cluster.Members);
        second.Launch(cluster.Members);
        await first.Run.LineAsync(static line => line.Contains("waits", StringComparison.Ordinal) && line.Contains("m3 (", StringComparison.Ordinal)
            && !line.Contains("m2 (", StringComparison.Ordinal));

        await LocalCluster.UntilAsync(async () => (await HealingCluster.PageAsync(first, "livez")).Status == HttpStatusCode.OK, () => first.Run.Said);
        foreach (var page in new[] { "readyz", "health" })
        {
            var (status, text) = await HealingCluster.PageAsync(first, page);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, status);
            Assert.Contains("m3", text, StringComparison.Ordinal);
        }

        var (exit, said) = await new Etcdctl(first.Endpoint).TryAsync("put", "a", "1");
        Assert.NotEqual(0, exit);
        Assert.Contains("m3", said, StringComparison.Ordinal);
        third.Launch(cluster.Members);
        await Task.WhenAll(cluster.Members.Select(static member => member.ReadyAsync()));
        await new Etcdctl(first.Endpoint).RunAsync("put", "a", "1");
        await LocalCluster.AgreeAsync(cluster.Members);
    }

    [Theory]
    [InlineData(0, "012")]
    [InlineData(0, "120")]
    [InlineData(1, "021")]
    [InlineData(1, "102")]
    [InlineData(2, "201")]
    [InlineData(2, "210")]
    public async Task Two_wiped_disks_of_three_never_found_an_empty_cluster_beside_the_third(int survivor, string order)
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd founds an empty cluster");
        await using var cluster = await LocalCluster.StartAsync();
        var kept = cluster.Members[survivor];
        var wiped = cluster.Members.Where(member => member != kept).ToArray();
        await using (var client = kept.Connect())
        {
            await client.Kv.PutAsync("kept", "1");
            await client.Kv.PutAsync("later", "1");
        }

        await LocalCluster.AgreeAsync(cluster.Members);
        await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
        Array.ForEach(wiped, static member => member.Wipe());
        foreach (var next in order.Select(digit => cluster.Members[digit - '0']))
        {
            next.Launch(cluster.Members);
            await next.Run.LineAsync(static line => line.Contains("the member waits", StringComparison.Ordinal) || line.Contains("started member", StringComparison.Ordinal));
        }

        foreach (var member in wiped)
        {
            await member.Run.LineAsync(static line => line.Contains("made promises on another data directory", StringComparison.Ordinal));
            Assert.NotEqual(0, (await new Etcdctl(member.Endpoint).TryAsync("get", "kept", "--consistency=s")).Status);
        }

        Assert.Equal("kept\n1", await new Etcdctl(kept.Endpoint).RunAsync("get", "kept", "--consistency=s"));
    }

    [Fact]
    public async Task A_cluster_that_any_founder_left_early_is_founded_when_it_is_back()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd does not wait");
        await using var cluster = LocalCluster.Prepare();
        cluster.Members[0].Launch(cluster.Members);
        await cluster.Members[0].Run.LineAsync(static line => line.Contains("the member waits", StringComparison.Ordinal));
        await cluster.Members[0].KillAsync();
        cluster.Members[0].Wipe();

        await cluster.LaunchAsync(cluster.Members);

        await LocalCluster.AgreeAsync(cluster.Members);
    }
}
