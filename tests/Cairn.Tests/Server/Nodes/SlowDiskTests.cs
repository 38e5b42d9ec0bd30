using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Peers;
using Cairn.Storage;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

/// <summary>Members of a cluster whose disks are slow, hang, or fail, one at a time or all.</summary>
public sealed class SlowDiskTests
{
    private static readonly string[] Changes = ["pwrite", "fdatasync", "create", "fallocate"];

    [Fact]
    public void A_slow_disk_of_the_leader_is_not_felt_and_leadership_moves_away_from_it() => ClusterWorld.Run(3, async world =>
    {
        var slow = world.FindLeader();
        world.Disks[slow].SyncDelay = TimeSpan.FromMilliseconds(710);
        var (worst, changes) = await WriteForAsync(world, TimeSpan.FromSeconds(30));

        Assert.InRange(worst, TimeSpan.Zero, TimeSpan.FromMilliseconds(300));
        Assert.Equal(1, changes);
        Assert.NotEqual(slow, world.FindLeader());
    });

    [Fact]
    public void A_slow_disk_of_a_follower_changes_nothing() => ClusterWorld.Run(3, async world =>
    {
        world.Disks[(world.FindLeader() + 1) % 3].SyncDelay = TimeSpan.FromMilliseconds(710);
        var (worst, changes) = await WriteForAsync(world, TimeSpan.FromSeconds(30));

        Assert.InRange(worst, TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
        Assert.Equal(0, changes);
    });

    [Fact]
    public void Where_two_of_three_are_slow_writes_take_as_long_as_they_do_and_nobody_is_elected() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        world.Disks[(leader + 1) % 3].SyncDelay = world.Disks[(leader + 2) % 3].SyncDelay = TimeSpan.FromMilliseconds(710);
        var lease = await world.Nodes[leader]!.GrantAsync(5);
        for (var i = 0; i < 20; i++)
        {
            var asked = world.Time.GetTimestamp();
            await world.Nodes[leader]!.PutAsync("a", $"{i}");
            Assert.InRange(world.Time.GetElapsedTime(asked).TotalMilliseconds, 700, 2 * 715);
            Assert.Equal(5, await world.Nodes[leader]!.RenewAsync(lease));
        }

        Assert.Equal(leader, world.FindLeader());
    });

    [Fact]
    public void A_leader_whose_sync_hangs_hands_over_without_a_gap() => ClusterWorld.Run(3, async world =>
    {
        var hung = world.FindLeader();
        var lease = await world.Nodes[hung]!.GrantAsync(5);
        await world.Nodes[hung]!.PutAsync("session", "1", lease);
        world.Disks[hung].HoldSyncs = true;
        var (worst, changes) = await WriteForAsync(world, TimeSpan.FromSeconds(10), lease);
        world.Disks[hung].HoldSyncs = false;
        world.Disks[hung].ReleaseSyncs();

        Assert.InRange(worst, TimeSpan.Zero, TimeSpan.FromMilliseconds(300));
        Assert.Equal(1, changes);
        Assert.NotEqual(hung, world.FindLeader());
        await world.UntilAsync(() => world.Nodes.All(node => node!.Look().AppliedIndex == world.Nodes[0]!.Look().CommittedIndex));
    });

    [Theory]
    [InlineData("nobody")]
    [InlineData("another member")]
    [InlineData("a stranger")]
    public void A_leader_that_the_others_hear_but_cannot_ask_hands_over_before_leases_of_fifteen_seconds_end(string whoAnswers) => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var id = world.Nodes[leader]!.Look().MemberId;
        var follower = (leader + 1) % 3;
        var lease = await world.Nodes[follower]!.GrantAsync(15);
        await world.PassAsync(TimeSpan.FromSeconds(10));
        await world.Nodes[follower]!.RenewAsync(lease);
        switch (whoAnswers)
        {
            case "nobody":
                world.Unreachable.Add(leader);
                break;
            case "another member":
                world.Misled[leader] = follower;
                break;
            default:
                world.Tamper = (call, answer) => call.To == id ? PeerAnswer.Refuse(503, "starting") : answer;
                break;
        }

        await world.UntilAsync(() => world.FindLeader() is not -1 and var next && next != leader);

        Assert.Equal(15, await world.Nodes[follower]!.RenewAsync(lease));
        await world.PassAsync(TimeSpan.FromMinutes(3));
        Assert.NotEqual(leader, world.FindLeader());
    });

    [Theory]
    [InlineData(Errno.NoSpace)]
    [InlineData(Errno.InputOutput)]
    [InlineData(Errno.ReadOnly)]
    public void A_leader_whose_disk_takes_nothing_hands_over_and_catches_up_when_it_does_again(int errno) => ClusterWorld.Run(3, async world =>
    {
        var broken = world.FindLeader();
        foreach (var operation in Changes)
        {
            world.Disks[broken].Fail(operation, "member", errno, count: int.MaxValue);
        }

        _ = world.Nodes[broken]!.PutAsync(new PutRequest { Key = Bytes("noticed") }, Anyone).AsTask();
        await world.UntilAsync(() => world.FindLeader() is >= 0 and var next && next != broken);
        await world.Nodes[world.FindLeader()]!.PutAsync("a", "1");
        Assert.Equal("1", await world.Nodes[broken]!.GetAsync("a"));
        world.Disks[broken].FailNoMore();

        await world.UntilAsync(() => world.Nodes[broken]!.Look().Impairment is null);
        await world.UntilAsync(() => world.Nodes[broken]!.Look().AppliedIndex == world.Nodes[world.FindLeader()]!.Look().AppliedIndex);
        Assert.Equal("1", await world.Nodes[broken]!.GetAsync("a"));
    });

    // More writes than the leader sends to somebody who acknowledges none: what became of them the member does not see.
    [Fact]
    public void A_follower_whose_disk_takes_nothing_has_the_leader_carry_out_what_its_clients_write() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var broken = world.Nodes[(leader + 1) % 3]!;
        foreach (var operation in Changes)
        {
            world.Disks[(leader + 1) % 3].Fail(operation, "member", Errno.InputOutput, count: int.MaxValue);
        }

        await world.Nodes[leader]!.PutAsync("noticed", "1");
        await world.UntilAsync(() => broken.Look().Impairment is not null);
        for (var i = 0; i < 1000; i++)
        {
            var put = await broken.PutAsync(new PutRequest { Key = Bytes("a"), Value = Bytes($"{i}") }, Anyone);
            Assert.Equal((NodeError.None, 3L + i), (put.Error, put.Value?.Header.Revision));
        }

        var lease = await broken.GrantAsync(60);
        var txn = new TxnRequest();
        txn.Compare.Add(new Compare { Target = Compare.Types.CompareTarget.Value, Result = Compare.Types.CompareResult.Equal, Key = Bytes("a"), Value = Bytes("999") });
        txn.Success.Add(new RequestOp { RequestPut = new PutRequest { Key = Bytes("b"), Value = Bytes("1"), Lease = lease } });
        Assert.True((await broken.TxnAsync(txn, Anyone)).Value!.Succeeded);
        Assert.Equal("1", await world.Nodes[leader]!.GetAsync("b"));
        Assert.Equal(NodeError.LeaseNotFound, (await broken.PutAsync(new PutRequest { Key = Bytes("c"), Lease = 5 }, Anyone)).Error);
        Assert.Equal(NodeError.None, (await broken.LeaseRevokeAsync(new LeaseRevokeRequest { ID = lease }, Anyone)).Error);
        Assert.Equal(1, (await broken.DeleteRangeAsync(new DeleteRangeRequest { Key = Bytes("a") }, Anyone)).Value!.Deleted);
        Assert.Equal(NodeError.None, (await broken.CompactAsync(new CompactionRequest { Revision = 500 }, Anyone)).Error);
        Assert.Null(await world.Nodes[leader]!.GetAsync("b"));
    });

    [Fact]
    public void Writes_through_a_follower_whose_sync_hangs_go_on_however_many_there_are() => ClusterWorld.Run(3, async world =>
    {
        var hung = (world.FindLeader() + 1) % 3;
        world.Disks[hung].HoldSyncs = true;
        var began = world.Time.GetTimestamp();
        var writes = 0;
        while (world.Time.GetElapsedTime(began) < TimeSpan.FromSeconds(7))
        {
            Assert.Equal(NodeError.None, (await world.Nodes[hung]!.PutAsync(new PutRequest { Key = Bytes("a"), Value = Bytes($"{++writes}") }, Anyone)).Error);
        }

        Assert.InRange(writes, 1000, int.MaxValue);

        // What is no client's write goes through the log as ever.
        var self = new MemberUpdateRequest { ID = world.Nodes[hung]!.MemberId };
        self.PeerURLs.Add($"http://m{hung}:2380");
        var update = world.Nodes[hung]!.MemberUpdateAsync(self, Anyone).AsTask();
        world.Disks[hung].HoldSyncs = false;
        world.Disks[hung].ReleaseSyncs();
        Assert.Equal($"{writes}", await world.Nodes[hung]!.GetAsync("a"));
        Assert.Equal(NodeError.None, (await update).Error);
    });

    [Fact]
    public void Stalls_that_go_round_for_five_minutes_move_leadership_once_a_minute_at_most_and_stop_nobody() => ClusterWorld.Run(3, async world =>
    {
        var lease = await world.Nodes[world.FindLeader()]!.GrantAsync(15);
        var end = world.Time.GetTimestamp() + TimeSpan.FromMinutes(5).Ticks;
        var stalls = StallInTurnsAsync(world, end);
        var (worst, changes) = await WriteForAsync(world, TimeSpan.FromMinutes(5), lease);
        await stalls;

        Assert.InRange(changes, 0, 5);
        Assert.InRange(worst, TimeSpan.Zero, TimeSpan.FromMilliseconds(300));
    });

    private static async Task StallInTurnsAsync(ClusterWorld world, long end)
    {
        for (var i = 0; world.Time.GetTimestamp() < end; i++)
        {
            world.Disks[i % 3].HoldSyncs = true;
            await world.PassAsync(TimeSpan.FromMilliseconds(1500));
            world.Disks[i % 3].HoldSyncs = false;
            world.Disks[i % 3].ReleaseSyncs();
            await world.PassAsync(TimeSpan.FromMilliseconds(3500));
        }
    }

    /// <summary>Writes at the leader every 50 ms, and renews a lease.</summary>
    /// <returns>The longest wait for a write, and how often leadership changed.</returns>
    private static async Task<(TimeSpan Worst, int Changes)> WriteForAsync(ClusterWorld world, TimeSpan span, long lease = 0)
    {
        var (worst, changes, leader) = (TimeSpan.Zero, 0, world.FindLeader());
        var began = world.Time.GetTimestamp();
        for (var i = 0; world.Time.GetElapsedTime(began) < span; i++)
        {
            var asked = world.Time.GetTimestamp();
            await world.UntilAsync(() => world.FindLeader() >= 0);
            changes += world.FindLeader() == leader ? 0 : 1;
            leader = world.FindLeader();
            await world.Nodes[leader]!.PutAsync("a", $"{i}");
            worst = world.Time.GetElapsedTime(asked) > worst ? world.Time.GetElapsedTime(asked) : worst;
            Assert.True(lease == 0 || i % 20 != 0 || await world.Nodes[leader]!.RenewAsync(lease) > 0);
            await world.PassAsync(TimeSpan.FromMilliseconds(50));
        }

        return (worst, changes);
    }
}
