using Cairn.Protocol;
using Cairn.Server;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

/// <summary>A leader whose process has ended is not waited for; one that only seems to have is not disturbed.</summary>
public sealed class SuccessionTests
{
    // Two turns for each of the two heirs, and the round trips of an election: far below an election timeout.
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(450);

    // In which what a member sent last arrives, as it does before its connection ends.
    private static readonly TimeSpan Hearing = TimeSpan.FromMilliseconds(10);

    [Fact]
    public void When_both_heirs_notice_that_the_leader_ended_one_of_them_takes_writes_before_an_election_timeout_is_over() => ClusterWorld.Run(3, async world =>
    {
        for (var i = 0; i < 10; i++)
        {
            var leader = world.FindLeader();
            int[] heirs = [.. Enumerable.Range(0, 3).Where(member => member != leader)];
            await world.Nodes[heirs[0]]!.PutAsync("before", $"{i}");
            var began = world.Time.GetTimestamp();

            var ended = world.Nodes[leader]!.MemberId;
            world.CutPower(leader);
            await Task.Delay(Hearing, world.Time);
            Array.ForEach(heirs, heir => world.Nodes[heir]!.ReportEnded(ended));
            await world.UntilAsync(() => heirs.Contains(world.FindLeader()));
            await world.Nodes[heirs[0]]!.PutAsync("after", $"{i}");

            Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.Zero, Soon);
            Assert.Equal($"{i}", await world.Nodes[heirs[1]]!.GetAsync("before"));
            await world.StartAsync(leader);
            await world.UntilAsync(() => world.Nodes[leader]!.Ready.IsCompleted);
        }
    });

    [Fact]
    public void A_write_on_its_way_to_a_leader_that_ended_fails_as_soon_as_another_leads_and_not_at_its_time_limit() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var (ended, follower) = (world.Nodes[leader]!.MemberId, world.Nodes[(leader + 1) % 3]!);
        await follower.PutAsync("before", "1");
        var began = world.Time.GetTimestamp();

        world.CutPower(leader);
        var lost = follower.PutAsync(new PutRequest { Key = Bytes("lost"), Value = Bytes("1") }, Anyone).AsTask();
        await Task.Delay(Hearing, world.Time);
        Array.ForEach(world.Nodes, node => node?.ReportEnded(ended));

        Assert.Equal(NodeError.TimeoutLeaderFailure, (await lost).Error);
        Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.Zero, Soon);
        await follower.PutAsync("after", "1");
        Assert.Null(await follower.GetAsync("lost"));
    });

    [Fact]
    public void When_the_leader_is_removed_another_takes_writes_before_an_election_timeout_is_over() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        int[] heirs = [.. Enumerable.Range(0, 3).Where(member => member != leader)];
        var removed = world.Nodes[leader]!.MemberId;
        var began = world.Time.GetTimestamp();

        var removal = await world.Nodes[heirs[1]]!.MemberRemoveAsync(new MemberRemoveRequest { ID = removed }, Anyone);
        Assert.Equal(NodeError.None, removal.Error);
        await world.UntilAsync(() => heirs.Any(heir => world.Nodes[heir]!.Look() is { IsLeader: true }));
        await world.Nodes[heirs[0]]!.PutAsync("after", "1");

        Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.Zero, Soon);
    });

    [Fact]
    public void When_nobody_notices_the_election_timeout_decides() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var began = world.Time.GetTimestamp();

        world.CutPower(leader);
        await world.UntilAsync(() => world.FindLeader() >= 0);

        Assert.True(world.Time.GetElapsedTime(began) > world.Options.ElectionTimeout - world.Options.HeartbeatInterval);
    });

    [Fact]
    public void One_member_that_is_wrong_about_its_leader_changes_nothing() => ClusterWorld.Run(3, async world =>
    {
        for (var mistaken = 0; mistaken < 3; mistaken++)
        {
            var (leader, term) = (world.FindLeader(), world.Nodes[0]!.Look().Term);

            world.Nodes[mistaken]!.ReportEnded(world.Nodes[leader]!.MemberId);
            await Task.Delay(TimeSpan.FromSeconds(3), world.Time);

            Assert.Equal((leader, term), (world.FindLeader(), world.Nodes[mistaken]!.Look().Term));
            await world.Nodes[mistaken]!.PutAsync("goes-on", $"{mistaken}");
        }
    });

    [Fact]
    public void Where_all_others_are_wrong_about_a_leader_it_is_succeeded_once_and_nothing_is_lost() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var (node, term) = (world.Nodes[leader]!, world.Nodes[leader]!.Look().Term);
        await node.PutAsync("kept", "1");

        await Task.Delay(Hearing, world.Time);
        foreach (var other in world.Nodes.OfType<Node>().Where(other => other != node))
        {
            other.ReportEnded(node.MemberId);
        }

        await Task.Delay(TimeSpan.FromSeconds(5), world.Time);
        Assert.NotEqual(leader, world.FindLeader());
        Assert.Equal(term + 1, node.Look().Term);
        Assert.Equal("1", await node.GetAsync("kept"));
        await node.PutAsync("kept", "2");
    });

    [Fact]
    public void A_member_that_ended_but_does_not_lead_is_no_reason_for_an_election() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var term = world.Nodes[leader]!.Look().Term;
        var (ended, witness) = ((leader + 1) % 3, (leader + 2) % 3);

        var id = world.Nodes[ended]!.MemberId;
        world.CutPower(ended);
        world.Nodes[leader]!.ReportEnded(id);
        world.Nodes[witness]!.ReportEnded(id);
        await Task.Delay(TimeSpan.FromSeconds(5), world.Time);

        Assert.Equal((leader, term), (world.FindLeader(), world.Nodes[witness]!.Look().Term));
    });
}
