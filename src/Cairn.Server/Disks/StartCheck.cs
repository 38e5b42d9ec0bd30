using Cairn.Server.Loops;
using Cairn.Storage;

namespace Cairn.Server.Disks;

/// <summary>Says at start what is wrong with the place of the data: a directory that ends with its container, or a disk that is too slow.</summary>
/// <remarks>The first is said again every hour, since nothing else will tell before the data is gone. Measuring takes a moment, beside the start.</remarks>
/// <param name="node">The node.</param>
internal sealed class StartCheck(NodeRuntime node)
{
    // Syncs of a fifth of a second: some hundreds on a good disk, one on a bad one.
    private static readonly TimeSpan MeasuredFor = TimeSpan.FromMilliseconds(200);
    private const int MeasuredBytes = 2 << 20;
    private static readonly TimeSpan SaidEvery = TimeSpan.FromHours(1);

    private readonly AsyncSignal _wake = new();
    private readonly string _kind = node.World.Disk.FileSystem;
    private bool _stopping;

    /// <summary>Whether the data directory ends with its container, or with the machine's memory.</summary>
    public bool IsEphemeral => IsEphemeralKind(_kind);

    /// <summary>Whether files on a file system of a kind end with a container, or with the machine.</summary>
    /// <param name="kind">As <see cref="IDisk.FileSystem"/> names it.</param>
    public static bool IsEphemeralKind(string kind) => kind is "overlay" or "overlayfs" or "aufs" or "tmpfs" or "ramfs";

    /// <summary>Refuses a data directory that does not last, if that was asked for.</summary>
    /// <param name="options">What the node is told.</param>
    /// <param name="disk">Where its data would be.</param>
    /// <exception cref="StartRefusedException">It does not last.</exception>
    public static void Admit(NodeOptions options, IDisk disk)
    {
        if (options.RequiresDurableDirectory && IsEphemeralKind(disk.FileSystem))
        {
            throw new StartRefusedException(
                $"the data directory {options.DataDirectory} is on {disk.FileSystem}, which ends with its container: mount a volume there, or start without --require-durable-dir");
        }
    }

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    /// <returns>Completes when stopped.</returns>
    public async Task RunAsync()
    {
        if (node.Options.MeasuresDisk)
        {
            await MeasureAsync();
        }

        if (!IsEphemeral)
        {
            return;
        }

        using var timer = node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), _wake, SaidEvery, SaidEvery);
        while (!Volatile.Read(ref _stopping))
        {
            node.Logger.DirectoryIsEphemeral(node.Options.DataDirectory, _kind);
            await _wake.WaitAsync();
        }
    }

    /// <summary>Ends the loop.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
    }

    private async Task MeasureAsync()
    {
        try
        {
            var speed = await new DiskMeasurement(node.World.Disk, node.Time, MeasuredBytes).RunAsync(MeasuredFor, static _ => { }, default);
            if (!speed.IsFastEnough)
            {
                node.Logger.DiskIsSlow(speed.SyncMedian, speed.SyncP99, (int)speed.SyncsPerSecond);
            }
        }
        catch (IOException)
        {
            // Whoever needs the disk says what is wrong with it.
        }
    }
}
