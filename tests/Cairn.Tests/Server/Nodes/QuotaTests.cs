using Cairn.Protocol;
using Cairn.Server;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

/// <summary>The space quota: what it counts, what it refuses, whom it warns, and what history it takes back before.</summary>
public sealed class QuotaTests
{
    private const int Quota = 2_000_000;
    private static readonly string Value = new('v', 1000);

    [Theory]
    [InlineData(CompactionMode.Revision)]
    [InlineData(CompactionMode.Periodic)]
    public void With_automatic_compaction_one_key_may_be_overwritten_for_ever(CompactionMode mode) => SingleNodeWorld.Run(async world =>
    {
        world.Options = With(mode);
        await using var node = await world.StartAsync();

        // Twenty times the quota, and none of it refused.
        for (var i = 0; i < 40_000; i++)
        {
            await node.PutAsync("a", Value);
        }

        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Empty(node.Look().Alarms);
        Assert.True(node.Look().DatabaseBytesInUse <= Quota);
    });

    [Fact]
    public void Without_automatic_compaction_history_counts_and_is_the_clients_to_drop() => SingleNodeWorld.Run(async world =>
    {
        world.Options = With(CompactionMode.Off);
        await using var node = await world.StartAsync();
        var lease = await node.GrantAsync(600);

        await FillAsync(node, static _ => "a");
        await world.PassAsync(TimeSpan.FromSeconds(1));

        Assert.Single(node.Look().Alarms);
        Assert.Equal(-1, node.Look().CompactedRevision);
        Assert.Contains(world.Log.All, static line => line.Contains("are rows that live", StringComparison.Ordinal) && line.Contains("compact it", StringComparison.Ordinal));
        Assert.Equal(600, await node.RenewAsync(lease));
        Assert.Equal(NodeError.None, (await node.CompactAsync(new CompactionRequest { Revision = node.Look().Revision }, Anyone)).Error);
        await world.PassAsync(TimeSpan.FromSeconds(10));
        Assert.Empty(node.Look().Alarms);
        await node.PutAsync("a", "1");
    });

    [Fact]
    public void A_quota_that_is_raised_while_the_member_runs_ends_the_alarm_by_itself() => SingleNodeWorld.Run(async world =>
    {
        world.Options = With(CompactionMode.Off);
        await using var node = await world.StartAsync();
        await FillAsync(node, static i => $"k{i}");
        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Single(node.Look().Alarms);

        node.ChangeQuota(2 * Quota);
        await world.PassAsync(TimeSpan.FromSeconds(10));

        Assert.Empty(node.Look().Alarms);
        Assert.Equal(2 * Quota, node.Look().QuotaBytes);
        await node.PutAsync("a", "1");
    });

    [Fact]
    public void Where_live_data_is_the_reason_the_prefixes_that_hold_most_of_it_are_named() => SingleNodeWorld.Run(async world =>
    {
        world.Options = With(CompactionMode.Revision);
        await using var node = await world.StartAsync();

        await FillAsync(node, static i => i % 10 < 6 ? $"/registry/events/{i}" : i % 10 < 9 ? $"/registry/pods/{i % 100}/{i}" : $"k{i}");
        await world.PassAsync(TimeSpan.FromSeconds(1));

        var error = Assert.Single((await node.StatusAsync(new StatusRequest(), Anyone)).Value!.Errors, static text => text.StartsWith("cairn: ", StringComparison.Ordinal));
        Assert.Matches(@"delete keys, or raise --quota-backend-bytes; most lies below /registry/events/ \(1\d{6} bytes\), /registry/pods/ \(\d{6} bytes\)", error);
    });

    [Fact]
    public void It_is_warned_once_at_80_and_once_at_90_percent() => SingleNodeWorld.Run(async world =>
    {
        world.Options = With(CompactionMode.Off);
        await using var node = await world.StartAsync();

        await FillAsync(node, static i => $"k{i}", until: 0.85);
        await world.PassAsync(TimeSpan.FromSeconds(2));
        Assert.Single(world.Log.All, static line => line.Contains("of the space quota is in use", StringComparison.Ordinal));
        await FillAsync(node, static i => $"l{i}", until: 0.92);
        await world.PassAsync(TimeSpan.FromSeconds(2));

        Assert.Equal(2, world.Log.All.Count(static line => line.Contains("of the space quota is in use", StringComparison.Ordinal)));
        Assert.Empty(node.Look().Alarms);
    });

    [Fact]
    public void Before_the_last_tenth_history_that_a_watcher_has_to_read_is_kept() => SingleNodeWorld.Run(async world =>
    {
        world.Options = With(CompactionMode.Revision) with { CompactionRevisions = 10 };
        await using var node = await world.StartAsync();
        await FillAsync(node, static _ => "a", until: 0.5);
        using var slow = node.OpenWatchStream(Anyone);
        await slow.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("a"), StartRevision = 500 } }, default);

        await FillAsync(node, static _ => "a", until: 0.82);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Equal(500, node.Look().CompactedRevision);

        // It never reads: writes go on all the same.
        for (var i = 0; i < 2000; i++)
        {
            await node.PutAsync("a", Value);
        }

        Assert.Empty(node.Look().Alarms);
        Assert.True(node.Look().CompactedRevision > 500);
    });

    private static NodeOptions With(CompactionMode mode) => new()
    {
        QuotaBytes = Quota,
        CompactionMode = mode,
        CompactionRevisions = mode == CompactionMode.Revision ? 1000 : 0,
        CompactionWindow = mode == CompactionMode.Periodic ? TimeSpan.FromHours(1) : default,
    };

    /// <summary>Puts until a part of the quota is in use, or until a put is refused.</summary>
    private static async Task FillAsync(Node node, Func<int, string> key, double until = double.MaxValue)
    {
        for (var i = 0; node.Look().DatabaseBytesInUse < Quota * until; i++)
        {
            Assert.True(i < 10_000, "far more was taken than fits");
            var answer = await node.PutAsync(new PutRequest { Key = Bytes(key(i)), Value = Bytes(Value) }, Anyone);
            if (answer.Error != NodeError.None)
            {
                Assert.Equal(NodeError.NoSpace, answer.Error);
                return;
            }
        }
    }
}
