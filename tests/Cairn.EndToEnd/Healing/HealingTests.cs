using System.Globalization;
using System.Net;
using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: clusters that lose disks and members come back to their size, with all that was acknowledged. What etcd does instead stands in docs/HEALING.md.</summary>
public sealed class HealingTests
{
    // The gate runs this many; an endurance run asks for more.
    private static int Rounds => LongForm.Number("CAIRN_HEAL_ROUNDS", 1);

    // Only a test that fails waits so long.
    private const int HookPatience = 30;

    // Of how many members one that a stop hook removes is; an endurance run may ask for five.
    private static int Size => LongForm.Number("CAIRN_HEAL_MEMBERS", 3);

    [Theory]
    [InlineData("new")]
    [InlineData("existing")]
    public async Task A_wiped_follower_is_a_voter_again(string state)
    {
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        var leader = await cluster.Local.LeaderAsync();

        for (var round = 0; round < Rounds; round++)
        {
            await cluster.WipeAsync(cluster.Members.First(member => member != leader), state);
            await cluster.WriteAsync(at: leader);
            Report($"wiped follower ({state})", await cluster.HealedAsync());
        }
    }

    /// <summary>A script keeps ids and lists of its own, and they are old: one member is missing, another one never was.</summary>
    [Fact]
    public async Task A_wiped_member_with_a_stale_list_of_members_is_a_voter_again()
    {
        using var scratch = new ScratchDirectory();
        await using var cluster = await HealingCluster.StartAsync();
        await using var unknown = new ClusterMember("m9", scratch["m9"]);
        await cluster.WriteAsync();
        var wiped = cluster.Members[2];
        var etcdctl = new Etcdctl(cluster.Members[0].Endpoint);
        await wiped.KillAsync();
        wiped.Wipe();
        await cluster.WriteAsync(at: cluster.Members[0]); // Whoever leads now has applied what it inherited: a change of members before that can be lost.
        Assert.Contains("etcdserver: member not found", (await etcdctl.TryAsync("member", "update", "1234", $"--peer-urls={wiped.PeerUrl}")).Said, StringComparison.Ordinal);
        wiped.Launch([unknown, cluster.Members[0], wiped], "existing");

        Report("wiped, with a stale list", await cluster.HealedAsync());
    }

    [Fact]
    public async Task A_wiped_leader_is_a_voter_again()
    {
        await using var cluster = await HealingCluster.StartAsync();
        for (var round = 0; round < Rounds; round++)
        {
            await cluster.WriteAsync();
            await cluster.WipeAsync(await cluster.Local.LeaderAsync());
            Report("wiped leader", await cluster.HealedAsync());
        }
    }

    [Fact]
    public async Task Two_wiped_members_of_five_are_voters_again()
    {
        await using var cluster = await HealingCluster.StartAsync(5);
        for (var round = 0; round < Rounds; round++)
        {
            await cluster.WriteAsync();
            var leader = await cluster.Local.LeaderAsync();
            await cluster.WipeAsync(leader);
            await cluster.WipeAsync(cluster.Members.First(member => member != leader));
            Report("two of five wiped", await cluster.HealedAsync());
        }
    }

    [Fact]
    public async Task A_stop_hook_that_removes_on_one_member_after_the_other_costs_nothing()
    {
        await using var cluster = await HealingCluster.StartAsync(Size, HealingCluster.PatientWithHooks);
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var member in cluster.Members)
            {
                await cluster.WriteAsync();
                Assert.True(await HealingCluster.StopWithHookAsync(member, isKilled: member == cluster.Members[1], HookPatience));
                member.Launch(cluster.Members);
                Report("stop hook, rolling", await cluster.HealedAsync());
            }
        }
    }

    /// <summary>Whether its removal is decided, is on its way, or was never heard of: it is killed somewhere in between.</summary>
    [Fact]
    public async Task A_member_that_is_killed_while_it_removes_itself_is_a_voter_again()
    {
        await using var cluster = await HealingCluster.StartAsync(Size, HealingCluster.PatientWithHooks);
        var chance = new Prng(3);
        for (var round = 0; round < 3 * Rounds; round++)
        {
            await cluster.WriteAsync();
            var member = cluster.Members[chance.Below(Size)];
            await using var client = member.Connect();
            var id = ulong.Parse(await HealingCluster.IdOfAsync(member), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            var removal = client.Cluster.RemoveAsync(id);
            await Task.Delay(TimeSpan.FromMilliseconds(chance.Below(20)));
            await member.KillAsync();
            try
            {
                await removal;
            }
            catch (ClientException)
            {
                // Nobody knows what became of it.
            }

            member.Launch(cluster.Members);
            Report("killed while it removed itself", await cluster.HealedAsync());
        }
    }

    [Fact]
    public async Task A_stop_hook_that_removes_on_all_members_at_once_costs_nothing()
    {
        await using var cluster = await HealingCluster.StartAsync(Size, HealingCluster.PatientWithHooks);
        for (var round = 0; round < Rounds; round++)
        {
            await cluster.WriteAsync();
            await Task.WhenAll(cluster.Members.Select(static member => HealingCluster.StopWithHookAsync(member)));
            Array.ForEach(cluster.Members, member => member.Launch(cluster.Members));
            Report("stop hook, all at once", await cluster.HealedAsync());
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Scaled_from_three_to_one_and_back_it_has_three_members_and_all_data(bool volumesAreDeleted)
    {
        await using var cluster = await HealingCluster.StartAsync(3, HealingCluster.PatientWithHooks);
        for (var round = 0; round < Rounds; round++)
        {
            await cluster.WriteAsync();
            foreach (var member in cluster.Members.Skip(1).Reverse())
            {
                Assert.True(await HealingCluster.StopWithHookAsync(member, patience: HookPatience));
            }

            await cluster.WriteAsync(at: cluster.Members[0]);
            foreach (var member in cluster.Members.Skip(1))
            {
                if (volumesAreDeleted)
                {
                    member.Wipe();
                }

                member.Launch(cluster.Members);
            }

            Report($"scaled 3, 1, 3, volumes {(volumesAreDeleted ? "deleted" : "kept")}", await cluster.HealedAsync());
        }
    }

    [Fact]
    public async Task A_running_member_that_is_removed_stays_out_until_a_person_wants_it_back()
    {
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        var removed = cluster.Members[2];
        var rest = new Etcdctl(cluster.Members[0].Endpoint);
        await rest.RunAsync("member", "remove", await HealingCluster.IdOfAsync(removed));

        Assert.Equal(1, await removed.Run.EndAsync());
        HealingCluster.AssertSilentForScripts(removed);
        removed.Launch(cluster.Members);
        await removed.Run.LineAsync(static line => line.Contains("cairn member rejoin", StringComparison.Ordinal));
        await LocalCluster.UntilAsync(async () => (await HealingCluster.PageAsync(removed, "livez")).Status == HttpStatusCode.OK, () => removed.Run.Said);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await HealingCluster.PageAsync(removed, "readyz")).Status);
        Assert.Contains("members: 2, intended: 2", await HealingCluster.CairnAsync("heal", "status", "--endpoints", cluster.Members[0].Endpoint), StringComparison.Ordinal);
        await HealingCluster.CairnAsync("member", "rejoin", "--data-dir", removed.DataDirectory);
        Report("evicted, rejoined by hand", await cluster.HealedAsync());
        Assert.NotEmpty(await HealingCluster.CairnAsync("quarantine", "list", "--data-dir", removed.DataDirectory));
    }

    [Fact]
    public async Task A_member_that_is_removed_for_ever_does_not_come_back_although_it_was_stopped()
    {
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        var (removed, rest) = (cluster.Members[2], cluster.Members[0]);
        var id = await HealingCluster.IdOfAsync(removed);
        await removed.KillAsync();
        Assert.Contains("meant to have 2 members", await HealingCluster.CairnAsync("member", "remove", id, "--forever", "--endpoints", rest.Endpoint), StringComparison.Ordinal);
        removed.Launch(cluster.Members);

        await removed.Run.LineAsync(static line => line.Contains("it was sent away for good", StringComparison.Ordinal));

        Assert.Equal(2, (await new Etcdctl(rest.Endpoint).JsonAsync("member", "list")).GetProperty("members").GetArrayLength());
        HealingCluster.AssertSilentForScripts(removed);
        await cluster.AssertSessionAsync();
    }

    private static void Report(string what, TimeSpan took) => TestContext.Current.SendDiagnosticMessage(
        string.Create(CultureInfo.InvariantCulture, $"{what}: whole again {took.TotalSeconds:F1} s after the processes were started"));
}
