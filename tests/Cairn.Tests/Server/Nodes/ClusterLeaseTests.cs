using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Requests;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

/// <summary>Leases while leaders come and go.</summary>
public sealed class ClusterLeaseTests
{
    private static readonly TimeSpan ElectionTimeout = TimeSpan.FromSeconds(1);

    [Fact]
    public void A_leader_without_a_quorum_lets_nobody_pay_for_that_time() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var lease = await world.Nodes[leader]!.GrantAsync(2);
        await world.PassAsync(TimeSpan.FromSeconds(1.8));
        world.Cut(leader, isCut: true);
        await world.PassAsync(TimeSpan.FromSeconds(0.8));
        world.Cut(leader, isCut: false);
        await world.UntilAsync(() => world.FindLeader() >= 0);

        Assert.Equal(2, await world.Nodes[world.FindLeader()]!.RenewAsync(lease));
    });

    [Fact]
    public void Leases_of_living_clients_live_and_others_end_while_one_leader_follows_another() => ClusterWorld.Run(3, async world =>
    {
        var (living, dead) = (await world.Nodes[world.FindLeader()]!.GrantAsync(12), await world.Nodes[world.FindLeader()]!.GrantAsync(12));
        await world.Nodes[world.FindLeader()]!.PutAsync("living", "1", living);
        await world.Nodes[world.FindLeader()]!.PutAsync("dead", "1", dead);
        await RenewForAsync(world, living, TimeSpan.FromSeconds(7));
        for (var i = 0; i < 6; i++)
        {
            var old = world.FindLeader();
            await world.StopAsync(old);
            await world.UntilAsync(() => world.FindLeader() is >= 0 and var next && next != old);
            await world.StartAsync(old);
            await RenewForAsync(world, living, TimeSpan.FromSeconds(3));
        }

        var node = world.Nodes[world.FindLeader()]!;
        Assert.Null(await node.GetAsync("dead"));
        Assert.Equal("1", await node.GetAsync("living"));
        Assert.Equal(12, await node.RenewAsync(living));
    });

    [Fact]
    public void A_renewal_that_a_former_leader_does_not_answer_is_taken_to_its_successor() => ClusterWorld.Run(3, async world =>
    {
        var (old, began) = (world.FindLeader(), world.Time.GetTimestamp());
        var lease = await world.Nodes[old]!.GrantAsync(4);
        world.Silent.Add(old);
        var renewals = Enumerable.Range(0, 3).Where(i => i != old).Select(i => world.Nodes[i]!.RenewAsync(lease)).ToList();
        world.Cut(old, isCut: true);

        foreach (var renewal in renewals)
        {
            Assert.Equal(4, await renewal);
        }

        // An election, and an election timeout until those who wait look up.
        Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(4));
        world.Cut(old, isCut: false);
    });

    [Fact]
    public void A_renewal_whose_entry_is_lost_with_the_leadership_is_taken_to_the_successor() => ClusterWorld.Run(3, async world =>
    {
        var old = world.FindLeader();
        var lease = await world.Nodes[old]!.GrantAsync(12);

        // The log knows by now how idle it is, so its renewal takes an entry: which is on its way when the leader is cut off.
        await world.PassAsync(TimeSpan.FromSeconds(7));
        var (renewal, began) = (world.Nodes[old]!.RenewAsync(lease), world.Time.GetTimestamp());
        await world.PassAsync(TimeSpan.FromMilliseconds(2.5));
        world.Cut(old, isCut: true);
        await world.UntilAsync(() => world.FindLeader() is >= 0 and var next && next != old);
        Assert.False(renewal.IsCompleted);
        world.Cut(old, isCut: false);

        Assert.Equal(12, await renewal);
        Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.Zero, TimeSpan.FromSeconds(5));
    });

    [Fact]
    public void A_lease_of_a_dead_client_ends_while_the_leader_is_killed_every_three_seconds() => ClusterWorld.Run(3, async world =>
    {
        const int ttl = 15;
        var (living, dead) = (await world.Nodes[world.FindLeader()]!.GrantAsync(ttl), await world.Nodes[world.FindLeader()]!.GrantAsync(ttl));
        await world.Nodes[world.FindLeader()]!.PutAsync("living", "1", living);
        await world.Nodes[world.FindLeader()]!.PutAsync("dead", "1", dead);
        var (began, stall, changes) = (world.Time.GetTimestamp(), TimeSpan.Zero, 0);
        while (await world.Nodes[world.FindLeader()]!.GetAsync("dead") is not null)
        {
            Assert.True(world.Time.GetElapsedTime(began) < TimeSpan.FromSeconds(120), "the lease of a dead client lives as long as leaders are killed");
            var (old, killed) = (world.FindLeader(), world.Time.GetTimestamp());
            world.CutPower(old);
            await world.UntilAsync(() => world.FindLeader() >= 0);
            stall += world.Time.GetElapsedTime(killed);
            changes++;
            await world.StartAsync(old);
            await RenewForAsync(world, living, TimeSpan.FromSeconds(3) - world.Time.GetElapsedTime(killed));
            await world.UntilAsync(() => world.FindLeader() >= 0);
        }

        // What passed since a leader last told the others does not count; whether the lease has ended is looked at once in a leader's time.
        var atMost = TimeSpan.FromSeconds(ttl + (changes * 0.5) + 3) + stall;
        Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.FromSeconds(ttl), atMost);
        Assert.Equal("1", await world.Nodes[world.FindLeader()]!.GetAsync("living"));
        Assert.Equal(ttl, await world.Nodes[world.FindLeader()]!.RenewAsync(living));
    });

    [Theory]
    [InlineData(2)]
    [InlineData(5)]
    [InlineData(8)]
    public void A_lease_of_a_dead_client_goes_on_under_the_next_leader_where_it_was(int idle) => ClusterWorld.Run(3, async world =>
    {
        var (old, began) = (world.FindLeader(), world.Time.GetTimestamp());
        await world.Nodes[old]!.PutAsync("dead", "1", await world.Nodes[old]!.GrantAsync(12));
        await world.PassAsync(TimeSpan.FromSeconds(idle));
        var killed = world.Time.GetTimestamp();
        world.CutPower(old);
        await world.UntilAsync(() => world.FindLeader() >= 0);
        var atMost = TimeSpan.FromSeconds(12) + world.Time.GetElapsedTime(killed) + (2 * ElectionTimeout);
        while (await world.Nodes[world.FindLeader()]!.GetAsync("dead") is not null)
        {
            Assert.True(world.Time.GetElapsedTime(began) < TimeSpan.FromSeconds(60), "the lease of a dead client does not end");
            await world.PassAsync(TimeSpan.FromMilliseconds(50));
        }

        Assert.InRange(world.Time.GetElapsedTime(began), TimeSpan.FromSeconds(12), atMost);
    });

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void A_renewal_that_only_one_of_the_others_was_told_of_counts_under_the_next_leader(int which) => ClusterWorld.Run(3, async world =>
    {
        // Given a lease that all know, and a renewal while one of the others hears nothing of leases,
        var old = world.FindLeader();
        var lease = await world.Nodes[old]!.GrantAsync(12);
        await world.PassAsync(TimeSpan.FromSeconds(5));
        var deaf = (old + 1 + which) % 3;
        world.Silent.Add(deaf);
        await world.PassAsync(TimeSpan.FromSeconds(0.3));
        var renewed = world.Time.GetTimestamp();
        Assert.Equal(12, await world.Nodes[old]!.RenewAsync(lease));

        // when the leader falls in that moment, whoever succeeds it,
        world.CutPower(old);
        world.Silent.Remove(deaf);
        await world.UntilAsync(() => world.FindLeader() >= 0);

        // then the lease has its time from the renewal on.
        await world.PassAsync(TimeSpan.FromSeconds(11.9) - world.Time.GetElapsedTime(renewed));
        Assert.Equal(12, await world.Nodes[world.FindLeader()]!.RenewAsync(lease));
    });

    [Fact]
    public void A_renewal_that_nobody_can_be_told_of_goes_through_the_log() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var lease = await world.Nodes[leader]!.GrantAsync(12);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        foreach (var other in Enumerable.Range(0, 3).Where(i => i != leader))
        {
            world.Silent.Add(other);
        }

        var (began, applied) = (world.Time.GetTimestamp(), world.Nodes[leader]!.Look().AppliedIndex);
        Assert.Equal(12, await world.Nodes[leader]!.RenewAsync(lease));
        Assert.InRange(world.Time.GetElapsedTime(began), ElectionTimeout, 2 * ElectionTimeout);
        Assert.True(world.Nodes[leader]!.Look().AppliedIndex > applied);
        world.Silent.Clear();
    });

    [Fact]
    public void Renewals_are_answered_while_every_disk_of_the_cluster_hangs() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.Nodes[world.FindLeader()]!;
        var lease = await leader.GrantAsync(15);
        await leader.PutAsync("session", "1", lease);
        foreach (var disk in world.Disks)
        {
            disk.HoldSyncs = true;
        }

        var write = leader.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone).AsTask();
        for (var i = 0; i < 8; i++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(5));
            Assert.Equal(15, await leader.RenewAsync(lease));
            Assert.Equal(15, (await leader.LeaseTimeToLiveAsync(new LeaseTimeToLiveRequest { ID = lease }, Anyone)).Value!.TTL);
            Assert.Equal("1", await leader.GetAsync("session"));
        }

        foreach (var disk in world.Disks)
        {
            disk.HoldSyncs = false;
            disk.ReleaseSyncs();
        }

        await write;
        Assert.Equal(NodeError.None, (await leader.PutAsync(new PutRequest { Key = Bytes("b") }, Anyone)).Error);
    });

    [Fact]
    public void The_header_of_a_renewal_is_never_that_of_a_revocation_after_it() => ClusterWorld.Run(3, async world =>
    {
        // Given a lease with a key,
        var leader = world.Nodes[world.FindLeader()]!;
        var follower = world.Nodes[(world.FindLeader() + 1) % 3]!;
        var lease = await leader.GrantAsync(60);
        await leader.PutAsync("session", "1", lease);
        await world.UntilAsync(() => follower.Look().Revision == 2);

        // when it is revoked, and the follower hears of it, while the leader's answer to a renewal is under way to the follower,
        var revoked = 0L;
        world.BeforeAnswer = async call =>
        {
            if (call.Path == PeerRequests.KeepAlivePath)
            {
                revoked = (await leader.LeaseRevokeAsync(new LeaseRevokeRequest { ID = lease }, Anyone)).Value!.Header.Revision;
                await world.UntilAsync(() => follower.Look().Revision == revoked);
            }
        };
        var renewal = await follower.LeaseKeepAliveAsync(new LeaseKeepAliveRequest { ID = lease }, Anyone);

        // then the renewal has succeeded, and is dated before the revocation.
        Assert.Equal(3, revoked);
        Assert.Equal((60, 2), (renewal.Value!.TTL, renewal.Value.Header.Revision));
        Assert.Equal(0, await leader.RenewAsync(lease));
    });

    private static async Task RenewForAsync(ClusterWorld world, long lease, TimeSpan span)
    {
        for (var passed = TimeSpan.Zero; passed < span; passed += TimeSpan.FromSeconds(1))
        {
            await world.UntilAsync(() => world.FindLeader() >= 0);
            var answer = await world.Nodes[world.FindLeader()]!.LeaseKeepAliveAsync(new LeaseKeepAliveRequest { ID = lease }, Anyone);
            Assert.True(answer.Error != NodeError.None || answer.Value!.TTL > 0, "a lease of a living client was lost");
            await world.PassAsync(TimeSpan.FromSeconds(1));
        }
    }
}
