using System.Globalization;
using System.Net;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>The process: a set of pods is scaled from three to one and back, or from one to three. It ends at its size with all data, or stands still and says why; never is there an empty cluster.</summary>
/// <remarks>
/// Pods end from the last to the second one after another, or at once; they start one after another, each once the one before serves, or at once. A pod's hook removes its member, or there is
/// none. Its volume is there when it comes back, or it is not.
/// </remarks>
public sealed class ScalingTests
{
    // Those that the gate runs stand first; an endurance run asks for all.
    private static readonly Down[] Downs =
    [
        new(VolumesAreKept: false, Removes: false, IsParallel: true),
        new(VolumesAreKept: true, Removes: false, IsParallel: false),
        new(VolumesAreKept: false, Removes: true, IsParallel: true),
        new(VolumesAreKept: false, Removes: false, IsParallel: false),
        new(VolumesAreKept: true, Removes: false, IsParallel: true),
        new(VolumesAreKept: true, Removes: true, IsParallel: false),
        new(VolumesAreKept: true, Removes: true, IsParallel: true),
        new(VolumesAreKept: false, Removes: true, IsParallel: false),
    ];

    private static readonly Up[] Ups =
    [
        new(Adds: true, Removes: true, IsParallel: true),
        new(Adds: false, Removes: false, IsParallel: false),
        new(Adds: true, Removes: false, IsParallel: false),
        new(Adds: true, Removes: true, IsParallel: false),
        new(Adds: true, Removes: false, IsParallel: true),
        new(Adds: false, Removes: true, IsParallel: true),
        new(Adds: false, Removes: true, IsParallel: false),
        new(Adds: false, Removes: false, IsParallel: true),
    ];

    private static int Combinations => LongForm.Number("CAIRN_SCALE_COMBINATIONS", 2);

    [Fact]
    public async Task From_three_to_one_and_back_a_set_has_three_members_and_all_data_or_stands_still_and_says_why()
    {
        foreach (var down in Downs.Take(Combinations))
        {
            var members = LocalCluster.Prepare();
            Array.ForEach(members.Members, static member => member.Flags = HealingCluster.PatientWithHooks);
            await using var cluster = await HealingCluster.StartWithoutSessionAsync(members);
            await cluster.WriteAsync();
            await LocalCluster.AgreeAsync(cluster.Members);
            var pods = cluster.Members[1..];
            var removed = 0;
            await EachAsync(pods.Reverse(), down.IsParallel, async pod =>
            {
                if (await StopAsync(pod, down.Removes))
                {
                    Interlocked.Increment(ref removed);
                }
            });
            if (!down.VolumesAreKept)
            {
                Array.ForEach(pods, static pod => pod.Wipe());
            }

            var stoodStill = false;
            var began = TimeProvider.System.GetTimestamp();
            await EachAsync(pods, down.IsParallel, async pod =>
            {
                if (stoodStill)
                {
                    return; // The next one would be started once this one serves.
                }

                pod.Launch(cluster.Members);
                if (await SettleAsync(cluster, pod))
                {
                    stoodStill = true;
                }
            });
            var took = TimeProvider.System.GetElapsedTime(began);
            if (stoodStill)
            {
                // Only where a majority of the volumes is gone, and there the one that is left is not given up for an empty one.
                Assert.True(!down.VolumesAreKept && removed < pods.Length, $"{down}: stood still");
                await RecoverAsync(cluster);
            }

            await cluster.HealedAsync();
            Report($"3, 1, 3; {down}; {removed} removed", stoodStill ? "stood still and said why; whole after `cairn recover`" : "whole by itself", took);
        }
    }

    [Fact]
    public async Task From_one_to_three_a_set_has_three_members_and_all_data_or_stands_still_and_says_why()
    {
        foreach (var up in Ups.Take(Combinations))
        {
            var members = LocalCluster.Prepare();
            Array.ForEach(members.Members, static member => member.Flags = HealingCluster.PatientWithHooks);
            await using var cluster = HealingCluster.Of(members);
            var (first, pods) = (cluster.Members[0], cluster.Members[1..]);
            first.Launch([first]);
            await cluster.WriteAsync(at: first);

            // Its template has changed, so the first pod is started again as well.
            await StopAsync(first, up.Removes);
            first.Launch(cluster.Members, "existing");
            await first.ReadyAsync();
            var began = TimeProvider.System.GetTimestamp();
            await EachAsync(pods, up.IsParallel, async pod =>
            {
                if (up.Adds)
                {
                    await AddAsync(pod, first);
                }

                pod.Launch(cluster.Members, "existing");
                if (up.Adds)
                {
                    await pod.ReadyAsync();
                }
                else
                {
                    await AssertUnknownAsync(pod);
                }
            });
            var took = TimeProvider.System.GetElapsedTime(began);
            await cluster.WriteAsync(at: first);
            if (!up.Adds)
            {
                await EachAsync(pods, inParallel: false, pod => AddAsync(pod, first));
            }

            await cluster.HealedAsync();
            Report($"1, 3; {up}", up.Adds ? "whole by itself" : "the new ones wait and say why; whole after `member add`", took);
        }
    }

    /// <summary>Waits until a pod that was started serves, or nothing more can be expected of the set.</summary>
    /// <returns>Whether it stands still.</returns>
    private static async Task<bool> SettleAsync(HealingCluster cluster, ClusterMember pod)
    {
        var first = cluster.Members[0];
        var stoodStill = false;
        var seen = "";
        await LocalCluster.UntilAsync(
            async () =>
            {
                if ((await HealingCluster.PageAsync(pod, "readyz")).Status == HttpStatusCode.OK)
                {
                    return true;
                }

                (var status, seen) = await HealingCluster.PageAsync(first, "readyz");
                var started = cluster.Members.Where(static member => member.IsRunning);
                stoodStill = status == HttpStatusCode.ServiceUnavailable && seen.Contains("voters are lost", StringComparison.Ordinal) && seen.Contains("is empty", StringComparison.Ordinal)
                    && !started.Any(member => seen.Contains($"{member.Name} does not answer", StringComparison.Ordinal));
                return stoodStill;
            },
            () => $"{first.Name} said {seen}\n{pod.Run.Said}");
        if (stoodStill)
        {
            Assert.Contains("cairn recover", seen, StringComparison.Ordinal);
            Assert.NotEqual(0, (await new Etcdctl(pod.Endpoint).TryAsync("get", "key-0", "--consistency=s")).Status);
            Assert.Equal("key-0\n0", await new Etcdctl(first.Endpoint).RunAsync("get", "key-0", "--consistency=s"));
        }

        return stoodStill;
    }

    private static async Task RecoverAsync(HealingCluster cluster)
    {
        await HealingCluster.CairnAsync("recover", "--data-dir", cluster.Members[0].DataDirectory, "--yes");
        foreach (var member in cluster.Members.Where(static member => !member.IsRunning))
        {
            member.Launch(cluster.Members);
        }
    }

    private static async Task<bool> StopAsync(ClusterMember pod, bool removes)
    {
        if (removes)
        {
            return await HealingCluster.StopWithHookAsync(pod);
        }

        Signals.SendTerminate(pod.Run.Process);
        await pod.Run.EndAsync();
        return false;
    }

    /// <summary>What a start script does until it is done: one member after the other is added, and a second one is refused as long as the first has not come.</summary>
    /// <remarks>From the first addition on the one member that runs is no quorum, so that only its own list says whether an addition that nobody answered was made.</remarks>
    private static Task AddAsync(ClusterMember pod, ClusterMember at) => LocalCluster.UntilAsync(async () =>
    {
        if ((await new Etcdctl(at.Endpoint).TryAsync("member", "add", pod.Name, $"--peer-urls={pod.PeerUrl}")).Status == 0)
        {
            return true;
        }

        await using var client = at.Connect();
        return (await client.Cluster.ListAsync(linearizable: false)).Members.Any(member => member.PeerURLs.Contains(pod.PeerUrl));
    });

    private static Task AssertUnknownAsync(ClusterMember pod) => LocalCluster.UntilAsync(async () =>
    {
        var (status, text) = await HealingCluster.PageAsync(pod, "readyz");
        return status == HttpStatusCode.ServiceUnavailable && text.Contains("the cluster has no member with the peer URLs of this one", StringComparison.Ordinal);
    }, () => pod.Run.Said);

    private static async Task EachAsync(IEnumerable<ClusterMember> pods, bool inParallel, Func<ClusterMember, Task> act)
    {
        if (inParallel)
        {
            await Task.WhenAll(pods.Select(act));
            return;
        }

        foreach (var pod in pods)
        {
            await act(pod);
        }
    }

    private static void Report(string what, string outcome, TimeSpan took) =>
        TestContext.Current.SendDiagnosticMessage(string.Create(CultureInfo.InvariantCulture, $"{what}: {outcome}; {took.TotalSeconds:F1} s after the start"));

    private readonly record struct Down(bool VolumesAreKept, bool Removes, bool IsParallel);

    private readonly record struct Up(bool Adds, bool Removes, bool IsParallel);
}
