using Cairn.Protocol;
using Cairn.Server;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Simulated;

/// <summary>Keys whose values tell which key they are of, so that what was lost, mixed up or made up is seen.</summary>
internal static class SampleKeys
{
    /// <summary>Long enough for every change to be in a manifest.</summary>
    public static readonly TimeSpan WrittenAfter = TimeSpan.FromSeconds(70);

    /// <summary>The key of a number.</summary>
    public static string KeyOf(int i) => $"key-{i:d3}";

    /// <summary>The value that this key has.</summary>
    public static string ValueOf(int i) => $"{i}-{new string((char)('a' + (i % 26)), 100)}";

    /// <summary>Writes keys.</summary>
    public static async Task FillAsync(Node node, int from, int to)
    {
        for (var i = from; i < to; i++)
        {
            await node.PutAsync(KeyOf(i), ValueOf(i));
        }
    }

    /// <summary>Writes keys, and waits until they are in manifests.</summary>
    public static async Task FillAsync(ClusterWorld world, int count)
    {
        await FillAsync(world.Nodes[world.FindLeader()]!, 0, count);
        await world.PassAsync(WrittenAfter);
    }

    /// <summary>Reads all keys from one member alone, and insists on their values.</summary>
    public static async Task CheckAsync(Node node, int count)
    {
        for (var i = 0; i < count; i++)
        {
            Assert.Equal(ValueOf(i), await node.GetAsync(KeyOf(i), serializable: true));
        }
    }

    /// <summary>Starts all members anew, so that nobody has rows in memory any more.</summary>
    public static async Task ForgetAsync(ClusterWorld world)
    {
        for (var i = 0; i < world.Nodes.Length; i++)
        {
            await world.StopAsync(i);
            await world.StartAsync(i);
            await world.UntilAsync(() => world.Nodes[i]!.Ready.IsCompleted && world.FindLeader() >= 0);
        }
    }

    /// <summary>Whether all members run, serve, and have applied the same.</summary>
    public static bool AreInSync(ClusterWorld world) =>
        world.Nodes.All(static node => node is not null && node.Ready.IsCompleted) && world.Nodes.Select(static node => node!.Look().AppliedIndex).Distinct().Count() == 1;

    /// <summary>Insists that all members have the same history.</summary>
    public static async Task AssertSameHashAsync(ClusterWorld world)
    {
        var hashes = new HashSet<uint>();
        foreach (var node in world.Nodes)
        {
            hashes.Add((await node!.HashKvAsync(new HashKVRequest(), Anyone)).Value!.Hash);
        }

        Assert.Single(hashes);
    }
}
