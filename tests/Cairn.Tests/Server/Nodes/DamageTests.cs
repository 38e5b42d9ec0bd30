using Cairn.Server;
using Cairn.Storage;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;
using static Cairn.Tests.Server.Simulated.SampleKeys;

namespace Cairn.Tests.Server.Nodes;

/// <summary>Bits that flip in segments: found by the scrubber or by a reader, never served, and healed where somebody else has the record.</summary>
public sealed class DamageTests
{
    private const int Keys = 300;

    // Longer than a round of the scrubber and the pause behind it.
    private static readonly TimeSpan ScrubbedAfter = TimeSpan.FromMinutes(11);

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    [InlineData(false, 3)]
    [InlineData(true, 4)]
    public void Rot_in_a_member_is_found_and_the_records_come_from_the_others(bool isLeader, int seed) => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        await ForgetAsync(world);
        var victim = isLeader ? world.FindLeader() : (world.FindLeader() + 1) % 3;
        Rot.FlipRecords(world.Disks[victim], (ulong)seed, flips: 20);
        await world.PassAsync(ScrubbedAfter);

        Assert.Null(world.Nodes[victim]!.Look().Impairment);
        await CheckAsync(world.Nodes[victim]!, Keys);
        await AssertSameHashAsync(world);
    });

    [Fact]
    public void The_copy_of_the_third_wins_where_two_of_three_rot_at_the_same_place() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        await ForgetAsync(world);
        Rot.FlipRecords(world.Disks[0], seed: 9, flips: 20);
        Rot.FlipRecords(world.Disks[1], seed: 9, flips: 20);
        await world.PassAsync(ScrubbedAfter);

        Assert.All(world.Nodes, static node => Assert.Null(node!.Look().Impairment));
        await CheckAsync(world.Nodes[0]!, Keys);
        await CheckAsync(world.Nodes[1]!, Keys);
        await AssertSameHashAsync(world);
    });

    [Fact]
    public void A_healed_member_starts_again_with_all_of_its_data() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world, Keys);
        await ForgetAsync(world);
        var victim = (world.FindLeader() + 1) % 3;
        Rot.FlipRecords(world.Disks[victim], seed: 5, flips: 20);
        await world.PassAsync(ScrubbedAfter);
        await world.StopAsync(victim);
        await world.StartAsync(victim);
        await world.UntilAsync(() => world.Nodes[victim]!.Ready.IsCompleted);

        await CheckAsync(world.Nodes[victim]!, Keys);
        await AssertSameHashAsync(world);
    });

    [Fact]
    public void A_single_member_serves_what_verifies_names_what_does_not_and_invents_nothing() => SingleNodeWorld.Run(async world =>
    {
        await using (var filled = await world.StartAsync())
        {
            await FillAsync(filled, 0, Keys);
        }

        await using var node = await world.StartAsync();
        Rot.FlipRecords(world.Disk, seed: 3, flips: 3);
        await world.PassAsync(ScrubbedAfter);

        Assert.Contains(".segment, offset ", node.Look().Impairment, StringComparison.Ordinal);
        var lost = await CountLostAsync(node);
        Assert.InRange(lost, 1, 3);
        await node.PutAsync("after", "1");
        Assert.Equal("1", await node.GetAsync("after"));
        Assert.Equal(lost, await CountLostAsync(node));
    });

    private static async Task<int> CountLostAsync(Node node)
    {
        var lost = 0;
        for (var i = 0; i < Keys; i++)
        {
            try
            {
                Assert.Equal(ValueOf(i), await node.GetAsync($"key-{i:d3}"));
            }
            catch (CorruptionException)
            {
                lost++;
            }
        }

        return lost;
    }
}
