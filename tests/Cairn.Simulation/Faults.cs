using Cairn.Simulation.Disks;

namespace Cairn.Simulation;

// The faults that a run injects into a member, one after the other, all decided by the seed:
//
//   killed       the process is gone at any moment; the page cache stays
//   power cut    at any moment, or at a chosen operation of the disk, also of the start that follows; what was not synced is lost, kept, torn or stale
//   restarted    asked to end, and started again
//   paused       nothing runs for up to eight seconds, the clock goes on
//   slow disk    every sync takes up to 400 ms
//   hung disk    syncs do not return for up to six seconds; sometimes the power goes meanwhile
//
// Besides, the clock of every process is wrong by up to ten percent, and one in a hundred messages between clients and members is lost.

/// <summary>What can happen to a member; the list above says what each is.</summary>
internal enum FaultKind
{
    Kill,
    PowerCut,
    CrashInDisk,
    Restart,
    Pause,
    SlowDisk,
    HungDisk,
}

/// <summary>Makes life hard for one member.</summary>
internal sealed class Faults(World world, Plan plan, SimulatedMember member, Prng prng)
{
    private bool _isStopping;
    private bool _hasStopped;
    private bool _isIdle;

    /// <summary>Faults so far.</summary>
    public int Count { get; private set; }

    /// <summary>Whether the last fault is over.</summary>
    public bool HasStopped => _hasStopped || (_isStopping && _isIdle);

    public void Start() => world.Outside.Run(() => _ = RunAsync());

    public void Stop() => _isStopping = true;

    private async Task RunAsync()
    {
        while (!_isStopping && plan.Faults.Count > 0)
        {
            _isIdle = true;
            await DelayAsync(50, plan.FaultPauseMilliseconds);
            _isIdle = false;
            if (!_isStopping)
            {
                Count++;
                await DoAsync();
            }
        }

        _hasStopped = true;
    }

    private Task DoAsync() => plan.Faults[prng.Below(plan.Faults.Count)] switch
    {
        FaultKind.Kill => KillAsync(),
        FaultKind.PowerCut => CutPowerAsync(),
        FaultKind.CrashInDisk => CrashInDiskAsync(),
        FaultKind.Restart => RestartAsync(),
        FaultKind.Pause => PauseAsync(),
        FaultKind.SlowDisk => SlowDiskAsync(),
        FaultKind.HungDisk => HangDiskAsync(),
        var kind => throw Invariant.Unreachable($"{kind}"),
    };

    private async Task KillAsync()
    {
        member.Kill();
        await StartAgainAsync();
    }

    private async Task CutPowerAsync()
    {
        member.CutPower(PickMode());
        await StartAgainAsync();
    }

    /// <summary>Lets the power go in the middle of an operation of the disk.</summary>
    private async Task CrashInDiskAsync()
    {
        member.Disk.CrashAt(member.Disk.Operations + prng.Between(1, 60));
        var end = world.Now + TimeSpan.TicksPerSecond * 3;
        while (member.IsUp && world.Now < end)
        {
            await DelayAsync(1, 50);
        }

        member.CutPower(PickMode());
        await StartAgainAsync();
    }

    private async Task RestartAsync()
    {
        member.Stop();
        var end = world.Now + TimeSpan.TicksPerSecond * 5;
        while (member.IsUp && world.Now < end)
        {
            await DelayAsync(10, 100);
        }

        // It may just be starting, and be asked in vain.
        member.Kill();
        await StartAgainAsync();
    }

    private async Task PauseAsync()
    {
        member.Machine!.Pause();
        await DelayAsync(20, prng.Chance(1, 3) ? 8000 : 1500);
        member.Machine.Resume();
    }

    private async Task SlowDiskAsync()
    {
        member.Disk.SyncDelay = TimeSpan.FromMilliseconds(prng.Between(1, 400));
        await DelayAsync(500, 5000);
        member.Disk.SyncDelay = TimeSpan.Zero;
    }

    private async Task HangDiskAsync()
    {
        member.Disk.HoldSyncs = true;
        await DelayAsync(50, 6000);
        member.Disk.HoldSyncs = false;
        if (prng.Chance(1, 2))
        {
            member.CutPower(PickMode());
            await StartAgainAsync();
        }

        member.Disk.ReleaseSyncs();
    }

    private async Task StartAgainAsync()
    {
        await DelayAsync(1, 1500);
        member.Start();
        if (prng.Chance(1, 4))
        {
            await CrashInDiskAsync();
        }
    }

    private CrashMode PickMode() => (CrashMode)prng.Below(5);

    private Task DelayAsync(long least, long most) => Task.Delay(TimeSpan.FromMilliseconds(prng.Between(least, most)), world.Outside.Time);
}
