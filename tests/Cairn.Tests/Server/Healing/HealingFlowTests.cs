using Cairn.Protocol;
using Cairn.Protocol.Healing;
using Cairn.Server;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Healing;

/// <summary>Whole clusters that mend themselves: what was acknowledged is there, and the size is what it is meant to be.</summary>
public sealed class HealingFlowTests
{
    [Fact]
    public void A_wiped_follower_comes_back_as_a_voter_with_all_data() => ClusterWorld.Run(3, async world =>
    {
        await SettleAsync(world);
        var wiped = (world.FindLeader() + 1) % 3;
        var old = world.Nodes[wiped]!.MemberId;
        await WipeAsync(world, wiped);

        await HealedAsync(world);

        var heal = Assert.Single((await StatusAsync(world)).State.Finished);
        Assert.Equal((HealKind.ReplaceWiped, HealOutcome.Healed, old), (heal.Kind, heal.Outcome, heal.OldMember));
        Assert.Equal(world.Nodes[wiped]!.MemberId, heal.NewMember);
        Assert.Equal("1", await world.Nodes[wiped]!.GetAsync("before"));
    });

    [Fact]
    public void A_wiped_leader_comes_back_as_a_voter() => ClusterWorld.Run(3, async world =>
    {
        await SettleAsync(world);
        await WipeAsync(world, world.FindLeader());

        await HealedAsync(world);
    });

    [Fact]
    public void Two_wiped_of_five_are_replaced_one_after_the_other() => ClusterWorld.Run(5, async world =>
    {
        await SettleAsync(world);
        var leader = world.FindLeader();
        await WipeAsync(world, leader);
        await WipeAsync(world, (leader + 1) % 5);

        await HealedAsync(world);

        Assert.Equal(2, (await StatusAsync(world)).State.Finished.Count);
    });

    [Fact]
    public void A_wiped_member_with_another_token_is_left_outside() => ClusterWorld.Run(3, async world =>
    {
        await SettleAsync(world);
        var wiped = (world.FindLeader() + 1) % 3;
        world.Tokens[wiped] = "foreign";
        await WipeAsync(world, wiped);
        await world.PassAsync(TimeSpan.FromSeconds(30));

        Assert.Null(world.Nodes[wiped]);
        Assert.Empty((await StatusAsync(world)).State.Finished);
        Assert.NotEmpty(world.WaitingOf(wiped));
    });

    [Fact]
    public void A_member_that_its_stop_hook_removed_is_taken_in_again() => ClusterWorld.Run(3, async world =>
    {
        await SettleAsync(world);
        var removed = (world.FindLeader() + 1) % 3;
        await RemoveAsync(world, removed);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        await world.StopAsync(removed);
        Assert.Equal(3U, (await StatusAsync(world)).State.TargetSize);
        _ = world.StartAsync(removed);

        await HealedAsync(world);

        Assert.Equal("1", await world.Nodes[removed]!.GetAsync("before"));
        var quarantine = Assert.Single(world.Disks[removed].List("quarantine"));
        Assert.Contains("wal", world.Disks[removed].List($"quarantine/{quarantine}"));
    });

    [Theory]
    [InlineData(BootstrapRule.All)]
    [InlineData(BootstrapRule.Quorum)]
    public void A_member_that_is_removed_before_the_intended_size_was_written_down_is_taken_in_again(BootstrapRule rule) => ClusterWorld.Run(3, async world =>
    {
        await world.Nodes[0]!.PutAsync("before", "1");
        var removed = (world.FindLeader() + 1) % 3;
        Assert.Equal(0U, (await StatusAsync(world)).State.TargetSize);
        await RemoveAsync(world, removed);
        Assert.Equal(0U, (await StatusAsync(world)).State.TargetSize);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        await world.StopAsync(removed);
        Assert.Equal(3U, (await StatusAsync(world)).State.TargetSize);
        _ = world.StartAsync(removed);

        await HealedAsync(world);
    }, options: new NodeOptions { QuotaBytes = -1, Bootstrap = rule });

    [Fact]
    public void A_member_that_was_removed_while_it_was_down_is_taken_in_again() => ClusterWorld.Run(3, async world =>
    {
        await SettleAsync(world);
        var removed = (world.FindLeader() + 1) % 3;
        var id = world.Nodes[removed]!.MemberId;
        await world.StopAsync(removed);
        await RemoveAsync(world, id);
        await world.StartAsync(removed);
        var gone = Assert.IsType<MemberRemovedException>(await world.Nodes[removed]!.Stopped);
        Assert.True(gone.MayReturn);
        await world.StopAsync(removed);
        _ = world.StartAsync(removed);

        await HealedAsync(world);
    });

    /// <summary>The command of a stop hook: while it waits nobody stops the member, and it would be taken for one that was removed on purpose.</summary>
    [Fact]
    public void Who_removes_itself_is_answered_at_once_although_it_never_sees_the_entry() => ClusterWorld.Run(3, async world =>
    {
        await SettleAsync(world);
        var removed = (world.FindLeader() + 1) % 3;
        var node = world.Nodes[removed]!;
        world.Cut(removed, true);
        var asked = node.MemberRemoveAsync(new MemberRemoveRequest { ID = node.MemberId }, Anyone).AsTask();
        var put = node.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone).AsTask();
        await RemoveAsync(world, removed);
        world.Cut(removed, false);

        var answer = await asked;

        Assert.Equal(NodeError.None, answer.Error);
        Assert.DoesNotContain(answer.Value!.Members, member => member.ID == node.MemberId);
        Assert.Equal(NodeError.Stopped, (await put).Error);
        Assert.False(node.Stopped.IsCompleted);
    });

    [Fact]
    public void A_running_member_that_is_removed_and_not_stopped_stays_out_until_a_person_wants_it_back() => ClusterWorld.Run(3, async world =>
    {
        await SettleAsync(world);
        var removed = (world.FindLeader() + 1) % 3;
        var node = world.Nodes[removed]!;
        await RemoveAsync(world, removed);
        await world.PassAsync(TimeSpan.FromMilliseconds(100));
        Assert.Equal(NodeError.Stopped, (await node.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone)).Error);
        var gone = Assert.IsType<MemberRemovedException>(await node.Stopped);
        Assert.False(gone.MayReturn);
        await world.StopAsync(removed);
        Assert.Equal(2U, (await StatusAsync(world)).State.TargetSize);

        _ = world.StartAsync(removed);
        await world.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Contains("cairn member rejoin", world.WaitingOf(removed), StringComparison.Ordinal);
        Assert.Equal(2U, (await StatusAsync(world)).Members);

        world.Disks[removed].Put("member/rejoin", []);
        await HealedAsync(world);
    });

    [Fact]
    public void All_members_that_remove_themselves_when_they_stop_come_back() => ClusterWorld.Run(3, async world =>
    {
        await SettleAsync(world);
        for (var i = 0; i < 3; i++)
        {
            // As far as the others let it: the last ones cannot be removed any more.
            var node = world.Nodes[i]!;
            await node.MemberRemoveAsync(new MemberRemoveRequest { ID = node.MemberId }, new RequestContext(new CancellationTokenSource(TimeSpan.FromSeconds(2), world.Time).Token));
            await world.StopAsync(i);
        }

        for (var i = 0; i < 3; i++)
        {
            _ = world.LiveAsync(i);
        }


        await HealedAsync(world);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_two_members_one_that_forgot_the_removal_of_the_other_gets_its_vote_once_more(bool isStopped) => ClusterWorld.Run(2, async world =>
    {
        await SettleAsync(world);
        var stays = world.FindLeader();
        var removed = 1 - stays;
        await RemoveAsync(world, removed);
        world.Disks[stays].HoldSyncs = true;
        await world.PassAsync(TimeSpan.FromMilliseconds(200));
        if (isStopped)
        {
            await world.StopAsync(removed);
        }

        await world.PassAsync(TimeSpan.FromSeconds(7));
        world.CutPower(stays);
        world.Disks[stays].HoldSyncs = false;
        _ = world.LiveAsync(stays);
        if (isStopped)
        {
            _ = world.LiveAsync(removed);
            await HealedAsync(world);
            return;
        }

        var gone = Assert.IsType<MemberRemovedException>(await world.Nodes[removed]!.Stopped);
        Assert.False(gone.MayReturn);
        Assert.Single((await world.Nodes[stays]!.MemberListAsync(new MemberListRequest { Linearizable = true }, Anyone)).Value!.Members);
        Assert.Equal("1", await world.Nodes[stays]!.GetAsync("before"));
    });

    [Fact]
    public void A_removed_member_does_not_wait_for_ever_for_those_who_stay() => ClusterWorld.Run(2, async world =>
    {
        await SettleAsync(world);
        var stays = world.FindLeader();
        var removed = world.Nodes[1 - stays]!;
        await RemoveAsync(world, 1 - stays);
        world.Disks[stays].HoldSyncs = true;
        await world.PassAsync(TimeSpan.FromMilliseconds(200));
        world.CutPower(stays);
        await world.PassAsync(TimeSpan.FromSeconds(30));
        Assert.False(removed.Stopped.IsCompleted);

        await world.PassAsync(TimeSpan.FromSeconds(60));

        Assert.False(Assert.IsType<MemberRemovedException>(await removed.Stopped).MayReturn);
    });

    [Fact]
    public void A_spare_learner_gets_the_vote_of_a_member_that_is_gone_and_that_one_is_the_spare_when_it_comes_back() => ClusterWorld.Run(4, async world =>
    {
        await SettleAsync(world);
        var leader = world.FindLeader();
        var (spare, lost) = ((leader + 1) % 4, (leader + 2) % 4);
        await MakeSpareAsync(world, spare);
        await world.StopAsync(lost);

        await world.UntilAsync(() => world.Nodes[spare]!.Look() is { IsLearner: false });
        await world.Nodes[leader]!.PutAsync("while it was away", "1");
        _ = world.LiveAsync(lost);
        await world.UntilAsync(() => world.Nodes.All(static node => node is { Stopped.IsCompleted: false, Ready.IsCompletedSuccessfully: true }));

        var status = await StatusAsync(world, static status => status.State.Finished.Count == 2);
        Assert.Equal([HealKind.ReplaceLost, HealKind.TakeInRemoved], status.State.Finished.Select(static heal => heal.Kind));
        Assert.All(status.State.Finished, static heal => Assert.Equal(HealOutcome.Healed, heal.Outcome));
        Assert.Equal((4U, 1U, 4U), (status.Members, status.Standbys, status.State.TargetSize));
        Assert.True(world.Nodes[lost]!.Look().IsLearner);
        Assert.Equal("1", await world.Nodes[lost]!.GetAsync("while it was away", serializable: true));
    }, options: new NodeOptions { QuotaBytes = -1, HealReplaceAfter = TimeSpan.FromSeconds(15) });

    [Fact]
    public void A_member_that_was_cut_off_and_replaced_by_a_spare_learner_is_the_spare_when_it_is_heard_again() => ClusterWorld.Run(4, async world =>
    {
        await SettleAsync(world);
        var leader = world.FindLeader();
        var (spare, lost) = ((leader + 1) % 4, (leader + 2) % 4);
        await MakeSpareAsync(world, spare);
        world.Cut(lost, isCut: true);
        await world.UntilAsync(() => world.Nodes[spare]!.Look() is { IsLearner: false });

        world.Cut(lost, isCut: false);
        Assert.True(Assert.IsType<MemberRemovedException>(await world.Nodes[lost]!.Stopped).MayReturn);
        await world.StopAsync(lost);
        _ = world.LiveAsync(lost);
        await world.UntilAsync(() => world.Nodes.All(static node => node is { Stopped.IsCompleted: false, Ready.IsCompletedSuccessfully: true }));

        var status = await StatusAsync(world, static status => status.State.Finished.Count == 2);
        Assert.Equal((4U, 1U, 4U), (status.Members, status.Standbys, status.State.TargetSize));
        Assert.True(world.Nodes[lost]!.Look().IsLearner);
    }, options: new NodeOptions { QuotaBytes = -1, HealReplaceAfter = TimeSpan.FromSeconds(15) });

    /// <remarks>A member of etcd would stop at such an entry. Whether the new voter is one is not recorded before it has what waits for it.</remarks>
    [Fact]
    public void A_second_voter_is_fed_an_entry_of_healing_that_needs_its_acknowledgement() => ClusterWorld.Run(2, async world =>
    {
        await SettleAsync(world);
        var leader = world.FindLeader();
        var second = 1 - leader;
        var removed = world.Nodes[second]!.MemberId;
        await RemoveAsync(world, second);
        await world.StopAsync(second);
        world.Wipe(second);

        // Proposed while the addition is being written: alone, this member would have committed it.
        world.Disks[leader].SyncDelay = TimeSpan.FromMilliseconds(5);
        var added = world.Nodes[leader]!.MemberAddAsync(new MemberAddRequest { PeerURLs = { $"http://m{second}:2380" } }, Anyone).AsTask();
        await world.PassAsync(TimeSpan.FromMilliseconds(2));
        var evicted = world.Nodes[leader]!.EvictAsync(new EvictRequest { MemberId = removed }, Anyone).AsTask();
        Assert.Equal(NodeError.None, (await added).Error);
        await world.PassAsync(TimeSpan.FromMilliseconds(50));
        Assert.False(evicted.IsCompleted);
        await world.StartAsync(second);

        Assert.Equal(NodeError.None, (await evicted).Error);
        await world.UntilAsync(() => world.Nodes[second]!.Ready.IsCompletedSuccessfully);
    });

    /// <summary>Sends a voter away, and takes an empty directory in as a spare learner.</summary>
    private static async Task MakeSpareAsync(ClusterWorld world, int index)
    {
        var id = world.Nodes[index]!.MemberId;
        await world.StopAsync(index);
        await RemoveAsync(world, id);
        world.Wipe(index);
        var add = new MemberAddRequest { IsLearner = true };
        add.PeerURLs.Add($"http://m{index}:2380");
        Assert.Equal(NodeError.None, (await world.Nodes[world.FindLeader()]!.MemberAddAsync(add, Anyone)).Error);
        world.Standbys.Add(index);
        await world.StartAsync(index);
        await StatusAsync(world, static status => status.Standbys == 1);
    }

    private static async Task SettleAsync(ClusterWorld world)
    {
        await world.Nodes[world.FindLeader()]!.PutAsync("before", "1");
        await world.UntilAsync(() => world.FindLeader() >= 0);
        await StatusAsync(world, static status => status.State.TargetSize != 0);
    }

    private static async Task WipeAsync(ClusterWorld world, int index)
    {
        await world.StopAsync(index);
        world.Wipe(index);
        _ = world.StartAsync(index);
    }

    private static Task RemoveAsync(ClusterWorld world, int index) => RemoveAsync(world, world.Nodes[index]!.MemberId);

    private static async Task RemoveAsync(ClusterWorld world, ulong id) =>
        Assert.Equal(NodeError.None, (await world.Nodes[world.FindLeader()]!.MemberRemoveAsync(new MemberRemoveRequest { ID = id }, Anyone)).Error);

    private static async Task<HealStatusResponse> StatusAsync(ClusterWorld world)
    {
        await world.UntilAsync(() => world.FindLeader() >= 0);
        return (await world.Nodes[world.FindLeader()]!.HealStatusAsync(new HealStatusRequest(), Anyone)).Value!;
    }

    /// <summary>Waits until the leader says something, a minute at most.</summary>
    private static async Task<HealStatusResponse> StatusAsync(ClusterWorld world, Func<HealStatusResponse, bool> condition)
    {
        var status = await StatusAsync(world);
        for (var i = 0; !condition(status); i++)
        {
            Assert.True(i < 600, $"a minute went by in vain: {status}");
            await world.PassAsync(TimeSpan.FromMilliseconds(100));
            status = await StatusAsync(world);
        }

        return status;
    }

    /// <summary>Waits until every disk has a voter of one cluster again, and checks that it has everything.</summary>
    private static async Task HealedAsync(ClusterWorld world)
    {
        await world.UntilAsync(() => world.Nodes.All(node => node is { Stopped.IsCompleted: false, Ready.IsCompletedSuccessfully: true } && !node.Look().IsLearner));
        await world.UntilAsync(() => world.FindLeader() >= 0);
        var members = (await world.Nodes[world.FindLeader()]!.MemberListAsync(new MemberListRequest { Linearizable = true }, Anyone)).Value!.Members;
        Assert.Equal(world.Nodes.Select(node => node!.MemberId).Order(), members.Select(member => member.ID).Order());
        Assert.DoesNotContain(members, member => member.IsLearner);
        await world.UntilAsync(() => world.Nodes.All(node => node!.Look().AppliedIndex == world.Nodes[0]!.Look().AppliedIndex));
        foreach (var node in world.Nodes)
        {
            Assert.Equal("1", await node!.GetAsync("before", serializable: true));
        }

        var status = await StatusAsync(world);
        Assert.Equal((uint)world.Nodes.Length, status.State.TargetSize);
        Assert.Null(status.State.Current);
    }
}
