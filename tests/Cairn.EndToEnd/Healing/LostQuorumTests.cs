using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: a majority of disks is gone for good. etcd's survivor waits for ever, or, worse, the wiped members found an empty cluster beside it.</summary>
public sealed class LostQuorumTests
{
    // The gate tries one order, an endurance run asks for all.
    private static readonly int[][] Orders = [[1, 2, 0], [0, 1, 2], [0, 2, 1], [1, 0, 2], [2, 0, 1], [2, 1, 0]];

    [Fact]
    public async Task A_person_gives_up_a_lost_majority_and_whoever_of_it_comes_back_is_fenced_and_fed_anew()
    {
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        await LocalCluster.AgreeAsync(cluster.Members);
        var (survivor, wiped, silent) = (cluster.Members[0], cluster.Members[1], cluster.Members[2]);
        await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
        wiped.Wipe();
        survivor.Launch(cluster.Members);
        wiped.Launch(cluster.Members);
        await survivor.Run.LineAsync(line => line.Contains($"{silent.Name} does not answer", StringComparison.Ordinal) && line.Contains($"{wiped.Name} is empty", StringComparison.Ordinal));
        using (var http = new HttpClient())
        {
            var ready = await http.GetAsync(new Uri($"http://{survivor.Endpoint}/readyz"));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
            Assert.Contains("2 of 3 voters are lost", await ready.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        var shown = await HealingCluster.CairnAsync("recover", "--data-dir", survivor.DataDirectory, "--yes");
        Assert.Contains("cannot be excluded", shown, StringComparison.Ordinal);
        await survivor.Run.LineAsync(static line => line.Contains("founded epoch", StringComparison.Ordinal));
        await cluster.WriteAsync(at: survivor);
        silent.Launch(cluster.Members);

        await cluster.HealedAsync();
        Assert.NotEmpty(await HealingCluster.CairnAsync("quarantine", "list", "--data-dir", silent.DataDirectory));
        Assert.Contains("a majority of cluster", await HealingCluster.CairnAsync("heal", "log", "--endpoints", survivor.Endpoint), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_two_survivors_of_four_whose_directories_a_person_names_the_one_that_holds_more_founds_the_epoch()
    {
        await using var cluster = await HealingCluster.StartWithoutSessionAsync(4);
        var (less, more, lost) = (cluster.Members[0], cluster.Members[1], cluster.Members[2..]);
        await cluster.WriteAsync();
        await LocalCluster.AgreeAsync(cluster.Members);
        await less.KillAsync();
        await cluster.WriteAsync(at: more);
        Signals.SendTerminate(more.Run.Process);
        await more.Run.EndAsync();
        await Task.WhenAll(lost.Select(static member => member.KillAsync()));
        string[] command = ["recover", "--data-dir", less.DataDirectory, "--data-dir", more.DataDirectory];
        await using (var needless = ProgramRun.Start(ServerBinary.Path, [.. command, "--data-dir", lost[0].DataDirectory, "--yes"]))
        {
            Assert.Equal(1, await needless.EndAsync());
            Assert.Contains("3 of 4 voters hold their data (m1, m2, m3): that is a quorum", needless.Said, StringComparison.Ordinal);
        }

        Array.ForEach(lost, static member => member.Wipe());
        await using (var asked = ProgramRun.Start(ServerBinary.Path, command))
        {
            await asked.WriteAsync("no\n", isLast: true);
            Assert.Equal(1, await asked.EndAsync());
            Assert.Contains("Nothing was changed", asked.Said, StringComparison.Ordinal);
        }

        var shown = await HealingCluster.CairnAsync([.. command, "--yes"]);
        Assert.Single(shown.Split('\n'), line => line.Contains("<- founds the new epoch", StringComparison.Ordinal) && line.Contains($" {more.Name} ", StringComparison.Ordinal));
        Assert.Contains("m3 and m4 acknowledged after that revision cannot be excluded", shown, StringComparison.Ordinal);
        Array.ForEach(cluster.Members, member => member.Launch(cluster.Members));

        await cluster.HealedAsync();
        Assert.NotEmpty(await HealingCluster.CairnAsync("quarantine", "list", "--data-dir", less.DataDirectory));
        await using var client = less.Connect();
        Assert.InRange((await client.Kv.GetAsync("key-1"))!.ModRevision, 2, 1_000_000_000); // As old as it was,
        long later = 0;
        await LocalCluster.UntilAsync(async () => (later = (await client.Kv.PutAsync("later", "1")).Header.Revision) > 0);
        Assert.True(later > 1_000_000_000); // and nobody sees a revision twice.
    }

    [Fact]
    public async Task From_a_snapshot_a_new_epoch_is_founded_to_which_all_members_come_back_with_empty_disks_or_old_ones()
    {
        using var scratch = new ScratchDirectory();
        await using var cluster = await HealingCluster.StartWithoutSessionAsync();
        await cluster.WriteAsync();
        await LocalCluster.AgreeAsync(cluster.Members);
        var saved = await RevisionAsync(cluster.Members[0]);
        await new Etcdctl(cluster.Members[0].Endpoint).RunAsync("snapshot", "save", scratch["backup"]);
        await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
        var (founder, wiped, old) = (cluster.Members[0], cluster.Members[1], cluster.Members[2]);
        founder.Wipe();
        wiped.Wipe();

        var said = await HealingCluster.CairnAsync(
            "recover", "--snapshot", scratch["backup"], "--data-dir", founder.DataDirectory, "--name", founder.Name,
            "--initial-cluster", string.Join(',', cluster.Members.Select(static member => $"{member.Name}={member.PeerUrl}")), "--yes");
        Assert.Contains($"all that was written after revision {saved} is lost", said, StringComparison.Ordinal);
        Array.ForEach(cluster.Members, member => member.Launch(cluster.Members));

        await cluster.HealedAsync();
        Assert.NotEmpty(await HealingCluster.CairnAsync("quarantine", "list", "--data-dir", old.DataDirectory));
        Assert.Contains("was lost with all its data", await HealingCluster.CairnAsync("heal", "log", "--endpoints", founder.Endpoint), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_wiped_members_attest_it_and_the_third_goes_on_by_itself_if_it_may()
    {
        await using var cluster = await HealingCluster.StartAsync();
        await cluster.WriteAsync();
        await LocalCluster.AgreeAsync(cluster.Members);
        await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
        foreach (var member in cluster.Members)
        {
            member.Flags = ["--heal-recover=auto", "--heal-recover-after=2s"];
            if (member != cluster.Members[0])
            {
                member.Wipe();
            }

            member.Launch(cluster.Members);
        }

        await cluster.HealedAsync();
    }

    /// <summary>The leader's disk is among those that are gone. In whatever order the three come back, none serves less than the survivor has.</summary>
    [Fact]
    public async Task Started_in_any_order_the_disks_of_two_gone_the_leaders_too_the_third_goes_on_by_itself_and_old_watchers_are_told_to_read_anew()
    {
        foreach (var order in Orders.Take(LongForm.Number("CAIRN_LOST_ORDERS", 1)))
        {
            await using var cluster = await HealingCluster.StartWithoutSessionAsync(3, "--heal-recover=auto", "--heal-recover-after=2s");
            await cluster.WriteAsync();
            await cluster.WriteAsync();
            await LocalCluster.AgreeAsync(cluster.Members);
            var leader = await cluster.Local.LeaderAsync();
            ClusterMember[] lost = [leader, cluster.Members.First(member => member != leader)];
            var survivor = cluster.Members.Single(member => !lost.Contains(member));
            var seen = await RevisionAsync(survivor);
            await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
            Array.ForEach(lost, static member => member.Wipe());
            foreach (var next in order.Select(place => place == 0 ? survivor : lost[place - 1]))
            {
                next.Launch(cluster.Members);
                await next.Run.LineAsync(static line => line.Contains("the member waits", StringComparison.Ordinal) || line.Contains("started member", StringComparison.Ordinal));
                Assert.All(lost.Where(static member => member.IsRunning), member => AssertNotFoundedBeside(member));
            }

            var took = await cluster.HealedAsync();
            await using var client = cluster.Local.Connect();
            Assert.True(await RevisionAsync(survivor) >= seen + 1_000_000_000);
            await using var watcher = client.Watch.Open(KeyRange.Prefix("key-"), seen + 1);
            var compacted = await Assert.ThrowsAsync<WatchCompactedException>(() => watcher.NextAsync());
            Assert.True(compacted.CompactRevision > seen);
            TestContext.Current.SendDiagnosticMessage($"order {string.Join(' ', order)} (0 survived, 1 led): whole again {took.TotalSeconds:F1} s after the last start");
        }
    }

    [Fact]
    public async Task Of_a_survivor_that_lags_behind_what_may_be_lost_is_said_and_no_more_is_lost_than_was_said()
    {
        const int Late = 100;
        await using var cluster = await HealingCluster.StartWithoutSessionAsync(3, "--heal-recover=auto", "--heal-recover-after=2s");
        await cluster.WriteAsync();
        await LocalCluster.AgreeAsync(cluster.Members);
        var leader = await cluster.Local.LeaderAsync();
        var survivor = cluster.Members.First(member => member != leader);
        var lost = cluster.Members.Where(member => member != survivor).ToArray();
        Signals.SendStop(survivor.Run.Process);
        var revisions = new long[Late];
        await using (var client = leader.Connect())
        {
            for (var i = 0; i < Late; i++)
            {
                await LocalCluster.UntilAsync(async () => (revisions[i] = (await client.Kv.PutAsync($"late-{i}", "1")).Header.Revision) > 0);
            }
        }

        await Task.WhenAll(cluster.Members.Select(static member => member.KillAsync()));
        Array.ForEach(lost, static member => member.Wipe());
        Array.ForEach(cluster.Members, member => member.Launch(cluster.Members));
        await cluster.HealedAsync();

        var said = await HealingCluster.CairnAsync("heal", "log", "--endpoints", survivor.Endpoint);
        foreach (var member in lost)
        {
            Assert.Contains($"{member.Name} is empty", said, StringComparison.Ordinal);
        }

        var kept = long.Parse(Regex.Match(said, @"revision (\d+), to be committed: writes that m\d and m\d acknowledged after that revision cannot be excluded").Groups[1].Value, CultureInfo.InvariantCulture);
        await using var reader = cluster.Local.Connect();
        var missing = 0;
        for (var i = 0; i < Late; i++)
        {
            if (await reader.Kv.GetAsync($"late-{i}") is null)
            {
                missing++;
                Assert.True(revisions[i] > kept, $"revision {revisions[i]} is lost, and was said to be kept:\n{said}");
            }
        }

        Assert.NotEqual(0, missing); // Else nothing was lost of which anything could be said.
    }

    private static async Task<long> RevisionAsync(ClusterMember member)
    {
        await using var client = member.Connect();
        return (await client.Maintenance.StatusAsync(member.Endpoint)).Header.Revision;
    }

    private static void AssertNotFoundedBeside(ClusterMember wiped) => Assert.DoesNotContain("agreed to found cluster", wiped.Run.Said, StringComparison.Ordinal);
}
