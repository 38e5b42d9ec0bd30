using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Server.Nodes;

/// <summary>Disks that are not what they were: whoever starts on one is not heard, and learns why.</summary>
public sealed class FencingTests
{
    [Fact]
    public void A_disk_that_was_rolled_back_is_fenced_and_stays_so() => ClusterWorld.Run(3, async world =>
    {
        var victim = (world.FindLeader() + 1) % 3;
        await world.StopAsync(victim);
        var image = world.Disks[victim].Copy();
        await world.StartAsync(victim);
        await world.PassAsync(TimeSpan.FromSeconds(10));
        for (var i = 0; i < 20; i++)
        {
            await world.Nodes[world.FindLeader()]!.PutAsync($"key-{i}", "1");
        }

        await world.UntilAsync(() => world.Nodes.Select(node => node!.Look().AppliedIndex).Distinct().Count() == 1);
        await world.StopAsync(victim);
        world.Disks[victim] = image;

        await world.StartAsync(victim);
        await world.UntilAsync(() => world.Nodes[victim]!.Look().Impairment?.Contains("is fenced", StringComparison.Ordinal) ?? false);
        await world.Nodes[world.FindLeader()]!.PutAsync("after", "1");
        await world.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Null(await world.Nodes[victim]!.GetAsync("after", serializable: true));
        await world.StopAsync(victim);
        await world.StartAsync(victim);
        Assert.Contains("is fenced", world.Nodes[victim]!.Look().Impairment, StringComparison.Ordinal);
    });

    [Fact]
    public void A_member_that_is_restarted_is_heard_again() => ClusterWorld.Run(3, async world =>
    {
        for (var i = 0; i < 6; i++)
        {
            await world.StopAsync(i % 3);
            await world.StartAsync(i % 3);
            await world.UntilAsync(() => world.Nodes.All(node => node!.Ready.IsCompleted));
            await world.UntilAsync(() => world.Nodes.Select(node => node!.Look().AppliedIndex).Distinct().Count() == 1);
        }

        Assert.All(world.Nodes, node => Assert.Null(node!.Look().Impairment));
    });

    [Fact]
    public void A_process_that_shows_nothing_is_not_heard_for_a_member_that_had_an_incarnation() => ClusterWorld.Run(3, async world =>
    {
        await world.PassAsync(TimeSpan.FromSeconds(2));
        var (node, other) = (world.Nodes[0]!, world.Nodes[1]!);

        Assert.False(node.Hears(other.MemberId, sender: null));
        Assert.True(node.Hears(other.MemberId, other.Sight));
        Assert.False(node.Hears(other.MemberId, other.Sight with { Process = other.Sight.Process with { Nonce = 1 } }));
        Assert.False(node.Hears(other.MemberId, other.Sight with { Process = other.Sight.Process with { Incarnation = 1 } }));
        Assert.False(node.Hears(memberId: 99, other.Sight));
        Assert.True(node.Hears(memberId: 99, sender: null));
    });
}
