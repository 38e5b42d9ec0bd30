using System.CommandLine;
using System.Globalization;
using Cairn.Storage;

namespace Cairn.Offline;

/// <summary><c>cairn check disk --dir DIR</c>: whether a disk is fast enough for a member, and what it means if it is not.</summary>
public static class DiskCheckCommand
{
    /// <summary>Builds the command.</summary>
    /// <returns>The command.</returns>
    public static Command Build()
    {
        var directory = new Option<string>("--dir")
        {
            Description = "A directory on the disk: a data directory, also of a running member, or where one is to be. One file is made there, and deleted again.",
            Required = true,
        };
        var seconds = new Option<int>("--seconds") { Description = "How long to measure.", DefaultValueFactory = static _ => 10 };
        var command = new Command("disk", "Measures what matters to a member, and says what it means. Exit status 1 if the disk is too slow.") { directory, seconds };
        return OfflineCommand.Bind(command, async (parsed, cancelled) =>
        {
            var path = parsed.GetRequiredValue(directory);
            if (!Directory.Exists(path))
            {
                throw new OfflineException($"{path}: no such directory; name one that is there");
            }

            var length = TimeSpan.FromSeconds(Math.Max(parsed.GetValue(seconds), 1));
            using var disk = new RealDisk(path);
            var speed = await new DiskMeasurement(disk, TimeProvider.System).RunAsync(length, done => Draw(done, length), cancelled);
            Console.Error.WriteLine();
            Console.Out.WriteLine(Describe(speed));
            return speed.IsFastEnough ? 0 : 1;
        });
    }

    /// <summary>Says what was measured, and what it means.</summary>
    /// <param name="speed">What was measured.</param>
    /// <returns>Some lines.</returns>
    internal static string Describe(DiskSpeed speed)
    {
        var figures = string.Create(
            CultureInfo.InvariantCulture,
            $"""
            sync of a small write: p50 {speed.SyncMedian.TotalMilliseconds:F2} ms, p99 {speed.SyncP99.TotalMilliseconds:F2} ms, worst {speed.SyncWorst.TotalMilliseconds:F2} ms ({speed.Syncs} syncs)
            small writes, synced:  {speed.SyncsPerSecond:F0} a second
            sequential writes:     {speed.WriteBytesPerSecond / 1e6:F0} MB/s
            """);
        var p99 = string.Create(CultureInfo.InvariantCulture, $"the p99 of syncs is {(speed.IsSyncFastEnough ? "below" : "above")} {DiskSpeed.SyncP99Max.TotalMilliseconds:F0} ms");
        var rate = string.Create(CultureInfo.InvariantCulture, $"{(speed.IsRateEnough ? "at least" : "fewer than")} {DiskSpeed.SyncsPerSecondMin} small writes a second");
        var meaning = speed.IsFastEnough
            ? "A write of a client waits about as long as the p99 of two of three members; elections need no longer timeout."
            : "Writes of a single member's clients wait for each sync, those of a cluster for the second fastest of three. "
                + "The timeout of elections need not grow: heartbeats, reads and leases do not wait for disks. A faster disk, or one that is not shared, helps.";
        return $"{figures}\nverdict: {(speed.IsFastEnough ? "fast enough" : "too slow")}: {p99}, {rate}.\n{meaning}";
    }

    private static void Draw(TimeSpan done, TimeSpan length)
    {
        const int width = 40;
        var filled = (int)Math.Min(width * (done / length), width);
        Console.Error.Write($"\r[{new string('#', filled)}{new string('.', width - filled)}]");
    }
}
