using System.Net;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: somebody asks for the place of a member and must not have it, since that one's disk may still be there, or since it is a stranger.</summary>
public sealed class AmbiguityTests
{
    private const string Elsewhere = "127.77.1.1";

    [Fact]
    public async Task While_the_process_with_the_old_disk_runs_or_only_hangs_nobody_takes_its_place_and_somebody_does_when_it_is_gone()
    {
        using var scratch = new ScratchDirectory();
        var names = PrepareNames(scratch, out var members);
        await names[0].RequireAsync();
        await using var cluster = await HealingCluster.StartAsync(members);
        await using var old = await LeadAsync(cluster);
        var ids = await IdsAsync(cluster);

        // Nobody answers at its name any more, but the process lives on, and leads, so it has to hand over first; another one starts under the same name and URL, elsewhere, with an empty disk.
        Array.ForEach(names, table => table.Set(Addresses(cluster, "127.77.1.2")));
        var another = Replace(cluster, old, scratch);
        await WaitsAsync(cluster, "its old process was heard of a moment ago: waiting until it is silent");
        Assert.Equal(ids, await IdsAsync(cluster));

        Signals.SendStop(old.Run.Process);
        await WaitsAsync(cluster, "does not answer with the new incarnation, so the old disk may still be there: waiting");
        Assert.Equal(ids, await IdsAsync(cluster));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await HealingCluster.PageAsync(another, "readyz")).Status);
        await cluster.WriteAsync(at: cluster.Members[0]);

        await old.KillAsync();
        Array.ForEach(names, table => table.Set(Addresses(cluster, another.PeerAddress)));
        await cluster.HealedAsync();
        Assert.NotEqual(ids, await IdsAsync(cluster));
    }

    [Fact]
    public async Task A_leader_that_is_heard_while_another_process_answers_at_its_name_hands_over_and_keeps_its_place_until_it_is_gone()
    {
        using var scratch = new ScratchDirectory();
        var names = PrepareNames(scratch, out var members);
        await names[0].RequireAsync();
        await using var cluster = await HealingCluster.StartAsync(members);
        await using var old = await LeadAsync(cluster);
        var ids = await IdsAsync(cluster);

        Array.ForEach(names, table => table.Set(Addresses(cluster, Elsewhere)));
        Replace(cluster, old, scratch);
        await WaitsAsync(cluster, "its old process was heard of a moment ago: waiting until it is silent");
        Assert.Equal(ids, await IdsAsync(cluster));

        await old.KillAsync();
        await cluster.HealedAsync();
        Assert.NotEqual(ids, await IdsAsync(cluster));
    }

    /// <summary>A token is no secret, but whoever has another one is of another cluster.</summary>
    /// <param name="state">The flag that says whether the cluster is a new one.</param>
    /// <param name="said">What its page says then.</param>
    [Theory]
    [InlineData("new", "has another token")]
    [InlineData("existing", "has another cluster token")]
    public async Task Who_has_another_token_does_not_get_the_place_of_a_wiped_member(string state, string said)
    {
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        var ids = await IdsAsync(cluster);
        var stranger = cluster.Members[2];
        stranger.Flags = ["--initial-cluster-token", "another"];
        await cluster.WipeAsync(stranger, state);
        var text = "";
        await LocalCluster.UntilAsync(
            async () => (await HealingCluster.PageAsync(stranger, "readyz")) is (HttpStatusCode.ServiceUnavailable, var page) && (text = page).Contains(said, StringComparison.Ordinal),
            () => $"{text}\n{stranger.Run.Said}");
        await cluster.WriteAsync(at: cluster.Members[0]);
        Assert.Equal(ids, await IdsAsync(cluster));

        stranger.Flags = [];
        await cluster.WipeAsync(stranger, state);
        await cluster.HealedAsync();
    }

    /// <summary>Prepares members that find each other by names, each with a table of its own.</summary>
    private static PrivateNames[] PrepareNames(ScratchDirectory scratch, out LocalCluster members)
    {
        members = LocalCluster.Prepare();
        var all = members.Members;
        var names = Array.ConvertAll(all, member => new PrivateNames(scratch, member.Name));
        foreach (var (member, table) in all.Zip(names))
        {
            member.PeerName = $"{member.Name}.names.test";
            member.Starter = table.Starter;
            table.Set([.. all.Select(static other => ($"{other.Name}.names.test", other.PeerAddress))]);
        }

        return names;
    }

    /// <summary>Has the third member lead.</summary>
    private static async Task<ClusterMember> LeadAsync(HealingCluster cluster)
    {
        await cluster.WriteAsync();
        await LocalCluster.AgreeAsync(cluster.Members);
        var third = cluster.Members[2];
        var leader = await cluster.Local.LeaderAsync();
        if (leader != third)
        {
            await new Etcdctl(leader.Endpoint).RunAsync("move-leader", await HealingCluster.IdOfAsync(third));
        }

        return third;
    }

    /// <summary>Starts another process under the name and URL of the third member, elsewhere, with an empty disk.</summary>
    private static ClusterMember Replace(HealingCluster cluster, ClusterMember third, ScratchDirectory scratch)
    {
        var known = new PrivateNames(scratch, "another");
        var another = new ClusterMember(third.Name, scratch["another"]) { PeerName = third.PeerName, PeerPort = third.PeerPort, PeerAddress = Elsewhere, Starter = known.Starter };
        known.Set(Addresses(cluster, Elsewhere));
        cluster.Members[2] = another;
        another.Launch(cluster.Members);
        return another;
    }

    private static IEnumerable<(string Name, string Address)> Addresses(HealingCluster cluster, string third) =>
        cluster.Members.Select((member, i) => (member.PeerName!, i == 2 ? third : member.PeerAddress)); // They were given names.

    private static async Task<string> IdsAsync(HealingCluster cluster)
    {
        await using var client = cluster.Members[0].Connect();
        var ids = "";
        await LocalCluster.UntilAsync(async () =>
        {
            ids = string.Join(' ', (await client.Cluster.ListAsync()).Members.Select(static member => member.ID).Order());
            return true;
        });
        return ids;
    }

    private static async Task WaitsAsync(HealingCluster cluster, string reason)
    {
        await using var client = cluster.Members[0].Connect();
        var said = "";
        await LocalCluster.UntilAsync(
            async () =>
            {
                var status = await client.Healing.StatusAsync();
                said = status.ToString();
                return status.Waiting.Any(waiting => waiting.Text.Contains(reason, StringComparison.Ordinal));
            },
            () => said);
    }
}
