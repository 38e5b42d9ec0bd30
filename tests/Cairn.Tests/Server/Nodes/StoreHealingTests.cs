using Cairn.Protocol;
using Cairn.Server;
using Cairn.Storage.Manifest;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;
using static Cairn.Tests.Server.Simulated.SampleKeys;

namespace Cairn.Tests.Server.Nodes;

/// <summary>Stores that are damaged, or differ from those of the others: fetched again as a whole, under the same id, and never served meanwhile.</summary>
public sealed class StoreHealingTests
{
    private const int Keys = 60;

    // Longer than the interval of comparing.
    private static readonly TimeSpan ComparedAfter = TimeSpan.FromSeconds(70);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_store_that_cannot_be_opened_is_fetched_again_and_the_member_stays_itself(bool isLeader) => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        var victim = isLeader ? world.FindLeader() : (world.FindLeader() + 1) % 3;
        var id = world.Nodes[victim]!.MemberId;
        await world.StopAsync(victim);
        Rot.FlipRecords(world.Disks[victim], seed: 7, flips: 20);
        await world.UntilAsync(() => world.FindLeader() >= 0);
        await world.Nodes[world.FindLeader()]!.PutAsync("meanwhile", "1");

        await world.StartAsync(victim);
        await world.UntilAsync(() => AreInSync(world));

        Assert.Equal(id, world.Nodes[victim]!.MemberId);
        await CheckAsync(world.Nodes[victim]!, Keys);
        Assert.Equal("1", await world.Nodes[victim]!.GetAsync("meanwhile", serializable: true));
        await AssertSameHashAsync(world);
        var aside = Assert.Single(world.Disks[victim].List("quarantine"));
        Assert.EndsWith("-store", aside, StringComparison.Ordinal);
        Assert.Contains(world.Disks[victim].List($"quarantine/{aside}"), static name => name.EndsWith(".segment", StringComparison.Ordinal));
        await world.StopAsync(victim);
        await world.StartAsync(victim);
        await world.UntilAsync(() => AreInSync(world));
        await CheckAsync(world.Nodes[victim]!, Keys);
    });

    [Fact]
    public void A_manifest_that_rots_as_soon_as_a_store_was_fetched_again_has_one_before_it() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        var victim = (world.FindLeader() + 1) % 3;
        await world.StopAsync(victim);
        Rot.FlipRecords(world.Disks[victim], seed: 7, flips: 20);
        await world.StartAsync(victim);
        var image = world.Disks[victim].Copy();
        await world.StopAsync(victim);
        world.Disks[victim] = image;
        var newest = image.List("member/store").Select(static name => ManifestFormat.TryParse(name, out var number) ? number : 0).Max();
        image.FlipBit($"member/store/{ManifestFormat.NameOf(newest)}", 8 * 100);

        await world.StartAsync(victim);
        await world.UntilAsync(() => AreInSync(world));

        await CheckAsync(world.Nodes[victim]!, Keys);
    });

    [Fact]
    public void Two_of_three_stores_that_cannot_be_opened_come_from_the_third() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        var third = world.FindLeader();
        int[] victims = [(third + 1) % 3, (third + 2) % 3];
        foreach (var victim in victims)
        {
            await world.StopAsync(victim);
            Rot.FlipRecords(world.Disks[victim], seed: 7, flips: 20);
        }

        var starts = victims.Select(world.StartAsync).ToList();
        foreach (var start in starts)
        {
            await start;
        }

        await world.UntilAsync(() => AreInSync(world) && world.FindLeader() >= 0);
        await CheckAsync(world.Nodes[victims[0]]!, Keys);
        await CheckAsync(world.Nodes[victims[1]]!, Keys);
        await AssertSameHashAsync(world);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Who_has_another_hash_than_most_steps_aside_and_fetches_its_store_again(bool isLeader) => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        var victim = (world.FindLeader() + 1) % 3;
        await FalsifyAsync(world, victim);
        if (isLeader)
        {
            var old = world.Nodes[world.FindLeader()]!;
            var moved = await old.MoveLeaderAsync(new MoveLeaderRequest { TargetID = world.Nodes[victim]!.MemberId }, Anyone);
            Assert.Equal(NodeError.None, moved.Error);
            await world.UntilAsync(() => world.FindLeader() == victim);
        }

        var node = world.Nodes[victim]!;
        var id = node.MemberId;
        await CompactAsync(world);
        await world.PassAsync(ComparedAfter);

        Assert.True(node.Stopped.IsCompleted);
        Assert.IsType<ReopenException>(await node.Stopped);
        Assert.Equal(NodeError.Stopped, (await node.RangeAsync(new RangeRequest { Key = Bytes("key-005"), Serializable = true }, Anyone)).Error);
        Assert.NotEqual(victim, world.FindLeader());
        await world.StopAsync(victim);
        await world.StartAsync(victim);
        await world.UntilAsync(() => AreInSync(world));
        Assert.Equal(id, world.Nodes[victim]!.MemberId);
        await CheckAsync(world.Nodes[victim]!, Keys);
        await AssertSameHashAsync(world);
        Assert.Empty(world.Nodes[victim]!.Look().Alarms);
    });

    [Fact]
    public void Without_a_majority_nobody_is_rebuilt_the_alarm_is_raised_and_only_the_leader_is_read() => ClusterWorld.Run(2, async world =>
    {
        await FillAsync(world, Keys);
        var victim = 1 - world.FindLeader();
        await FalsifyAsync(world, victim);
        await CompactAsync(world);
        await world.PassAsync(ComparedAfter);

        var leader = world.Nodes[world.FindLeader()]!;
        var other = world.Nodes[1 - world.FindLeader()]!;
        Assert.Equal("memberID:0 alarm:CORRUPT ", Assert.Single(leader.Look().Alarms));
        Assert.False(other.Stopped.IsCompleted);
        Assert.NotNull(await leader.GetAsync("key-005"));
        Assert.Equal(NodeError.Corrupt, (await other.RangeAsync(new RangeRequest { Key = Bytes("key-005"), Serializable = true }, Anyone)).Error);
        Assert.Equal(NodeError.Corrupt, (await leader.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone)).Error);
    });

    // Counted twice, the wrong hash was most members', and a leader with the right data stepped aside and fetched the wrong.
    [Fact]
    public void A_hash_counts_once_where_the_address_of_another_member_leads_to_who_has_it() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        var leader = world.FindLeader();
        var victim = (leader + 1) % 3;
        await FalsifyAsync(world, victim);
        world.Misled[(leader + 2) % 3] = victim;
        await CompactAsync(world);
        await world.PassAsync(ComparedAfter);

        Assert.False(world.Nodes[leader]!.Stopped.IsCompleted);
        await CheckAsync(world.Nodes[leader]!, Keys);

        world.Misled.Clear();
        await world.PassAsync(ComparedAfter);
        Assert.IsType<ReopenException>(await world.Nodes[victim]!.Stopped);
    });

    [Fact]
    public void The_alarm_is_cleared_once_all_members_have_the_same_hash() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        var leader = world.Nodes[world.FindLeader()]!;
        var alarm = new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Activate, Alarm = AlarmType.Corrupt, MemberID = leader.MemberId };
        Assert.Equal(NodeError.None, (await leader.AlarmAsync(alarm, Anyone)).Error);
        Assert.Equal(NodeError.Corrupt, (await leader.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone)).Error);
        await world.PassAsync(ComparedAfter);

        Assert.Empty(leader.Look().Alarms);
        await leader.PutAsync("a", "1");
    });

    [Fact]
    public void A_member_that_compares_at_start_serves_nothing_if_most_differ() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        var victim = (world.FindLeader() + 1) % 3;
        world.ChecksHashAtStart = true;
        await FalsifyAsync(world, victim);

        var node = world.Nodes[victim]!;
        Assert.Equal(NodeError.Stopped, (await node.RangeAsync(new RangeRequest { Key = Bytes("key-005"), Serializable = true }, Anyone)).Error);
        Assert.IsType<ReopenException>(await node.Stopped);
        await world.StopAsync(victim);
        await world.StartAsync(victim);
        await world.UntilAsync(() => AreInSync(world));
        await CheckAsync(world.Nodes[victim]!, Keys);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_entry_that_needs_a_damaged_row_is_applied_once_the_row_is_healed(bool readsAfterChange) => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        await ForgetAsync(world);
        await world.PassAsync(TimeSpan.FromSeconds(5));
        var victim = (world.FindLeader() + 1) % 3;
        Assert.True(Rot.FlipText(world.Disks[victim], "member/store", ValueOf(5)));
        var leader = world.Nodes[world.FindLeader()]!;
        if (readsAfterChange)
        {
            var txn = new TxnRequest();
            txn.Success.Add(new RequestOp { RequestPut = new PutRequest { Key = Bytes("a"), Value = Bytes("1") } });
            txn.Success.Add(new RequestOp { RequestPut = new PutRequest { Key = Bytes("key-005"), IgnoreValue = true } });
            txn.Success.Add(new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = Bytes("key-006"), PrevKv = true } });
            Assert.Equal(NodeError.None, (await leader.TxnAsync(txn, Anyone)).Error);
            await leader.PutAsync("key-006", ValueOf(6));
        }
        else
        {
            Assert.Equal(NodeError.None, (await leader.PutAsync(new PutRequest { Key = Bytes("key-005"), IgnoreValue = true }, Anyone)).Error);
        }

        await world.UntilAsync(() => AreInSync(world));

        Assert.False(world.Nodes[victim]!.Stopped.IsCompleted);
        Assert.Null(world.Nodes[victim]!.Look().Impairment);
        await CheckAsync(world.Nodes[victim]!, Keys);
        await AssertSameHashAsync(world);
    });

    // Where both addresses led back to the one who asked, nobody had the row, and a store that could be healed was given up.
    [Fact]
    public void A_row_for_which_only_its_own_member_was_asked_is_not_gone() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        await ForgetAsync(world);
        await world.PassAsync(TimeSpan.FromSeconds(5));
        var leader = world.FindLeader();
        var victim = (leader + 1) % 3;
        (world.Misled[leader], world.Misled[(leader + 2) % 3]) = (victim, victim);
        Assert.True(Rot.FlipText(world.Disks[victim], "member/store", ValueOf(5)));
        Assert.Equal(NodeError.None, (await world.Nodes[leader]!.PutAsync(new PutRequest { Key = Bytes("key-005"), IgnoreValue = true }, Anyone)).Error);
        await world.PassAsync(TimeSpan.FromSeconds(30));

        Assert.False(world.Nodes[victim]!.Stopped.IsCompleted);
        Assert.NotNull(world.Nodes[victim]!.Look().Impairment);

        world.Misled.Clear();
        await world.UntilAsync(() => AreInSync(world));
        await CheckAsync(world.Nodes[victim]!, Keys);
    });

    [Fact]
    public void A_single_member_whose_entry_needs_a_lost_row_serves_the_rest_and_applies_nothing_behind_it() => SingleNodeWorld.Run(async world =>
    {
        await using (var filled = await world.StartAsync())
        {
            await FillAsync(filled, 0, Keys);
        }

        await using var node = await world.StartAsync();
        await world.PassAsync(TimeSpan.FromSeconds(5));
        Assert.True(Rot.FlipText(world.Disk, "member/store", ValueOf(5)));
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(3), world.Time);
        var put = await node.PutAsync(new PutRequest { Key = Bytes("key-005"), IgnoreValue = true }, new RequestContext(patience.Token));

        Assert.NotEqual(NodeError.None, put.Error);
        Assert.Contains(".segment, offset ", node.Look().Impairment, StringComparison.Ordinal);
        Assert.Equal(ValueOf(6), await node.GetAsync("key-006"));
        Assert.Equal(NodeError.DiskUnusable, (await node.PutAsync(new PutRequest { Key = Bytes("b") }, Anyone)).Error);
    });

    private static async Task FalsifyAsync(ClusterWorld world, int victim)
    {
        await world.StopAsync(victim);
        Assert.True(Rot.Falsify(world.Disks[victim], "key-005") > 0);
        await world.StartAsync(victim);
        await world.UntilAsync(() => world.FindLeader() >= 0);
    }

    private static async Task CompactAsync(ClusterWorld world)
    {
        await world.UntilAsync(() => AreInSync(world));
        var leader = world.Nodes[world.FindLeader()]!;
        var compaction = new CompactionRequest { Revision = leader.Look().Revision };
        Assert.Equal(NodeError.None, (await leader.CompactAsync(compaction, Anyone)).Error);
    }
}
