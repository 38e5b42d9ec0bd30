using System.Net;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: peers are known by names, and names lead nowhere for a while, or to somebody else, or elsewhere than before. Nobody ends, and nobody has to be started again.</summary>
public sealed class NamesTests
{
    // Each fault of the names lasts so long; an endurance run asks for 30.
    private static TimeSpan FaultTime => TimeSpan.FromSeconds(LongForm.Number("CAIRN_NAMES_SECONDS", 3));

    [Fact]
    public async Task A_cluster_is_founded_when_names_that_led_nowhere_and_then_to_the_wrong_member_are_right()
    {
        using var scratch = new ScratchDirectory();
        var members = LocalCluster.Prepare();
        var names = await NamedAsync(members.Members, scratch);
        await using var cluster = await HealingCluster.StartAsync(members, async () =>
        {
            await LocalCluster.UntilAsync(() => Task.FromResult(members.Members.All(static member => member.Run.Said.Contains("does not answer", StringComparison.Ordinal))));
            await Task.Delay(FaultTime);
            await SayRotatedAsync(members.Members, names);
            await AssertAliveAsync(members.Members);
            foreach (var member in members.Members)
            {
                Assert.Equal(HttpStatusCode.ServiceUnavailable, (await HealingCluster.PageAsync(member, "readyz")).Status);
            }

            Say(names, members.Members);
        });

        await cluster.WriteAsync();
        await cluster.HealedAsync();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Members_that_start_while_names_lead_nowhere_and_then_to_the_wrong_member_are_back_when_they_are_right(int started)
    {
        using var scratch = new ScratchDirectory();
        var members = LocalCluster.Prepare();
        var names = await NamedAsync(members.Members, scratch);
        Say(names, members.Members);
        await using var cluster = await HealingCluster.StartAsync(members);
        await cluster.WriteAsync();
        await LocalCluster.AgreeAsync(cluster.Members);
        var again = cluster.Members[..started];
        await Task.WhenAll(again.Select(static member => member.KillAsync()));
        Array.ForEach(names, static table => table.Set());
        Array.ForEach(again, member => member.Launch(cluster.Members));
        var runs = Array.ConvertAll(cluster.Members, static member => member.Run);

        await Task.Delay(FaultTime);
        await SayRotatedAsync(cluster.Members, names);
        await AssertAliveAsync(cluster.Members);
        Say(names, cluster.Members);

        await cluster.WriteAsync();
        await cluster.HealedAsync();
        Assert.Equal(runs, cluster.Members.Select(static member => member.Run));
        Assert.All(cluster.Members, static member => Assert.True(member.IsRunning));
    }

    [Fact]
    public async Task Members_whose_addresses_change_behind_their_names_are_found_first_one_then_all_then_each_at_the_address_of_another()
    {
        using var scratch = new ScratchDirectory();
        var members = LocalCluster.Prepare();
        var names = await NamedAsync(members.Members, scratch);
        Say(names, members.Members);
        await using var cluster = await HealingCluster.StartAsync(members);
        foreach (var moved in new ClusterMember[][] { [cluster.Members[2]], cluster.Members })
        {
            await cluster.WriteAsync();
            await Task.WhenAll(moved.Select(static member => member.KillAsync()));
            Array.ForEach(moved, static member => member.PeerAddress = Next(member.PeerAddress));
            Say(names, cluster.Members);
            Array.ForEach(moved, member => member.Launch(cluster.Members));
            await cluster.HealedAsync();
        }

        await cluster.WriteAsync();
        await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
        Rotate(cluster.Members);
        Say(names, cluster.Members);
        Array.ForEach(cluster.Members, member => member.Launch(cluster.Members));
        await cluster.HealedAsync();
    }

    /// <summary>Without names, an address that a member had before means another one from then on.</summary>
    [Fact]
    public async Task Members_that_have_each_others_addresses_after_a_restart_of_all_find_each_other()
    {
        var members = LocalCluster.Prepare();
        Place(members.Members);
        await using var cluster = await HealingCluster.StartAsync(members);
        await cluster.WriteAsync();
        await LocalCluster.AgreeAsync(cluster.Members);
        await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
        Rotate(cluster.Members);
        Array.ForEach(cluster.Members, member => member.Launch(cluster.Members));

        await cluster.HealedAsync();
        await using var client = cluster.Local.Connect();
        await LocalCluster.UntilAsync(async () => (await client.Cluster.ListAsync()).Members.All(
            listed => listed.PeerURLs.Single() == cluster.Members.Single(member => member.Name == listed.Name).PeerUrl));
    }

    /// <summary>Gives members names, and each a table of its own, in which nobody is known yet.</summary>
    private static async Task<PrivateNames[]> NamedAsync(ClusterMember[] members, ScratchDirectory scratch)
    {
        Place(members);
        var tables = Array.ConvertAll(members, member => new PrivateNames(scratch, member.Name));
        await tables[0].RequireAsync();
        foreach (var (member, table) in members.Zip(tables))
        {
            member.PeerName = $"{member.Name}.names.test";
            member.Starter = table.Starter;
        }

        return tables;
    }

    /// <summary>Each gets an address of its own, and all the same port, so that who goes to the wrong address meets another member.</summary>
    private static void Place(ClusterMember[] members)
    {
        for (var i = 0; i < members.Length; i++)
        {
            members[i].PeerAddress = $"127.77.0.{i + 1}";
            members[i].PeerPort = members[0].PeerPort;
        }
    }

    private static string Next(string address) => address.Replace("127.77.", "127.78.", StringComparison.Ordinal);

    private static void Rotate(ClusterMember[] members)
    {
        var first = members[0].PeerAddress;
        for (var i = 0; i < members.Length; i++)
        {
            members[i].PeerAddress = i + 1 < members.Length ? members[i + 1].PeerAddress : first;
        }
    }

    private static void Say(PrivateNames[] tables, ClusterMember[] members) =>
        Array.ForEach(tables, table => table.Set([.. members.Select(static member => (member.PeerName!, member.PeerAddress))])); // They were given names.

    /// <summary>Each name leads to the next member, for a while.</summary>
    private static async Task SayRotatedAsync(ClusterMember[] members, PrivateNames[] tables)
    {
        Array.ForEach(tables, table => table.Set([.. members.Select((member, i) => (member.PeerName!, members[(i + 1) % members.Length].PeerAddress))])); // As above.
        await Task.Delay(FaultTime);
    }

    private static async Task AssertAliveAsync(ClusterMember[] members)
    {
        foreach (var member in members)
        {
            await LocalCluster.UntilAsync(async () => (await HealingCluster.PageAsync(member, "livez")).Status == HttpStatusCode.OK, () => member.Run.Said);
            Assert.True(member.IsRunning, member.Run.Said);
        }
    }
}
