namespace Cairn.Storage;

/// <summary>How fast a disk is at what a member does.</summary>
public sealed record DiskSpeed
{
    /// <summary>Above this, clients notice each write. Source: etcd's documentation on hardware.</summary>
    public static readonly TimeSpan SyncP99Max = TimeSpan.FromMilliseconds(10);

    /// <summary>Below this, a busy cluster waits for its disks. Source: etcd's documentation on hardware.</summary>
    public const int SyncsPerSecondMin = 500;

    /// <summary>Syncs measured.</summary>
    public required int Syncs { get; init; }

    /// <summary>Half of them took no longer.</summary>
    public required TimeSpan SyncMedian { get; init; }

    /// <summary>99 of 100 took no longer.</summary>
    public required TimeSpan SyncP99 { get; init; }

    /// <summary>The longest.</summary>
    public required TimeSpan SyncWorst { get; init; }

    /// <summary>Small writes that were synced, a second, one after the other.</summary>
    public required double SyncsPerSecond { get; init; }

    /// <summary>Sequential writes, synced at the end.</summary>
    public required double WriteBytesPerSecond { get; init; }

    /// <summary>Whether syncs are fast enough.</summary>
    public bool IsSyncFastEnough => SyncP99 < SyncP99Max;

    /// <summary>Whether there are enough of them.</summary>
    public bool IsRateEnough => SyncsPerSecond >= SyncsPerSecondMin;

    /// <summary>Whether a member is well off with it.</summary>
    public bool IsFastEnough => IsSyncFastEnough && IsRateEnough;
}

/// <summary>Measures a disk as a member uses it: small writes to a file made ahead, each synced; then large ones. One file, deleted again.</summary>
/// <param name="disk">The disk.</param>
/// <param name="time">Measures.</param>
/// <param name="fileBytes">Size of the file; more than a mebibyte, so that it holds what is written.</param>
public sealed class DiskMeasurement(IDisk disk, TimeProvider time, int fileBytes = 32 << 20)
{
    private const string FileName = "disk-check.tmp";

    // What a client's small write comes to, with its frame and the state behind the batch.
    private const int SmallBytes = 2048;
    private const int LargeBytes = 1 << 20;

    /// <summary>Measures.</summary>
    /// <param name="length">How long; nine tenths of it for syncs.</param>
    /// <param name="report">Told now and then how much of that is over.</param>
    /// <param name="cancelled">Ends it.</param>
    /// <returns>What was measured.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public async Task<DiskSpeed> RunAsync(TimeSpan length, Action<TimeSpan> report, CancellationToken cancelled)
    {
        ArgumentNullException.ThrowIfNull(report);
        try
        {
            using var file = await disk.PrepareAsync(FileName, fileBytes);
            var began = time.GetTimestamp();
            var syncs = await SyncAsync(file, length * 0.9, () => report(time.GetElapsedTime(began)), cancelled);
            var elapsed = time.GetElapsedTime(began);
            var bytesPerSecond = await WriteAsync(file, length * 0.1, cancelled);
            report(length);
            syncs.Sort();
            return new DiskSpeed
            {
                Syncs = syncs.Count,
                SyncMedian = syncs[syncs.Count / 2],
                SyncP99 = syncs[(int)((syncs.Count - 1) * 0.99)],
                SyncWorst = syncs[^1],
                SyncsPerSecond = syncs.Count / elapsed.TotalSeconds,
                WriteBytesPerSecond = bytesPerSecond,
            };
        }
        finally
        {
            if (disk.FileExists(FileName))
            {
                disk.Delete(FileName);
            }
        }
    }

    private async Task<List<TimeSpan>> SyncAsync(IDiskFile file, TimeSpan length, Action report, CancellationToken cancelled)
    {
        var syncs = new List<TimeSpan>();
        var block = new byte[SmallBytes];
        var began = time.GetTimestamp();
        var reported = TimeSpan.Zero;
        for (var offset = 0L; syncs.Count == 0 || time.GetElapsedTime(began) < length; offset = (offset + SmallBytes) % (fileBytes - SmallBytes))
        {
            cancelled.ThrowIfCancellationRequested();
            var start = time.GetTimestamp();
            await file.WriteAndSyncAsync(offset, block);
            syncs.Add(time.GetElapsedTime(start));
            if (time.GetElapsedTime(began) - reported >= length / 40)
            {
                reported = time.GetElapsedTime(began);
                report();
            }
        }

        return syncs;
    }

    private async Task<double> WriteAsync(IDiskFile file, TimeSpan length, CancellationToken cancelled)
    {
        var block = new byte[LargeBytes];
        var began = time.GetTimestamp();
        var bytes = 0L;
        while (bytes < fileBytes || time.GetElapsedTime(began) < length)
        {
            cancelled.ThrowIfCancellationRequested();
            await file.WriteAsync(bytes % fileBytes, block);
            bytes += LargeBytes;
            if (bytes % fileBytes == 0)
            {
                await file.SyncAsync();
            }
        }

        await file.SyncAsync();
        return bytes / time.GetElapsedTime(began).TotalSeconds;
    }
}
