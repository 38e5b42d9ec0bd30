using Cairn.Protocol;
using Cairn.Server;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Recovery;

/// <summary>A member that lost its disk founded a cluster of its own, since it was told of nobody else and heard nobody; then the others reach it.</summary>
public sealed class SplitTests
{
    [Fact]
    public void Without_keys_it_gives_way_and_is_a_voter_of_the_others_again() => ClusterWorld.Run(3, async world =>
    {
        var (index, cluster) = await FoundAloneAsync(world);
        Assert.NotEqual(cluster, world.Nodes[index]!.ClusterId);

        await world.UntilAsync(() => world.Nodes[index] is { Stopped.IsCompleted: false, Ready.IsCompletedSuccessfully: true } node && node.ClusterId == cluster && !node.Look().IsLearner);

        Assert.Equal("1", await world.Nodes[index]!.GetAsync("before"));
        Assert.Contains("-fenced", Assert.Single(world.Disks[index].List("quarantine")), StringComparison.Ordinal);
    });

    [Fact]
    public void With_keys_nothing_is_given_up_and_nothing_is_written_until_a_person_decides() => ClusterWorld.Run(3, async world =>
    {
        var (index, cluster) = await FoundAloneAsync(world, isKept: true);
        var node = world.Nodes[index]!;
        await world.UntilAsync(() => node.Look().Healing is { } said && said.StartsWith("SPLIT", StringComparison.Ordinal));

        Assert.NotEqual(cluster, node.ClusterId);
        Assert.Equal(NodeError.Corrupt, (await node.PutAsync(new PutRequest { Key = Bytes("k") }, Anyone)).Error);
        Assert.Equal("1", await node.GetAsync("own"));
        var disarm = new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Deactivate, Alarm = AlarmType.Corrupt, MemberID = node.MemberId };
        Assert.Equal(NodeError.None, (await node.AlarmAsync(disarm, Anyone)).Error);
        await world.PassAsync(TimeSpan.FromSeconds(5));
        Assert.Equal(NodeError.None, (await node.PutAsync(new PutRequest { Key = Bytes("k") }, Anyone)).Error);
        Assert.Null(node.Look().Healing);
    });

    /// <summary>Wipes a follower and starts it as one that is told of nobody else, out of reach of the others; then they reach it.</summary>
    /// <returns>Which, and the cluster of the others.</returns>
    private static async Task<(int Index, ulong Cluster)> FoundAloneAsync(ClusterWorld world, bool isKept = false)
    {
        await world.Nodes[world.FindLeader()]!.PutAsync("before", "1");
        await world.PassAsync(TimeSpan.FromSeconds(2));
        var index = (world.FindLeader() + 1) % 3;
        var cluster = world.Nodes[index]!.ClusterId;
        await world.StopAsync(index);
        world.Wipe(index);
        world.Alone.Add(index);
        world.Unreachable.Add(index);
        _ = world.LiveAsync(index);
        await world.UntilAsync(() => world.Nodes[index]?.Ready.IsCompletedSuccessfully == true);
        if (isKept)
        {
            await world.Nodes[index]!.PutAsync("own", "1");
        }

        world.Unreachable.Remove(index);
        return (index, cluster);
    }
}
