using Cairn.Offline;
using Cairn.Simulation.Disks;
using Cairn.Storage;
using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Offline;

public sealed class DiskCheckTests
{
    [Theory]
    [InlineData(1, "verdict: fast enough: the p99 of syncs is below 10 ms, at least 500 small writes a second.")]
    [InlineData(8, "verdict: too slow: the p99 of syncs is below 10 ms, fewer than 500 small writes a second.")]
    [InlineData(20, "verdict: too slow: the p99 of syncs is above 10 ms, fewer than 500 small writes a second.")]
    public void A_disk_is_judged_by_named_thresholds(int milliseconds, string verdict)
    {
        var time = new SimulatedTime();
        SingleThread.Run(time, async () =>
        {
            var disk = new SimulatedDisk(seed: 1, time) { SyncDelay = TimeSpan.FromMilliseconds(milliseconds) };
            var speed = await new DiskMeasurement(disk, time).RunAsync(TimeSpan.FromMilliseconds(100), static _ => { }, default);

            Assert.Contains(verdict, DiskCheckCommand.Describe(speed), StringComparison.Ordinal);
            Assert.Equal(milliseconds, speed.SyncMedian.TotalMilliseconds);
            Assert.Empty(disk.List(""));
        });
    }
}
