using Cairn.Protocol;
using Cairn.Server;
using Cairn.Storage;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

/// <summary>Bits that flip in segments: found by the scrubber or by a reader, never served, and healed where somebody else has the record.</summary>
public sealed class DamageTests
{
    private const int Keys = 300;

    // Longer than a round of the scrubber and the pause behind it.
    private static readonly TimeSpan ScrubbedAfter = TimeSpan.FromMinutes(11);

    // Long enough for every change to be in a manifest.
    private static readonly TimeSpan WrittenAfter = TimeSpan.FromSeconds(70);

    [Theory]
    [InlineData(false, 1)]
    [InlineData(true, 2)]
    [InlineData(false, 3)]
    [InlineData(true, 4)]
    public void Rot_in_a_member_is_found_and_the_records_come_from_the_others(bool isLeader, int seed) => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world.Nodes[world.FindLeader()]!);
        await world.PassAsync(WrittenAfter);
        await ForgetAsync(world);
        var victim = isLeader ? world.FindLeader() : (world.FindLeader() + 1) % 3;
        Rot.FlipRecords(world.Disks[victim], (ulong)seed, flips: 20);
        await world.PassAsync(ScrubbedAfter);

        Assert.Null(world.Nodes[victim]!.Look().Impairment);
        await CheckAsync(world.Nodes[victim]!);
        await AssertSameHashAsync(world);
    });

    [Fact]
    public void The_copy_of_the_third_wins_where_two_of_three_rot_at_the_same_place() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world.Nodes[world.FindLeader()]!);
        await world.PassAsync(WrittenAfter);
        await ForgetAsync(world);
        Rot.FlipRecords(world.Disks[0], seed: 9, flips: 20);
        Rot.FlipRecords(world.Disks[1], seed: 9, flips: 20);
        await world.PassAsync(ScrubbedAfter);

        Assert.All(world.Nodes, static node => Assert.Null(node!.Look().Impairment));
        await CheckAsync(world.Nodes[0]!);
        await CheckAsync(world.Nodes[1]!);
        await AssertSameHashAsync(world);
    });

    [Fact]
    public void A_healed_member_starts_again_with_all_of_its_data() => ClusterWorld.Run(3, async world =>
    {
        await FillAsync(world.Nodes[world.FindLeader()]!);
        await world.PassAsync(WrittenAfter);
        await ForgetAsync(world);
        var victim = (world.FindLeader() + 1) % 3;
        Rot.FlipRecords(world.Disks[victim], seed: 5, flips: 20);
        await world.PassAsync(ScrubbedAfter);
        await world.StopAsync(victim);
        await world.StartAsync(victim);
        await world.UntilAsync(() => world.Nodes[victim]!.Ready.IsCompleted);

        await CheckAsync(world.Nodes[victim]!);
        await AssertSameHashAsync(world);
    });

    [Fact]
    public void A_single_member_serves_what_verifies_names_what_does_not_and_invents_nothing() => SingleNodeWorld.Run(async world =>
    {
        await using (var filled = await world.StartAsync())
        {
            await FillAsync(filled);
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

    private static async Task FillAsync(Node node)
    {
        for (var i = 0; i < Keys; i++)
        {
            await node.PutAsync($"key-{i:d3}", ValueOf(i));
        }
    }

    /// <summary>Starts all members anew, so that nobody has rows in memory any more.</summary>
    private static async Task ForgetAsync(ClusterWorld world)
    {
        for (var i = 0; i < 3; i++)
        {
            await world.StopAsync(i);
            await world.StartAsync(i);
            await world.UntilAsync(() => world.Nodes[i]!.Ready.IsCompleted && world.FindLeader() >= 0);
        }
    }

    private static async Task CheckAsync(Node node)
    {
        for (var i = 0; i < Keys; i++)
        {
            Assert.Equal(ValueOf(i), await node.GetAsync($"key-{i:d3}", serializable: true));
        }
    }

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

    private static async Task AssertSameHashAsync(ClusterWorld world)
    {
        var hashes = new HashSet<uint>();
        foreach (var node in world.Nodes)
        {
            hashes.Add((await node!.HashKvAsync(new HashKVRequest(), Anyone)).Value!.Hash);
        }

        Assert.Single(hashes);
    }

    private static string ValueOf(int i) => $"{i}-{new string((char)('a' + (i % 26)), 100)}";
}
