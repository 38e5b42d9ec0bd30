using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Probe;

/// <summary>What disks and pauses cost a client like Milvus: time, and never its session. CAIRN_PROBE_SECONDS makes each fault last longer than its short form.</summary>
public sealed class ProbeTests
{
    private static readonly TimeSpan FaultLasts = TimeSpan.FromSeconds(LongForm.Number("CAIRN_PROBE_SECONDS", 15));

    private static readonly TimeSpan Before = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan After = TimeSpan.FromSeconds(3);

    [Theory]
    [InlineData(710)]
    [InlineData(7_000)]
    [InlineData(20_000)]
    public async Task A_session_outlives_syncs_of_a_single_member_that_take_long(int milliseconds)
    {
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(directory["data"]);
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        await probe.WorkAsync(Before);
        await using (await FaultyCalls.DelayAsync(server.Run, FaultyCalls.Syncs, TimeSpan.FromMilliseconds(milliseconds)))
        {
            await probe.WorkAsync(FaultLasts);
        }

        await AssertAliveAsync(probe, $"single member, syncs + {milliseconds} ms");
    }

    [Theory]
    [InlineData(1, 710)]
    [InlineData(1, 7_000)]
    [InlineData(2, 710)]
    [InlineData(3, 7_000)]
    public async Task A_session_outlives_slow_syncs_of_the_leader_and_of_others(int members, int milliseconds)
    {
        await using var cluster = await LocalCluster.StartAsync();
        await using var probe = await MilvusProbe.StartAsync(cluster);
        await probe.WorkAsync(Before);
        var leader = await cluster.LeaderAsync();
        var faults = new List<FaultyCalls>();
        foreach (var member in cluster.Members.OrderBy(member => member == leader ? 0 : 1).Take(members))
        {
            faults.Add(await FaultyCalls.DelayAsync(member.Run, FaultyCalls.Syncs, TimeSpan.FromMilliseconds(milliseconds)));
        }

        await probe.WorkAsync(FaultLasts);
        var moved = members < 3 && await cluster.LeaderAsync() != leader;
        foreach (var fault in faults)
        {
            await fault.DisposeAsync();
        }

        Assert.True(moved || members > 1 || milliseconds < 1000 || !ServerBinary.IsCairn, "a leader whose syncs hang leads on");
        await AssertAliveAsync(probe, $"leader and {members - 1} others, syncs + {milliseconds} ms, leadership {(moved ? "moved" : "stayed")}");
    }

    [Theory]
    [InlineData(5)]
    [InlineData(12)]
    public async Task A_session_outlives_a_leader_that_is_stopped_and_goes_on(int seconds)
    {
        await using var cluster = await LocalCluster.StartAsync();
        await using var probe = await MilvusProbe.StartAsync(cluster);
        await probe.WorkAsync(Before);
        var leader = await cluster.LeaderAsync();
        Signals.SendStop(leader.Run.Process);
        await probe.WorkAsync(TimeSpan.FromSeconds(seconds));
        Signals.SendContinue(leader.Run.Process);

        await AssertAliveAsync(probe, $"leader stopped for {seconds} s");
    }

    [Fact]
    public async Task A_session_outlives_a_single_member_that_is_stopped_for_longer_than_its_lease()
    {
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(directory["data"]);
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        await probe.WorkAsync(Before);
        Signals.SendStop(server.Run.Process);
        await probe.WorkAsync(TimeSpan.FromSeconds(18));
        Signals.SendContinue(server.Run.Process);

        await AssertAliveAsync(probe, "single member stopped for 18 s");
    }

    private static async Task AssertAliveAsync(MilvusProbe probe, string what)
    {
        await probe.WorkAsync(After);
        TestContext.Current.TestOutputHelper?.WriteLine($"{what}: {probe.Report()}");
        await probe.AssertWholeAsync();
    }
}
