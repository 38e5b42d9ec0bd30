using Cairn.Protocol;
using Cairn.Server;
using Cairn.Simulation.Disks;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Transfer;

/// <summary>The power goes at every operation of the disk while a member takes a state and goes over to it.</summary>
public sealed class TransferCrashTests
{
    private const int InputOutputError = 5;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_power_cut_at_any_moment_leaves_the_old_state_or_the_new_one_and_the_member_is_fed_again(bool isCompacted)
    {
        var images = Prepare(isCompacted);
        long operations = 0;
        ClusterWorld.Run(images, world => FeedAsync(world, images, crashAt: 0, spent => operations = spent));
        Assert.InRange(operations, 30, 1000);
        for (var crashAt = 1; crashAt <= operations; crashAt++)
        {
            var at = crashAt;
            ClusterWorld.Run(images, world => FeedAsync(world, images, at, _ => { }));
        }
    }

    [Fact]
    public void A_log_that_cannot_be_written_while_a_state_is_taken_is_tried_again_and_the_state_is_not_installed_twice()
    {
        var images = Prepare(isCompacted: true);
        ClusterWorld.Run(images, async world =>
        {
            await Task.WhenAll(Enumerable.Range(0, 3).Select(world.StartAsync));
            var (node, disk) = (world.Nodes[images.Behind]!, world.Disks[images.Behind]);
            await world.UntilAsync(() => node.Look().LeaderId != 0);

            disk.Fail("fdatasync", "member/wal", InputOutputError, int.MaxValue);
            await Task.Delay(TimeSpan.FromSeconds(5), world.Time);
            Assert.Contains("EIO", node.Look().Impairment, StringComparison.Ordinal);
            disk.FailNoMore();

            await world.UntilAsync(() => StateTransferTests.IsInSync(world));
            Assert.Equal(images.New, await StateTransferTests.HashAsync(node));
        });
    }

    /// <summary>Makes the disks of three members of which one is far behind.</summary>
    private static DiskImages Prepare(bool isCompacted)
    {
        var images = new DiskImages();
        ClusterWorld.Run(3, async world =>
        {
            for (var i = 0; i < 40; i++)
            {
                await world.Nodes[0]!.PutAsync($"old-{i}", $"{i}");
            }

            await world.Nodes[0]!.PutAsync("leased", "1", await world.Nodes[0]!.GrantAsync(100_000));
            await world.UntilAsync(() => StateTransferTests.IsInSync(world));
            images.Behind = (world.FindLeader() + 1) % 3;
            images.Old = await StateTransferTests.HashAsync(world.Nodes[images.Behind]!);
            var (leader, _) = await StateTransferTests.LeaveBehindAsync(world);
            await leader.DeleteAsync("old-7");
            if (isCompacted)
            {
                var request = new CompactionRequest { Revision = leader.Look().Revision, Physical = true };
                Assert.Equal(NodeError.None, (await leader.CompactAsync(request, Anyone)).Error);
            }

            await leader.PutAsync("last", "1");
            images.New = await StateTransferTests.HashAsync(leader);
            for (var i = 0; i < 3; i++)
            {
                await world.StopAsync(i);
            }

            images.Take(world.Disks);
        }, catchUpEntries: 10);
        return images;
    }

    private static async Task FeedAsync(ClusterWorld world, DiskImages images, int crashAt, Action<long> report)
    {
        var behind = images.Behind;
        var disk = world.Disks[behind];
        for (var i = 0; i < 3; i++)
        {
            if (i != behind)
            {
                await world.StartAsync(i);
            }
        }

        await world.UntilAsync(() => world.FindLeader() >= 0);
        var before = disk.Operations;
        if (crashAt > 0)
        {
            await CrashAsync(world, behind, before + crashAt);
            disk.CutPower((CrashMode)(crashAt % 5));
            await CheckAloneAsync(world, images);
        }
        else
        {
            await world.StartAsync(behind);
        }

        await world.UntilAsync(() => StateTransferTests.IsInSync(world));
        report(disk.Operations - before);
        Assert.Equal(images.New, await StateTransferTests.HashAsync(world.Nodes[behind]!));
        Assert.Null(await world.Nodes[behind]!.GetAsync("old-7", serializable: true));
        Assert.Equal("8", await world.Nodes[behind]!.GetAsync("old-8", serializable: true));
    }

    private static async Task CrashAsync(ClusterWorld world, int behind, long at)
    {
        var hasCrashed = false;
        world.Disks[behind].Crashed = () => hasCrashed = true;
        world.Disks[behind].CrashAt(at);
        try
        {
            await world.StartAsync(behind);
        }
        catch (SimulatedCrashException)
        {
            return;
        }

        await world.UntilAsync(() => hasCrashed || StateTransferTests.IsInSync(world));
        await world.StopAsync(behind);
    }

    /// <summary>Starts the member without the others, and looks at what it has.</summary>
    private static async Task CheckAloneAsync(ClusterWorld world, DiskImages images)
    {
        for (var i = 0; i < 3; i++)
        {
            if (i != images.Behind)
            {
                world.Cut(i, isCut: true);
            }
        }

        await world.StartAsync(images.Behind);
        var found = await StateTransferTests.HashAsync(world.Nodes[images.Behind]!);
        Assert.True(found == images.Old || found == images.New, $"{found} is neither {images.Old} nor {images.New}");
        for (var i = 0; i < 3; i++)
        {
            if (i != images.Behind)
            {
                world.Cut(i, isCut: false);
            }
        }
    }
}
