using Cairn.Protocol;
using Cairn.Server;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;
using static Cairn.Tests.Server.Simulated.SampleKeys;

namespace Cairn.Tests.Server.Nodes;

/// <summary>Rot in acknowledged records of the log, above the state: what was promised may be lost, so the member comes back as another one, or says what is lost.</summary>
public sealed class LogHealingTests
{
    private const int Keys = 60;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_member_whose_log_is_damaged_comes_back_as_a_new_one(bool isLeader) => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world);
        var victim = isLeader ? world.FindLeader() : (world.FindLeader() + 1) % 3;
        var id = world.Nodes[victim]!.MemberId;
        await KillAndRotAsync(world, victim);

        var start = world.StartAsync(victim);
        await world.UntilAsync(() => start.IsCompleted);
        await start;
        await world.UntilAsync(() => AreInSync(world) && world.Nodes[victim]!.Look() is { IsLearner: false });

        Assert.NotEqual(id, world.Nodes[victim]!.MemberId);
        await CheckAsync(world.Nodes[victim]!, Keys);
        Assert.EndsWith("-log", Assert.Single(world.Disks[victim].List("quarantine")), StringComparison.Ordinal);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_member_whose_manifests_are_all_damaged_comes_back_as_a_new_one(bool knowsItsId) => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world);
        var victim = (world.FindLeader() + 1) % 3;
        var id = world.Nodes[victim]!.MemberId;
        var image = world.Disks[victim].Copy();
        await world.StopAsync(victim);
        world.Disks[victim] = image;
        foreach (var path in image.Files.Where(path => path.Contains("MANIFEST", StringComparison.Ordinal) || (!knowsItsId && path.EndsWith(".wal", StringComparison.Ordinal))).ToList())
        {
            image.Damage(path, 0, new byte[64]);
        }

        _ = world.StartAsync(victim);
        await world.UntilAsync(() => world.Nodes[victim] is not null && AreInSync(world) && world.Nodes[victim]!.Look() is { IsLearner: false });

        Assert.NotEqual(id, world.Nodes[victim]!.MemberId);
        await CheckAsync(world.Nodes[victim]!, Keys);
        Assert.EndsWith("-store", Assert.Single(world.Disks[victim].List("quarantine")), StringComparison.Ordinal);
    });

    [Fact]
    public void While_the_others_have_no_leader_nothing_is_moved() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world);
        int[] victims = [(world.FindLeader() + 1) % 3, (world.FindLeader() + 2) % 3];
        foreach (var victim in victims)
        {
            await KillAndRotAsync(world, victim);
        }

        foreach (var victim in victims)
        {
            _ = world.StartAsync(victim);
        }

        await world.PassAsync(TimeSpan.FromSeconds(20));

        foreach (var victim in victims)
        {
            Assert.Contains("once the others have a leader", world.WaitingOf(victim), StringComparison.Ordinal);
            Assert.False(world.Disks[victim].DirectoryExists("quarantine"));
        }
    });

    [Fact]
    public void A_single_member_keeps_what_is_sound_says_what_is_lost_and_writes_once_a_person_accepts_that() => SingleNodeWorld.Run(async world =>
    {
        var running = await world.StartAsync();
        await SampleKeys.FillAsync(running, 0, Keys);
        world.Disk.Kill();
        Assert.True(Rot.FlipText(world.Disk, "member/wal", ValueOf(40)));

        await using (var node = await world.StartAsync())
        {
            await world.PassAsync(TimeSpan.FromSeconds(5));
            Assert.Equal(ValueOf(39), await node.GetAsync("key-039"));
            Assert.Null(await node.GetAsync("key-040"));
            Assert.Null(await node.GetAsync("key-059"));
            Assert.Equal($"memberID:{node.MemberId} alarm:CORRUPT ", Assert.Single(node.Look().Alarms));
            Assert.Equal(NodeError.Corrupt, (await node.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone)).Error);
            Assert.EndsWith("-log", Assert.Single(world.Disk.List("quarantine")), StringComparison.Ordinal);

            // None of the revisions that clients were told of is ever used again, and who watches from one of them reads anew.
            Assert.True(node.Look().Revision > 1_000_000_000);
            Assert.Equal(NodeError.Compacted, (await node.RangeAsync(new RangeRequest { Key = Bytes("key-039"), Revision = 60 }, Anyone)).Error);
        }

        await using var again = await world.StartAsync();
        Assert.Equal(NodeError.Corrupt, (await again.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone)).Error);
        var disarm = new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Deactivate, Alarm = AlarmType.Corrupt, MemberID = again.MemberId };
        Assert.Equal(NodeError.None, (await again.AlarmAsync(disarm, Anyone)).Error);
        await again.PutAsync("a", "1");
        Assert.Equal(ValueOf(39), await again.GetAsync("key-039"));
    });

    [Fact]
    public void A_single_member_needs_nothing_of_its_log_that_is_in_its_state() => SingleNodeWorld.Run(async world =>
    {
        var running = await world.StartAsync();
        await SampleKeys.FillAsync(running, 0, Keys / 2);
        await world.PassAsync(WrittenAfter);
        await SampleKeys.FillAsync(running, Keys / 2, Keys);
        world.Disk.Kill();
        Assert.True(Rot.FlipText(world.Disk, "member/wal", ValueOf(5)));

        await using var node = await world.StartAsync();
        await world.PassAsync(TimeSpan.FromSeconds(5));

        await CheckAsync(node, Keys);
        Assert.Empty(node.Look().Alarms);
        Assert.Equal(Keys + 2, (await node.PutAsync("after", "1")).Header.Revision);
        Assert.EndsWith("-log", Assert.Single(world.Disk.List("quarantine")), StringComparison.Ordinal);
    });

    [Fact]
    public void A_single_member_whose_state_and_log_are_both_damaged_reads_what_verifies_and_is_not_written() => SingleNodeWorld.Run(async world =>
    {
        var running = await world.StartAsync();
        await SampleKeys.FillAsync(running, 0, Keys / 2);
        await running.DisposeAsync();
        running = await world.StartAsync();
        await SampleKeys.FillAsync(running, Keys / 2, Keys);
        world.Disk.Kill();
        Assert.True(Rot.FlipText(world.Disk, "member/store", ValueOf(20)));
        Assert.True(Rot.FlipText(world.Disk, "member/wal", ValueOf(Keys - 10)));

        await using var node = await world.StartAsync();
        await world.PassAsync(TimeSpan.FromSeconds(5));

        // What stands behind the damage of the state is lost, and the log has nothing that would fit to what stands before it.
        await CheckAsync(node, 19);
        Assert.Null(await node.GetAsync(KeyOf(20)));
        Assert.Null(await node.GetAsync(KeyOf(Keys - 1)));
        Assert.Equal($"memberID:{node.MemberId} alarm:CORRUPT ", Assert.Single(node.Look().Alarms));
        Assert.Equal(NodeError.Corrupt, (await node.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone)).Error);
        Assert.True(node.Look().Revision > 1_000_000_000);
    });

    private static async Task FillAsync(ClusterWorld world)
    {
        await SampleKeys.FillAsync(world.Nodes[world.FindLeader()]!, 0, Keys / 2);
        await world.PassAsync(WrittenAfter);
        await SampleKeys.FillAsync(world.Nodes[world.FindLeader()]!, Keys / 2, Keys);
        await world.UntilAsync(() => AreInSync(world));
    }

    /// <summary>Ends a member as kill -9 does, and flips a bit of an entry that is in its log only.</summary>
    private static async Task KillAndRotAsync(ClusterWorld world, int victim)
    {
        var image = world.Disks[victim].Copy();
        await world.StopAsync(victim);
        world.Disks[victim] = image;
        Assert.True(Rot.FlipText(image, "member/wal", ValueOf(Keys - 10)));
    }
}
