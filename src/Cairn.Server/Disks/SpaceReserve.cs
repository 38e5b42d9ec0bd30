using Cairn.Server.Loops;

namespace Cairn.Server.Disks;

/// <summary>Keeps room on the disk for the day on which it is full: a file of nothing, deleted when what must go on finds no room any more.</summary>
/// <remarks>
/// <para>
/// While little is left, what takes space is refused; deletions, compaction and everything about leases go on, at first in what is left, then in the reserve. When
/// there is room again the reserve is made anew, and all goes on by itself. Example: a reserve of 64 MiB; at less than 16 MiB free, puts are refused; the log
/// finds no room for its next segment, so the reserve goes, and it does; 90 MiB become free, the reserve is made again, and puts are taken.
/// </para>
/// <para>A loop of its own, which owns the file; <see cref="IsLow"/> may be asked from any thread.</para>
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class SpaceReserve(NodeRuntime node)
{
    // A fifth of the second within which work goes on when there is room again.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    // Long enough to hand leadership over to somebody who has room.
    private static readonly TimeSpan AlarmAfter = TimeSpan.FromSeconds(2);

    private readonly AsyncSignal _wake = new();
    private bool _isHeld;
    private bool _isLow;
    private bool _isReleaseWanted;
    private bool _isAlarmed;
    private long _lowSince;
    private bool _stopping;

    /// <summary>Whether so little is left that only what frees space, and what needs none, is taken.</summary>
    public bool IsLow => Volatile.Read(ref _isLow);

    /// <summary>Whether there is something to be given up for what found no room.</summary>
    public bool IsHeld => Volatile.Read(ref _isHeld);

    /// <summary>Says that somebody found no room. Any thread.</summary>
    public void Release()
    {
        Volatile.Write(ref _isReleaseWanted, true);
        _wake.Set();
    }

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    /// <returns>Completes when stopped.</returns>
    public async Task RunAsync()
    {
        if (node.Options.ReserveBytes == 0)
        {
            return;
        }

        _isHeld = node.World.Disk.FileExists(DataDirectory.Reserve);
        using var timer = node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), _wake, TimeSpan.Zero, Interval);
        while (!Volatile.Read(ref _stopping))
        {
            await _wake.WaitAsync();
            try
            {
                await ReviewAsync();
            }
            catch (IOException)
            {
                // The next turn tries again; whoever really needs the disk says what is wrong with it.
            }

            ReviewAlarm();
        }
    }

    /// <summary>Ends the loop.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
    }

    private async Task ReviewAsync()
    {
        var space = node.World.Disk.MeasureSpace();
        var wanted = Math.Min(node.Options.ReserveBytes, space.TotalBytes / 8);
        var low = wanted / 4;
        if (Volatile.Read(ref _isReleaseWanted))
        {
            Volatile.Write(ref _isReleaseWanted, false);
            GiveUp(space.AvailableBytes);
            return;
        }

        if (!_isHeld && space.AvailableBytes >= wanted + (2 * low))
        {
            await MakeAsync(wanted);
            space = node.World.Disk.MeasureSpace();
        }

        SetLow(!_isHeld || space.AvailableBytes < (_isLow ? 2 * low : low), space.AvailableBytes);
    }

    private void GiveUp(long available)
    {
        if (_isHeld)
        {
            node.World.Disk.Delete(DataDirectory.Reserve);
            Volatile.Write(ref _isHeld, false);
        }

        SetLow(true, available);
    }

    private async Task MakeAsync(long bytes)
    {
        try
        {
            using var file = await node.World.Disk.PrepareAsync(DataDirectory.Reserve, bytes);
            Volatile.Write(ref _isHeld, true);
        }
        catch (IOException) when (node.World.Disk.FileExists(DataDirectory.Reserve))
        {
            // Part of a reserve would only be in the way.
            node.World.Disk.Delete(DataDirectory.Reserve);
        }
    }

    private void SetLow(bool isLow, long available)
    {
        if (isLow == _isLow)
        {
            return;
        }

        Volatile.Write(ref _isLow, isLow);
        _lowSince = node.Time.GetTimestamp();
        if (isLow)
        {
            node.Logger.DiskFull(available);
        }
        else
        {
            node.Logger.DiskHasRoom(available);
        }
    }

    /// <summary>A leader that nobody could take over from says so to all, until it has room.</summary>
    private void ReviewAlarm()
    {
        var isAlarming = _isLow && node.Facts.LeadingTerm != 0 && node.Time.GetElapsedTime(_lowSince) >= AlarmAfter;
        if (isAlarming && !_isAlarmed)
        {
            _isAlarmed = true;
            node.Housekeeping.Quota.Raise();
        }
        else if (!_isLow && _isAlarmed)
        {
            _isAlarmed = !node.Housekeeping.Quota.TryClear();
        }
    }
}
