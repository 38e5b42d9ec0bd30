using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Watch;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

/// <summary>Which history automatic compaction keeps, and which an explicit one does not.</summary>
public sealed class HistoryTests
{
    private const int Kept = 10;

    [Fact]
    public void A_watcher_whose_stream_broke_goes_on_within_five_minutes_and_not_for_ever() => SingleNodeWorld.Run(async world =>
    {
        world.Options = ByRevision;
        await using var node = await world.StartAsync();
        await PutAsync(node, 100);
        var last = await ReadAsync(node, from: 2, count: 50);
        await PutAsync(node, 1000);

        await world.PassAsync(TimeSpan.FromMinutes(5) - TimeSpan.FromSeconds(10));
        Assert.Equal(51, last);
        Assert.Equal(101, await ReadAsync(node, from: last + 1, count: 50));

        // Now nobody comes back, and the next compaction takes all but what it is told to keep.
        await world.PassAsync(TimeSpan.FromMinutes(16));
        Assert.Equal(node.Look().Revision - Kept, node.Look().CompactedRevision);
    });

    [Fact]
    public void The_leader_keeps_what_watchers_at_other_members_have_to_read() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var follower = world.Nodes[(leader + 1) % 3]!;
        await PutAsync(world.Nodes[leader]!, 100);
        using var slow = follower.OpenWatchStream(Anyone);
        await slow.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("a"), StartRevision = 40 } }, default);

        await world.PassAsync(TimeSpan.FromMinutes(6));
        Assert.Equal(40, world.Nodes[leader]!.Look().CompactedRevision);

        // The member is gone: its client may come back elsewhere, for a while.
        await world.StopAsync((leader + 1) % 3);
        await world.PassAsync(TimeSpan.FromMinutes(4));
        Assert.Equal(40, world.Nodes[leader]!.Look().CompactedRevision);
        await world.PassAsync(TimeSpan.FromMinutes(7));
        Assert.True(world.Nodes[leader]!.Look().CompactedRevision > 80);
    }, options: ByRevision);

    [Fact]
    public void An_explicit_compaction_is_obeyed_whoever_watches() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        await PutAsync(node, 100);
        using var slow = node.OpenWatchStream(Anyone);
        await slow.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("a"), StartRevision = 10 } }, default);

        Assert.Equal(NodeError.None, (await node.CompactAsync(new CompactionRequest { Revision = 90 }, Anyone)).Error);

        Assert.Equal(90, node.Look().CompactedRevision);
        using var late = node.OpenWatchStream(Anyone);
        await late.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("a"), StartRevision = 11 } }, default);
        var refused = await NextAsync(late, static response => response.CompactRevision != 0);
        Assert.Equal(90, refused.CompactRevision);
        Assert.True(refused.Canceled);
    });

    private static NodeOptions ByRevision => new() { QuotaBytes = -1, CompactionMode = CompactionMode.Revision, CompactionRevisions = Kept };

    private static async Task PutAsync(Node node, int count)
    {
        for (var i = 0; i < count; i++)
        {
            await node.PutAsync("a", $"{i}");
        }
    }

    /// <summary>Reads some events over a stream of its own, which then breaks.</summary>
    /// <returns>The last revision.</returns>
    private static async Task<long> ReadAsync(Node node, long from, int count)
    {
        using var stream = node.OpenWatchStream(Anyone);
        await stream.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("a"), StartRevision = from } }, default);
        var last = from - 1;
        for (var read = 0; read < count;)
        {
            var response = await NextAsync(stream, static response => response.Events.Count > 0 || response.Canceled);
            Assert.False(response.Canceled, response.CancelReason);
            foreach (var change in response.Events.Take(count - read))
            {
                Assert.Equal(++last, change.Kv.ModRevision);
                read++;
            }
        }

        return last;
    }

    private static async Task<WatchResponse> NextAsync(WatchStream stream, Func<WatchResponse, bool> wanted)
    {
        while (true)
        {
            Assert.True(await stream.WaitAsync(default));
            while (stream.TryTake(out var delivery))
            {
                if (delivery.ToMessage() is var response && wanted(response))
                {
                    return response;
                }
            }
        }
    }
}
