using System.Globalization;
using Cairn.Server.Disks;
using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Server.Nodes;

/// <summary>What is said of requests, disks and directories that are not as they should be.</summary>
public sealed class SlowRequestTests
{
    [Fact]
    public void A_slow_write_is_logged_with_what_took_so_long_and_a_fast_one_is_not() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        await node.PutAsync("a", "1");
        Assert.DoesNotContain(world.Log.All, static line => line.Contains("took too long", StringComparison.Ordinal));

        world.Disk.SyncDelay = TimeSpan.FromMilliseconds(710);
        await node.PutAsync("a", "2");

        var line = Assert.Single(world.Log.All, static line => line.StartsWith("apply request took too long", StringComparison.Ordinal));
        Assert.Contains("took=00:00:00.71", line, StringComparison.Ordinal);
        Assert.Contains("expectedDuration=00:00:00.1", line, StringComparison.Ordinal);
        Assert.Contains("put key:\"a\" value_size:1", line, StringComparison.Ordinal);
        Assert.Contains("replicate=00:00:00.71", line, StringComparison.Ordinal);
        Assert.Contains("sync=710.0ms", line, StringComparison.Ordinal);
        Assert.Contains("apply=00:00:00", line, StringComparison.Ordinal);
    });

    [Fact]
    public void A_stall_of_many_requests_is_ten_lines_and_a_count() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        world.Disk.SyncDelay = TimeSpan.FromSeconds(2);

        await Task.WhenAll(Enumerable.Range(0, 100).Select(i => node.PutAsync($"k{i}", "1")));
        await node.PutAsync("last", "1");

        var lines = world.Log.All.Where(static line => line.StartsWith("apply request took too long", StringComparison.Ordinal)).ToList();
        Assert.InRange(lines.Count, 11, 30);

        // What the member proposes for itself meanwhile is slow as well.
        Assert.InRange(lines.Count + lines.Sum(static line => int.Parse(line.Split("leftOut=")[1].Split(' ')[0], CultureInfo.InvariantCulture)), 101, 105);
    });

    [Theory]
    [InlineData(1, false)]
    [InlineData(20, true)]
    public void A_disk_that_is_too_slow_is_named_at_start(int milliseconds, bool isNamed) => SingleNodeWorld.Run(async world =>
    {
        world.Disk.SyncDelay = TimeSpan.FromMilliseconds(milliseconds);
        world.Options = world.Options with { MeasuresDisk = true };
        await using var node = await world.StartAsync();
        await world.PassAsync(TimeSpan.FromSeconds(2));

        Assert.Equal(isNamed, world.Log.All.Any(static line => line.StartsWith("the disk of the data directory is slow", StringComparison.Ordinal)));
        Assert.False(world.Disk.FileExists("disk-check.tmp"));
    });

    [Theory]
    [InlineData("overlay", true)]
    [InlineData("overlayfs", true)]
    [InlineData("tmpfs", true)]
    [InlineData("ext4", false)]
    [InlineData("xfs", false)]
    [InlineData("", false)]
    public void File_systems_that_end_with_a_container_are_known(string kind, bool isEphemeral) => Assert.Equal(isEphemeral, StartCheck.IsEphemeralKind(kind));
}
