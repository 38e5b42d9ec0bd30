using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Loops;
using Cairn.Storage;
using Cairn.Tests.Server.Simulated;
using Cairn.Simulation.Disks;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

public sealed class FailingDiskTests
{
    [Fact]
    public void Etcd_14370_a_single_member_acknowledges_only_what_is_synced() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        world.Disk.HoldSyncs = true;
        var write = node.PutAsync("a", "1");
        await world.PassAsync(TimeSpan.FromSeconds(30));

        Assert.False(write.IsCompleted);
        Assert.Null(await node.GetAsync("a"));
        world.Disk.HoldSyncs = false;
        world.Disk.ReleaseSyncs();
        Assert.Equal(2, (await write).Header.Revision);
    });

    [Fact]
    public void Reads_and_watches_go_on_while_a_sync_hangs() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        await node.PutAsync("a", "1");
        world.Disk.HoldSyncs = true;
        var write = node.PutAsync("a", "2");
        using var stream = node.OpenWatchStream(Anyone);
        await stream.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("a"), StartRevision = 2 } }, default);
        await stream.RequestAsync(new WatchRequest { ProgressRequest = new WatchProgressRequest() }, default);

        Assert.True(stream.TryTake(out _));
        Assert.True(stream.TryTake(out var history));
        Assert.Equal(1, history.EventCount);
        Assert.True(stream.TryTake(out var progress));
        Assert.Equal(-1, progress.WatchId);
        Assert.Equal("1", await node.GetAsync("a"));
        Assert.Equal(node.Look().MemberId, node.Look().LeaderId);
        world.Disk.HoldSyncs = false;
        world.Disk.ReleaseSyncs();
        await write;
    });

    [Fact]
    public void A_write_that_waits_for_the_disk_ends_when_its_client_gives_up() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        world.Disk.HoldSyncs = true;
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(3), world.Time);
        var answer = await node.PutAsync(new PutRequest { Key = Bytes("a") }, new RequestContext(patience.Token));

        Assert.Equal(NodeError.Canceled, answer.Error);
        world.Disk.HoldSyncs = false;
        world.Disk.ReleaseSyncs();
    });

    [Fact]
    public void A_full_disk_refuses_writes_clearly_and_resumes_by_itself() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        await node.PutAsync("a", "1");
        world.Disk.SpaceBytes = 0;
        var pending = node.PutAsync("b", new string('x', 100_000));
        await world.PassAsync(TimeSpan.FromSeconds(2));

        Assert.False(pending.IsCompleted);
        Assert.Equal(NodeError.NoSpace, (await node.PutAsync(new PutRequest { Key = Bytes("c") }, Anyone)).Error);
        Assert.Equal("1", await node.GetAsync("a"));
        world.Disk.SpaceBytes = long.MaxValue;
        await world.PassAsync(TimeSpan.FromSeconds(1));

        Assert.True(pending.IsCompletedSuccessfully);
        await node.PutAsync("c", "1");
        Assert.Null(node.Look().Impairment);
    });

    [Fact]
    public void With_a_learner_a_read_waits_for_what_is_committed_and_cannot_be_applied_yet() => SingleNodeWorld.Run(async world =>
    {
        // Given a voter with a learner, which may apply, and acknowledge, more than the voter has applied,
        await using var node = await world.StartAsync();
        var request = new MemberAddRequest { IsLearner = true, PeerURLs = { "http://learner:2380" } };
        Assert.Equal(NodeError.None, (await node.MemberAddAsync(request, Anyone)).Error);

        // when the voter's rows fill their memory,
        world.Disk.Fail("pwrite", "member/store", Errno.NoSpace, count: int.MaxValue);
        var value = new string('x', 1_000_000);
        var writes = Enumerable.Range(0, 36).Select(i => node.PutAsync($"key-{i}", value)).ToList();
        await world.PassAsync(TimeSpan.FromSeconds(3));
        var read = node.GetAsync("key-35");
        await world.PassAsync(TimeSpan.FromSeconds(3));

        // then a linearizable read is not served from what is applied.
        Assert.False(read.IsCompleted);
        world.Disk.FailNoMore();
        Assert.Equal(value, await read);
        await Task.WhenAll(writes);
    });

    [Fact]
    public void Rows_that_memory_cannot_hold_any_more_wait_for_the_disk_and_go_on_with_it() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        await node.PutAsync("a", "1");

        // The log has room in the segment that it made before; the rows have none, and fill their memory.
        world.Disk.Fail("pwrite", "member/store", Errno.NoSpace, count: int.MaxValue);
        var value = new string('x', 1_000_000);
        var writes = Enumerable.Range(0, 36).Select(i => node.PutAsync($"key-{i}", value)).ToList();
        await world.PassAsync(TimeSpan.FromSeconds(3));
        writes.Add(node.PutAsync("key-36", value));
        await world.PassAsync(TimeSpan.FromSeconds(3));

        Assert.Contains(writes, static write => !write.IsCompleted);
        world.Disk.FailNoMore();
        await world.PassAsync(TimeSpan.FromSeconds(3));

        Assert.All(writes, static write => Assert.True(write.IsCompletedSuccessfully));
        Assert.Equal(value, await node.GetAsync("key-36"));
        Assert.Null(node.Look().Impairment);
    });

    [Fact]
    public void Overload_is_shed_while_more_is_committed_than_may_wait_to_be_applied_and_nothing_accepted_is_lost() => SingleNodeWorld.Run(async world =>
    {
        // Given rows that fill their memory, so that nothing more can be applied,
        await using var node = await world.StartAsync();
        world.Disk.Fail("pwrite", "member/store", Errno.NoSpace, count: int.MaxValue);
        var value = new string('x', 1_000_000);
        var writes = Enumerable.Range(0, 36).Select(i => node.PutAsync($"large-{i}", value)).ToList();
        await world.PassAsync(TimeSpan.FromSeconds(3));

        // when as many entries are committed as may wait,
        writes.AddRange(Enumerable.Range(0, (int)LoopLimits.ApplyLagEntriesMax + 1).Select(i => node.PutAsync($"small-{i}", "1")));
        await world.PassAsync(TimeSpan.FromSeconds(3));

        // then the next request is refused at once, and reads that ask nobody are answered,
        Assert.Equal(NodeError.TooManyRequests, (await node.PutAsync(new PutRequest { Key = Bytes("refused") }, Anyone)).Error);
        Assert.Equal(value, await node.GetAsync("large-0", serializable: true));

        // and once they are applied, all that was accepted is there, and requests are taken again.
        world.Disk.FailNoMore();
        await world.PassAsync(TimeSpan.FromSeconds(3));
        Assert.All(writes, static write => Assert.True(write.IsCompletedSuccessfully));
        Assert.Equal("1", await node.GetAsync($"small-{LoopLimits.ApplyLagEntriesMax}"));
        Assert.Null(await node.GetAsync("refused"));
        await node.PutAsync("taken", "1");
    });

    [Fact]
    public void A_failed_sync_of_the_log_is_not_trusted_and_nothing_acknowledged_is_lost() => SingleNodeWorld.Run(async world =>
    {
        var node = await world.StartAsync();
        await node.PutAsync("a", "1");
        world.Disk.Fail("fdatasync", "member/wal", Errno.InputOutput);
        await node.PutAsync("b", "1");
        await node.PutAsync("c", "1");
        world.Disk.CutPower(CrashMode.Lose);
        await node.DisposeAsync();

        await using var again = await world.StartAsync();

        Assert.Equal("1", await again.GetAsync("a"));
        Assert.Equal("1", await again.GetAsync("b"));
        Assert.Equal("1", await again.GetAsync("c"));
    });

    [Fact]
    public void A_failed_sync_of_the_segments_costs_nothing_but_another_try() => SingleNodeWorld.Run(async world =>
    {
        world.Options = world.Options with { SnapshotEntries = 50 };
        await using (var node = await world.StartAsync())
        {
            for (var i = 0; i < 400; i++)
            {
                if (i % 100 == 50)
                {
                    world.Disk.Fail("fdatasync", "member/store", Errno.InputOutput);
                }

                await node.PutAsync($"key-{i}", $"{i}");
                await world.PassAsync(TimeSpan.FromMilliseconds(100));
            }
        }

        await using var again = await world.StartAsync();
        for (var i = 0; i < 400; i++)
        {
            Assert.Equal($"{i}", await again.GetAsync($"key-{i}"));
        }
    });

    [Theory]
    [InlineData(CrashMode.Lose)]
    [InlineData(CrashMode.Keep)]
    [InlineData(CrashMode.Sectors)]
    [InlineData(CrashMode.Bytes)]
    [InlineData(CrashMode.Stale)]
    public void Whatever_was_acknowledged_survives_a_power_cut_at_every_operation_of_the_disk(CrashMode mode)
    {
        long operations = 0;
        SingleNodeWorld.Run(async world =>
        {
            await new CrashWorkload(world).RunAsync();
            operations = world.Disk.Operations;
        });
        Assert.InRange(operations, 50, 5000);
        for (var crashAt = 1; crashAt <= operations; crashAt++)
        {
            SingleNodeWorld.Run(world => CrashAsync(world, crashAt, mode), seed: (ulong)crashAt);
        }
    }

    [Theory]
    [InlineData(Errno.NoSpace)]
    [InlineData(Errno.InputOutput)]
    [InlineData(Errno.ReadOnly)]
    public void Whatever_was_acknowledged_survives_a_failure_of_every_operation_of_the_disk_and_a_power_cut_after_it(int errno)
    {
        long operations = 0;
        SingleNodeWorld.Run(async world =>
        {
            await new CrashWorkload(world).RunAsync();
            operations = world.Disk.Operations;
        });
        for (var failAt = 1; failAt <= operations; failAt++)
        {
            SingleNodeWorld.Run(
                async world =>
                {
                    world.Disk.FailAt(failAt, errno);
                    var workload = new CrashWorkload(world);
                    await workload.RunAsync();
                    world.Disk.FailNoMore();
                    world.Disk.CutPower(CrashMode.Lose);
                    await using var node = await world.StartAsync();
                    await workload.CheckAsync(node);
                    await node.PutAsync("after", "1");
                },
                seed: (ulong)failAt);
        }
    }

    [Fact]
    public void On_a_full_disk_what_frees_space_goes_on_with_the_reserve_and_all_does_within_a_second_of_room() => SingleNodeWorld.Run(async world =>
    {
        world.Options = world.Options with { ReserveBytes = 512 * 1024 };
        world.Disk.SpaceBytes = 1 << 30;
        await using var node = await world.StartAsync();
        for (var i = 0; i < 2000; i++)
        {
            await node.PutAsync($"key-{i}", "value");
        }

        var lease = await node.GrantAsync(60);
        var other = await node.GrantAsync(60);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        world.Disk.SpaceBytes -= world.Disk.MeasureSpace().AvailableBytes - 10_000;
        await world.PassAsync(TimeSpan.FromSeconds(3));

        Assert.Equal(NodeError.NoSpace, (await node.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone)).Error);
        Assert.Equal(NodeError.NoSpace, (await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = 5 }, Anyone)).Error);
        Assert.Equal("the disk is full", node.Look().Impairment);
        Assert.Contains(node.Look().Alarms, static alarm => alarm.Contains("NOSPACE", StringComparison.Ordinal));
        for (var i = 0; i < 2000; i++)
        {
            await node.DeleteAsync($"key-{i}");
        }

        Assert.Equal(NodeError.None, (await node.CompactAsync(new CompactionRequest { Revision = node.Look().Revision }, Anyone)).Error);
        Assert.Equal(60, await node.RenewAsync(lease));
        Assert.Equal(NodeError.None, (await node.LeaseRevokeAsync(new LeaseRevokeRequest { ID = other }, Anyone)).Error);
        world.Disk.SpaceBytes = 1 << 30;
        await world.PassAsync(TimeSpan.FromSeconds(1));

        await node.PutAsync("a", "1");
        Assert.Empty(node.Look().Alarms);
        Assert.Null(node.Look().Impairment);
    });

    [Fact]
    public void A_disk_that_is_full_from_any_operation_on_costs_no_restart_and_nothing_that_was_acknowledged()
    {
        // Given what a member does to its disk while its log rolls, rows are flushed, states are written, and what compaction left is cleaned up,
        var (first, last) = (0L, 0L);
        SingleNodeWorld.Run(async world => (first, last) = await FillUpAsync(world, fullAt: 0));
        Assert.InRange(last - first, 100, 3000);

        // when the disk is full from any of these operations on, then all of it goes on once there is room.
        for (var fullAt = first + 1; fullAt <= last; fullAt++)
        {
            SingleNodeWorld.Run(world => FillUpAsync(world, fullAt), seed: (ulong)fullAt);
        }
    }

    /// <summary>Works a member whose disk fills up and has room again later, and checks what it has then, and after a power cut.</summary>
    /// <returns>The operations of the disk between which it worked.</returns>
    private static async Task<(long First, long Last)> FillUpAsync(SingleNodeWorld world, long fullAt)
    {
        const int keys = 8;
        world.Options = world.Options with { SnapshotEntries = 10, ReserveBytes = 16 * 1024 };
        world.Disk.SpaceBytes = 1 << 30;
        var node = await world.StartAsync();
        await world.PassAsync(TimeSpan.FromSeconds(1));
        var first = world.Disk.Operations;
        world.Disk.FillAt(fullAt);
        for (var i = 0; i < 48; i++)
        {
            var (key, value) = ($"key-{i % keys}", $"{i}-{new string('x', 3000)}");
            var write = node.PutAsync(new PutRequest { Key = Bytes(key), Value = Bytes(value) }, Anyone).AsTask();
            await world.PassAsync(TimeSpan.FromMilliseconds(300));
            if (!write.IsCompleted || (await write).Error == NodeError.NoSpace)
            {
                // There is room again; who was refused tries again, who waits need not.
                await world.PassAsync(TimeSpan.FromSeconds(3));
                world.Disk.SpaceBytes = 1 << 30;
                await world.PassAsync(TimeSpan.FromSeconds(1));
                Assert.True(write.IsCompleted, $"with room again, the write of {key} is not answered");
                write = (await write).Error == NodeError.NoSpace ? node.PutAsync(new PutRequest { Key = Bytes(key), Value = Bytes(value) }, Anyone).AsTask() : write;
            }

            Assert.Equal(NodeError.None, (await write).Error);
            if (i % 16 == 15)
            {
                var compaction = await node.CompactAsync(new CompactionRequest { Revision = node.Look().Revision }, Anyone);
                Assert.Equal(NodeError.None, compaction.Error);
                await world.PassAsync(TimeSpan.FromSeconds(6));
            }
        }

        var last = world.Disk.Operations;
        world.Disk.SpaceBytes = 1 << 30;
        await world.PassAsync(TimeSpan.FromSeconds(5));
        Assert.False(node.Stopped.IsCompleted);
        Assert.Null(node.Look().Impairment);
        Assert.Empty(node.Look().Alarms);
        await CheckLastAsync(node, keys);
        world.Disk.CutPower(CrashMode.Lose);
        await node.DisposeAsync();
        await using var again = await world.StartAsync();
        await CheckLastAsync(again, keys);
        return (first, last);
    }

    private static async Task CheckLastAsync(Node node, int keys)
    {
        for (var i = 0; i < keys; i++)
        {
            Assert.StartsWith($"{48 - keys + i}-", await node.GetAsync($"key-{i}"), StringComparison.Ordinal);
        }
    }

    private static async Task CrashAsync(SingleNodeWorld world, long crashAt, CrashMode mode)
    {
        world.Disk.CrashAt(crashAt);
        var workload = new CrashWorkload(world);
        await workload.RunAsync();
        world.Disk.CutPower(mode);
        await using var node = await world.StartAsync();
        await workload.CheckAsync(node);
        await node.PutAsync("after", "1");
        Assert.True(node.Look().Revision > workload.RevisionSeen);
    }
}
