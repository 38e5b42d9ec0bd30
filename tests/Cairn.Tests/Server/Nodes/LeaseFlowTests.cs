using Cairn.Protocol;
using Cairn.Server;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

public sealed class LeaseFlowTests
{
    [Fact]
    public void A_lease_that_nobody_renews_ends_with_its_keys_in_one_revision() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        var lease = await node.GrantAsync(5);
        await node.PutAsync("a", "1", lease);
        await node.PutAsync("b", "1", lease);

        await world.PassAsync(TimeSpan.FromSeconds(4.5));
        Assert.Equal("1", await node.GetAsync("a"));
        await world.PassAsync(TimeSpan.FromSeconds(1));

        Assert.Null(await node.GetAsync("a"));
        Assert.Null(await node.GetAsync("b"));
        Assert.Equal(4, node.Look().Revision);
        Assert.Equal(0, await node.RenewAsync(lease));
        Assert.Equal(-1, (await node.LeaseTimeToLiveAsync(new LeaseTimeToLiveRequest { ID = lease }, Anyone)).Value!.TTL);
    });

    [Fact]
    public void A_lease_that_is_renewed_lives_on() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        var lease = await node.GrantAsync(3);
        await node.PutAsync("a", "1", lease);
        for (var i = 0; i < 20; i++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(2));
            Assert.Equal(3, await node.RenewAsync(lease));
        }

        Assert.Equal("1", await node.GetAsync("a"));
    });

    [Fact]
    public void The_smallest_lease_is_one_and_a_half_election_timeouts() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();

        var answer = await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = -5, ID = -77 }, Anyone);

        Assert.Equal((-77, 2), (answer.Value!.ID, answer.Value.TTL));
        Assert.Equal(NodeError.LeaseExists, (await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = 5, ID = -77 }, Anyone)).Error);
        Assert.Equal(NodeError.LeaseTtlTooLarge, (await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = 9_000_000_001 }, Anyone)).Error);
    });

    [Fact]
    public void Leases_are_listed_by_the_time_they_have_left() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        var slow = await node.GrantAsync(600);
        var quick = await node.GrantAsync(10);

        var list = (await node.LeaseLeasesAsync(new LeaseLeasesRequest(), Anyone)).Value!;

        Assert.Equal([quick, slow], list.Leases.Select(lease => lease.ID));
    });

    [Fact]
    public void Renewals_are_answered_while_a_sync_hangs_and_nothing_is_lost() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        var lease = await node.GrantAsync(15);
        await node.PutAsync("session", "1", lease);
        world.Disk.HoldSyncs = true;
        var write = node.PutAsync("a", "1");
        for (var i = 0; i < 12; i++)
        {
            await world.PassAsync(TimeSpan.FromSeconds(5));
            Assert.Equal(15, await node.RenewAsync(lease));
            Assert.Equal("1", await node.GetAsync("session"));
        }

        Assert.False(write.IsCompleted);
        world.Disk.HoldSyncs = false;
        world.Disk.ReleaseSyncs();
        await write;
        Assert.Equal(3, node.Look().Revision);
    });

    [Fact]
    public void A_process_that_was_stopped_takes_no_lease_from_a_living_client() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        var lease = await node.GrantAsync(10);
        await node.PutAsync("session", "1", lease);
        await world.PassAsync(TimeSpan.FromSeconds(3));
        world.Time.Stall(TimeSpan.FromSeconds(60));
        await world.PassAsync(TimeSpan.FromSeconds(1));

        Assert.Equal(10, await node.RenewAsync(lease));
        await world.PassAsync(TimeSpan.FromSeconds(9));
        Assert.Equal("1", await node.GetAsync("session"));
    });

    [Fact]
    public void After_a_restart_a_lease_has_its_full_time_and_then_ends() => SingleNodeWorld.Run(async world =>
    {
        await using (var node = await world.StartAsync())
        {
            var lease = await node.GrantAsync(10);
            await node.PutAsync("session", "1", lease);
            await world.PassAsync(TimeSpan.FromSeconds(8));
        }

        await using var again = await world.StartAsync();
        await world.PassAsync(TimeSpan.FromSeconds(9));
        Assert.Equal("1", await again.GetAsync("session"));
        await world.PassAsync(TimeSpan.FromSeconds(3));
        Assert.Null(await again.GetAsync("session"));
    });

    [Fact]
    public void A_renewal_during_a_revocation_that_waits_for_the_disk_is_told_the_truth() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        var lease = await node.GrantAsync(2);
        world.Disk.HoldSyncs = true;
        await world.PassAsync(TimeSpan.FromSeconds(4));
        var renewal = node.RenewAsync(lease);
        await world.PassAsync(TimeSpan.FromSeconds(4));
        Assert.False(renewal.IsCompleted);

        world.Disk.HoldSyncs = false;
        world.Disk.ReleaseSyncs();

        Assert.Equal(0, await renewal);
    });
}
