using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.KillLoop;
using Cairn.EndToEnd.Probe;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>Syncs that fail, on real processes: what they were for is not trusted again, and nobody needs to be told to start anew.</summary>
public sealed class FailedSyncTests
{
    private const int Seed = 20261123;
    private const int DiskMegabytes = 256;

    private static readonly TimeSpan Lasts = TimeSpan.FromSeconds(5);

    // The gate runs this many; an endurance run asks for more.
    private static int Rounds => LongForm.Number("CAIRN_FAILED_SYNCS", 2);

    [Fact]
    public async Task Nothing_acknowledged_is_lost_when_syncs_fail_and_the_power_is_cut_then()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd ends with the first sync that fails");
        using var directory = new ScratchDirectory();
        var prng = new Prng(Seed);
        await using var disk = await SmallDisk.MountAsync(directory["disk"], DiskMegabytes);
        await using var server = await Server.StartAsync(directory["disk/data"], "--snapshot-count", "100");
        await using var rounds = new KillRounds(new PowerCutTarget(server, disk, prng), Seed);
        for (var round = 0; round < Rounds; round++)
        {
            // A call that fails so was not made at all: what relied on it is gone with the power. A batch on a new file takes three syncs that succeed one after
            // the other; a disk of which every second or third fails takes nothing.
            var when = $"{1 + prng.Below(20)}+{4 + prng.Below(6)}";
            await using (await FaultyCalls.FailAsync(server.Run, FaultyCalls.Syncs, "EIO", when))
            {
                await rounds.WriteAndKillAsync(changes: 60);
            }

            await server.StartAsync();
            await rounds.CheckAsync();
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{Rounds} power cuts while syncs failed, {rounds.Acknowledged} acknowledged changes");
    }

    [Theory]
    [InlineData("fallocate,ftruncate", "ENOSPC", "1+")]
    [InlineData("rename,renameat,renameat2", "ENOSPC", "1+2")]
    [InlineData("pwrite64", "EIO", "7+5")]
    public async Task Nothing_acknowledged_is_lost_when_other_calls_fail_while_the_log_rolls_and_states_are_written(string calls, string errno, string when)
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd ends with the first call that fails");
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(directory["data"], "--snapshot-count", "50");
        await using var rounds = new KillRounds(new ServerTarget(server), Seed);
        for (var round = 0; round < Rounds; round++)
        {
            await using (await FaultyCalls.FailAsync(server.Run, calls, errno, when))
            {
                await rounds.WriteAndKillAsync(changes: 200);
            }

            await server.StartAsync();
            await rounds.CheckAsync();
        }
    }

    [Theory]
    [InlineData("EIO")]
    [InlineData("EROFS")]
    public async Task A_leader_whose_syncs_fail_makes_room_for_another_and_is_whole_when_they_succeed_again(string errno)
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd ends with the first sync that fails");
        await using var cluster = await LocalCluster.StartAsync();
        await using var probe = await MilvusProbe.StartAsync(cluster);
        var old = await cluster.LeaderAsync();
        await using (await FaultyCalls.FailAsync(old.Run, FaultyCalls.Syncs, errno))
        {
            await LocalCluster.UntilAsync(async () => await cluster.LeaderAsync() != old);

            // What the old leader was asked last is answered after seven seconds: nobody knows what became of it.
            await probe.WorkAsync(2 * Lasts);
            probe.Forget();
            await probe.WorkAsync(Lasts);
            Assert.True(probe.Measure().Failed == 0, probe.Report());
        }

        await LocalCluster.AgreeAsync(cluster.Members);
        TestContext.Current.TestOutputHelper?.WriteLine($"{errno}: {probe.Report()}");
        await probe.AssertWholeAsync();
    }

    [Fact]
    public async Task A_single_member_whose_syncs_fail_reads_on_says_so_and_writes_on_when_they_succeed_again()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd ends with the first sync that fails");
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(directory["data"]);
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        await using var client = server.Connect();
        await client.Kv.PutAsync("before", "1");
        Task write;
        await using (await FaultyCalls.FailAsync(server.Run, FaultyCalls.Syncs, "EIO"))
        {
            write = client.Kv.PutAsync("meanwhile", "1");
            await server.Run.LineAsync(static line => line.Contains("nput/output error", StringComparison.Ordinal) || line.Contains("EIO", StringComparison.Ordinal));
            await probe.WorkAsync(Lasts);
            Assert.Equal("1", (await client.Kv.GetAsync("before"))!.Value.ToStringUtf8());
            Assert.False(write.IsCompletedSuccessfully, "a write was acknowledged that was not synced");
        }

        await LocalCluster.UntilAsync(async () => (await client.Kv.PutAsync("after", "1")).Header.Revision > 0);
        await Task.WhenAny(write);
        TestContext.Current.TestOutputHelper?.WriteLine(probe.Report());
        await probe.AssertWholeAsync();
        await server.KillAsync();
        await server.StartAsync();
        Assert.Equal("1", (await client.Kv.GetAsync("after"))!.Value.ToStringUtf8());
    }
}
