using System.Globalization;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: start and stop scripts of a chart keep the ids of members in files, which are stale, wrong or empty. Whatever they ask for with them, there are three voters in the end, with all data.</summary>
/// <remarks>
/// The order of the scripts' steps: a hook removes the member whose id is in the file; the start script updates that member, or, of a volume that is empty or was removed, adds one; then
/// the server starts, told by variables, with the state "existing"; once it serves, its id is written to the file, which lies in the data directory. Where a step fails, the script of the chart ends;
/// here the server is started all the same, as the next attempt of the container does without the step. A write that returns shows that whoever leads after a kill has applied what it
/// inherited: before that, a change of members may be lost.
/// </remarks>
public sealed class ChartTests
{
    private const string IdFile = "member_id";

    // The line for which the script waits while it runs the server.
    private const string PeerLine = "established TCP streaming connection with remote peer";

    [Fact]
    public async Task Scripts_with_stale_wrong_and_empty_ids_end_with_three_voters_and_all_data()
    {
        var members = LocalCluster.Prepare();
        Array.ForEach(members.Members, static member => member.Flags = HealingCluster.PatientWithHooks);
        await using var cluster = HealingCluster.Of(members);
        var (first, second, third) = (cluster.Members[0], cluster.Members[1], cluster.Members[2]);
        Array.ForEach(cluster.Members, member => member.LaunchByVariables(cluster.Members));
        await HealedAsync(cluster, "founded by variables");

        // The hook has removed it, its volume is kept: its id is no member's any more. Its list lacks a member.
        var removed = await StopAsync(second);
        await cluster.WriteAsync(at: first);
        await AssertRefusedAsync(first, "etcdserver: member not found", "member", "update", removed, $"--peer-urls={second.PeerUrl}");
        second.LaunchByVariables([first, second], "existing");
        await HealedAsync(cluster, "removed by the hook, updated by a stale id, with a list that lacks a member");

        // Its volume is new, with an empty file for the id; nobody adds it.
        await third.KillAsync();
        var lost = await File.ReadAllTextAsync(IdFileOf(third));
        EmptyVolume(third);
        await AssertRefusedAsync(first, "bad member ID arg (strconv.ParseUint: parsing \"\": invalid syntax)", "member", "update", await File.ReadAllTextAsync(IdFileOf(third)), $"--peer-urls={third.PeerUrl}");
        await cluster.WriteAsync(at: first);
        third.LaunchByVariables(cluster.Members, "existing");
        await HealedAsync(cluster, "a new volume, an empty id, no addition");

        // The id is that of the member before the last one; its place is taken, since the old member is still listed.
        await third.KillAsync();
        EmptyVolume(third);
        await cluster.WriteAsync(at: first);
        await AssertRefusedAsync(first, "etcdserver: member not found", "member", "remove", lost);
        await AssertRefusedAsync(first, "etcdserver: Peer URLs already exists", "member", "add", third.Name, $"--peer-urls={third.PeerUrl}");
        third.LaunchByVariables([first, third], "existing");
        await HealedAsync(cluster, "a new volume, a stale id to remove, an addition that is refused");

        // The hook has removed it, its volume is new, and nobody adds it.
        await StopAsync(second);
        EmptyVolume(second);
        await cluster.WriteAsync(at: first);
        second.LaunchByVariables([second, third], "existing");
        await HealedAsync(cluster, "removed by the hook, a new volume, no addition, with a list that lacks a member");

        // All as the script means it: the member that is gone is removed, and added as a new one.
        var gone = await HealingCluster.IdOfAsync(third);
        await third.KillAsync();
        EmptyVolume(third);
        await cluster.WriteAsync(at: first);
        await new Etcdctl(first.Endpoint).RunAsync("member", "remove", gone);
        Assert.Contains("ETCD_INITIAL_CLUSTER_STATE=\"existing\"", await new Etcdctl(first.Endpoint).RunAsync("member", "add", third.Name, $"--peer-urls={third.PeerUrl}"), StringComparison.Ordinal);
        third.LaunchByVariables(cluster.Members, "existing");
        await HealedAsync(cluster, "removed and added by hand");

        // The hooks of all at once, then a start of all that knows nothing of it.
        await cluster.WriteAsync();
        await Task.WhenAll(cluster.Members.Select(StopAsync));
        Array.ForEach(cluster.Members, member => member.LaunchByVariables(cluster.Members, "existing"));
        await HealedAsync(cluster, "the hooks of all at once");
    }

    private static string IdFileOf(ClusterMember member) => Path.Combine(member.DataDirectory, IdFile);

    private static void EmptyVolume(ClusterMember member)
    {
        member.Wipe();
        Directory.CreateDirectory(member.DataDirectory);
        File.WriteAllText(IdFileOf(member), "");
    }

    /// <summary>What the hook does: removes the member that the file names, and ends the server.</summary>
    /// <returns>The id that the file names.</returns>
    private static async Task<string> StopAsync(ClusterMember member)
    {
        var id = await File.ReadAllTextAsync(IdFileOf(member));
        await new Etcdctl(member.Endpoint).TryAsync("member", "remove", id, "--command-timeout=10s");
        Signals.SendTerminate(member.Run.Process);
        await member.Run.EndAsync();
        return id;
    }

    private static async Task AssertRefusedAsync(ClusterMember at, string expected, params string[] command)
    {
        var (status, said) = await new Etcdctl(at.Endpoint).TryAsync(command);
        Assert.NotEqual(0, status);
        Assert.Contains(expected, said, StringComparison.Ordinal);
    }

    /// <summary>Waits until all serve and vote, and keeps their ids, as the script does.</summary>
    private static async Task HealedAsync(HealingCluster cluster, string what)
    {
        var took = await cluster.HealedAsync();
        TestContext.Current.SendDiagnosticMessage(string.Create(CultureInfo.InvariantCulture, $"{what}: whole again {took.TotalSeconds:F1} s after the start"));
        foreach (var member in cluster.Members)
        {
            HealingCluster.AssertSilentForScripts(member);
            await LocalCluster.UntilAsync(() => Task.FromResult(member.Run.Said.Contains(PeerLine, StringComparison.Ordinal)), () => member.Run.Said);
            await File.WriteAllTextAsync(IdFileOf(member), await HealingCluster.IdOfAsync(member));
        }

        await cluster.WriteAsync();
    }
}
