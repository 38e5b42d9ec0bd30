using Cairn.Protocol;
using Cairn.Raft;
using Cairn.Server;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

/// <summary>The loops of one member, with others: what a single member never exercises.</summary>
public sealed class ClusterTests
{
    [Fact]
    public void Three_members_elect_a_leader_and_every_one_of_them_serves() => ClusterWorld.Run(3, async world =>
    {
        var nodes = world.Nodes.OfType<Node>().ToList();
        foreach (var node in nodes)
        {
            await node.PutAsync($"key-of-{node.Look().MemberId}", "1");
        }

        foreach (var (node, other) in nodes.SelectMany(node => nodes.Select(other => (node, other))))
        {
            Assert.Equal("1", await node.GetAsync($"key-of-{other.Look().MemberId}"));
        }

        var members = (await world.Nodes[0]!.MemberListAsync(new MemberListRequest { Linearizable = true }, Anyone)).Value!.Members;
        Assert.Equal(["m0", "m1", "m2"], members.Select(member => member.Name).Order());
        Assert.All(members, member => Assert.NotEmpty(member.ClientURLs));
    });

    [Fact]
    public void What_was_acknowledged_outlives_the_leader_and_is_read_from_the_next_one() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        for (var i = 0; i < 50; i++)
        {
            await world.Nodes[i % 3]!.PutAsync($"key-{i}", $"{i}");
        }

        await world.StopAsync(leader);
        await world.UntilAsync(() => world.FindLeader() is >= 0 and var next && next != leader);
        var next = world.Nodes[world.FindLeader()]!;
        for (var i = 0; i < 50; i++)
        {
            Assert.Equal($"{i}", await next.GetAsync($"key-{i}"));
        }

        await next.PutAsync("after", "1");
        await world.StartAsync(leader);
        await world.UntilAsync(() => world.Nodes[leader]!.Look().AppliedIndex == next.Look().AppliedIndex);
        Assert.Equal("1", await world.Nodes[leader]!.GetAsync("after", serializable: true));
    });

    [Fact]
    public void A_leader_that_was_cut_off_acknowledges_nothing_and_reads_nothing_stale() => ClusterWorld.Run(3, async world =>
    {
        var old = world.FindLeader();
        var alone = world.Nodes[old]!;
        await alone.PutAsync("a", "1");
        world.Cut(old, isCut: true);
        var write = alone.PutAsync(new PutRequest { Key = Bytes("a"), Value = Bytes("lost") }, Anyone).AsTask();
        var read = alone.RangeAsync(new RangeRequest { Key = Bytes("a") }, Anyone).AsTask();
        await world.UntilAsync(() => world.FindLeader() is >= 0 and var next && next != old);
        await world.Nodes[world.FindLeader()]!.PutAsync("a", "2");

        Assert.NotEqual(NodeError.None, (await write).Error);
        Assert.NotEqual(NodeError.None, (await read).Error);
        world.Cut(old, isCut: false);
        await world.UntilAsync(() => alone.Look().LeaderId == world.Nodes[world.FindLeader()]!.Look().MemberId);
        Assert.Equal("2", await alone.GetAsync("a"));
    });

    [Fact]
    public void A_leader_whose_disk_hangs_does_not_stop_its_clients() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        world.Disks[leader].HoldSyncs = true;
        for (var i = 0; i < 20; i++)
        {
            var began = world.Time.GetTimestamp();
            await world.Nodes[leader]!.PutAsync("a", $"{i}");
            Assert.True(world.Time.GetElapsedTime(began) < TimeSpan.FromMilliseconds(100));
        }

        Assert.Equal("19", await world.Nodes[leader]!.GetAsync("a"));
        world.Disks[leader].HoldSyncs = false;
        world.Disks[leader].ReleaseSyncs();
    });

    [Fact]
    public void A_follower_stops_though_a_write_of_its_log_is_under_way() => ClusterWorld.Run(3, async world =>
    {
        var follower = (world.FindLeader() + 1) % 3;
        world.Disks[follower].HoldSyncs = true;
        await world.Nodes[world.FindLeader()]!.PutAsync("a", "1");
        await world.UntilAsync(() => world.Disks[follower].HeldSyncs > 0);
        var stopping = world.StopAsync(follower);
        await Task.Delay(TimeSpan.FromSeconds(5), world.Time);
        Assert.False(stopping.IsCompleted);

        world.Disks[follower].HoldSyncs = false;
        world.Disks[follower].ReleaseSyncs();
        await world.UntilAsync(() => stopping.IsCompleted);
    });

    [Fact]
    public void A_leader_that_is_removed_while_its_disk_hangs_ends_as_removed() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var node = world.Nodes[leader]!;
        world.Disks[leader].HoldSyncs = true;
        var removal = await node.MemberRemoveAsync(new MemberRemoveRequest { ID = node.MemberId }, Anyone);
        Assert.Equal(NodeError.None, removal.Error);
        world.Disks[leader].HoldSyncs = false;
        world.Disks[leader].ReleaseSyncs();

        Assert.IsType<MemberRemovedException>(await node.Stopped);
    });

    [Fact]
    public void Etcd_15247_a_deposed_leader_ends_no_lease_and_the_next_one_gives_it_its_full_time() => ClusterWorld.Run(3, async world =>
    {
        var old = world.FindLeader();
        var lease = await world.Nodes[old]!.GrantAsync(10);
        await world.Nodes[old]!.PutAsync("session", "1", lease);
        await Task.Delay(TimeSpan.FromSeconds(4), world.Time);
        world.Cut(old, isCut: true);
        await world.UntilAsync(() => world.FindLeader() is >= 0 and var next && next != old);
        var next = world.Nodes[world.FindLeader()]!;
        await Task.Delay(TimeSpan.FromSeconds(5), world.Time);

        Assert.Equal("1", await next.GetAsync("session"));
        Assert.Equal(10, await next.RenewAsync(lease));
        Assert.NotEqual(NodeError.None, (await world.Nodes[old]!.LeaseKeepAliveAsync(new LeaseKeepAliveRequest { ID = lease }, Anyone)).Error);
        Assert.Equal(10, await next.RenewAsync(lease));
        world.Cut(old, isCut: false);
        await Task.Delay(TimeSpan.FromSeconds(9), world.Time);
        Assert.Equal("1", await next.GetAsync("session"));
    });

    [Fact]
    public void Leadership_is_handed_over_on_request() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var target = world.Nodes[(leader + 1) % 3]!;

        var answer = await world.Nodes[leader]!.MoveLeaderAsync(new MoveLeaderRequest { TargetID = target.Look().MemberId }, Anyone);

        Assert.Equal(NodeError.None, answer.Error);
        Assert.Null(answer.Value!.Header);
        await world.UntilAsync(() => target.Look().IsLeader);
    });

    [Fact]
    public void A_leader_that_is_about_to_stop_hands_over_first() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var began = world.Time.GetTimestamp();

        await world.Nodes[leader]!.HandOverAsync();

        Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromMilliseconds(50));
        Assert.False(world.Nodes[leader]!.Look().IsLeader);
        Assert.NotEqual(0ul, world.Nodes[leader]!.Look().LeaderId);
        await world.Nodes[leader]!.PutAsync("a", "1");
    });

    [Fact]
    public void A_leader_that_nobody_hears_does_not_wait_for_a_successor_for_long() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        await world.StopAsync((leader + 1) % 3);
        await world.StopAsync((leader + 2) % 3);
        var began = world.Time.GetTimestamp();

        await world.Nodes[leader]!.HandOverAsync();

        Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(3));
    });

    [Fact]
    public void No_write_fails_or_waits_long_while_leadership_is_handed_over() => ClusterWorld.Run(3, async world =>
    {
        for (var round = 0; round < 6; round++)
        {
            var leader = world.FindLeader();
            var began = world.Time.GetTimestamp();
            var writes = new List<Task<Answer<PutResponse>>>();
            var moved = world.Nodes[leader]!.MoveLeaderAsync(new MoveLeaderRequest { TargetID = world.Nodes[(leader + 1) % 3]!.Look().MemberId }, Anyone).AsTask();
            for (var i = 0; i < 60; i++)
            {
                writes.Add(world.Nodes[i % 3]!.PutAsync(new PutRequest { Key = Bytes($"{i}"), Value = Bytes("1") }, Anyone).AsTask());
                await Task.Delay(TimeSpan.FromMilliseconds(1), world.Time);
            }

            foreach (var write in writes)
            {
                Assert.Equal(NodeError.None, (await write).Error);
            }

            Assert.Equal(NodeError.None, (await moved).Error);
            Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromMilliseconds(110));
        }
    });

    [Fact]
    public void A_read_whose_leader_is_replaced_before_it_answers_is_answered_by_the_next() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var old = world.Nodes[leader]!.MemberId;
        await world.Nodes[leader]!.PutAsync("a", "1");
        world.Holds = message => message.To == old && message.Type == MessageType.ReadIndex;

        var began = world.Time.GetTimestamp();
        var read = world.Nodes[(leader + 2) % 3]!.GetAsync("a");
        var moved = world.Nodes[leader]!.MoveLeaderAsync(new MoveLeaderRequest { TargetID = world.Nodes[(leader + 1) % 3]!.MemberId }, Anyone).AsTask();

        Assert.Equal("1", await read);
        Assert.Single(world.Held);
        Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
        Assert.Equal(NodeError.None, (await moved).Error);
    });

    // The old leader took both in one turn, in which it still believed that it knew a leader, and dropped the proposal.
    [Fact]
    public void A_write_that_reaches_the_old_leader_together_with_the_vote_for_the_new_one_is_not_lost() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var old = world.Nodes[leader]!.MemberId;
        world.Holds = message => message.To == old && message.Type is MessageType.Vote or MessageType.Prop;

        var moved = world.Nodes[leader]!.MoveLeaderAsync(new MoveLeaderRequest { TargetID = world.Nodes[(leader + 1) % 3]!.MemberId }, Anyone).AsTask();
        var write = world.Nodes[(leader + 2) % 3]!.PutAsync(new PutRequest { Key = Bytes("a"), Value = Bytes("1") }, Anyone).AsTask();
        for (var i = 0; i < 20 && world.Held.Count < 2; i++)
        {
            await world.PassAsync(TimeSpan.FromMilliseconds(1));
        }

        Assert.Equal([MessageType.Prop, MessageType.Vote], world.Held.Select(static message => message.Type).Order());

        world.Holds = static _ => false;
        foreach (var message in world.Held.OrderByDescending(static message => message.Type == MessageType.Vote))
        {
            world.Bring(message);
        }

        Assert.Equal(NodeError.None, (await write).Error);
        Assert.Equal(NodeError.None, (await moved).Error);
    });

    [Fact]
    public void Streams_that_require_a_leader_end_when_there_is_none_for_three_election_timeouts() => ClusterWorld.Run(3, async world =>
    {
        using var demanding = world.Nodes[0]!.OpenWatchStream(new RequestContext(CancellationToken.None, RequireLeader: true));
        using var patient = world.Nodes[0]!.OpenWatchStream(Anyone);
        await world.StopAsync(1);
        await world.StopAsync(2);
        await world.UntilAsync(() => demanding.Ended != NodeError.None);

        Assert.Equal(NodeError.NoLeader, demanding.Ended);
        Assert.Equal(NodeError.None, patient.Ended);
        var refused = await world.Nodes[0]!.PutAsync(new PutRequest { Key = Bytes("a") }, new RequestContext(CancellationToken.None, RequireLeader: true));
        Assert.Equal(NodeError.NoLeader, refused.Error);
        var late = await world.Nodes[0]!.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone);
        Assert.Equal(NodeError.DeadlineExceeded, late.Error);
    });
}
