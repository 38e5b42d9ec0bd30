using Cairn.Server;
using Cairn.Simulation.Disks;
using Cairn.Storage;

namespace Cairn.Simulation;

// The faults that a run injects into a member, one after the other, all decided by the seed:
//
//   killed       the process is gone at any moment; the page cache stays
//   power cut    at any moment, or at a chosen operation of the disk, also of the start that follows; what was not synced is lost, kept, torn or stale
//   restarted    asked to end, and started again
//   paused       nothing runs for up to eight seconds, the clock goes on
//   slow disk    every sync takes up to 400 ms
//   hung disk    syncs do not return for up to six seconds; sometimes the power goes meanwhile
//   failing disk one kind of call answers EIO, once, some times, or for up to four seconds
//   full disk    what does not fit into a few remaining bytes answers ENOSPC, for up to five seconds
//   wipe         the disk is replaced by an empty one while the process is down, of less than half of the members at a time
//   rolled back  the disk is replaced by an earlier image of it while the process is down: of another life of the process, or of the same
//   exchanged    two members that are down get each other's disks
//   copied       the disk is replaced by a copy of another member's, which goes on running beside it; of five members: one is lost, and one disputed until the others have decided
//   stop hook    the member removes itself from the cluster, and is ended; it is started again
//   moved        it is started at another address
//   late         it is down for up to half a minute
//   gone         it is down for longer than --heal-replace-after, where there is a spare learner, and comes back
//   all killed   every process is gone at once; they are started again in any order
//   rot          one bit flips in a file at rest, of less than half of the members; not in the end of the log, where a crash explains it as well
//
//   majority     the disks of a majority are gone for good, all at once (LostMajority)
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
    FailingDisk,
    FullDisk,
    Rot,
    Wipe,
    RollBack,
    Exchange,
    Copy,
    StopHook,
    Move,
    StartLate,
    GoAway,
    KillAll,
    LoseMajority,
}

/// <summary>Makes life hard for one member.</summary>
internal sealed class Faults(World world, Plan plan, Fleet fleet, SimulatedMember member, Prng prng)
{
    private static readonly string[] Calls = ["pwrite", "fdatasync", "fallocate", "ftruncate", "rename", "unlink", "fsync", "create", "open"];
    private static readonly string[] Directories = ["", DataDirectory.Wal, DataDirectory.Store, "MANIFEST"];

    // A member that is removed before the cluster knows how large it is meant to be is not missed.
    private static readonly TimeSpan SizeKnownAfter = TimeSpan.FromSeconds(15);

    private bool _isStopping;
    private bool _hasStopped = true;
    private bool _isIdle;
    private SimulatedMember? _other;

    /// <summary>Faults so far.</summary>
    public int Count { get; private set; }

    /// <summary>Whether the last fault is over.</summary>
    public bool HasStopped => _hasStopped || (_isStopping && _isIdle);

    public void Start()
    {
        _hasStopped = false;
        world.Outside.Run(() => _ = RunAsync());
    }

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
                await DoAsync(plan.Faults[prng.Below(plan.Faults.Count)]);
            }
        }

        _hasStopped = true;
    }

    private async Task DoAsync(FaultKind kind)
    {
        if (plan.KeepsImages && !member.IsUp)
        {
            // It ended by itself, or another fault did that.
            await StartAgainAsync();
        }
        else if (CanBegin(kind))
        {
            Count++;
            fleet.NoteFault(member, kind);
            await Begin(kind);
        }
    }

    /// <summary>Whether a fault is one now, and leaves a cluster that can be expected to heal.</summary>
    private bool CanBegin(FaultKind kind) => kind switch
    {
        FaultKind.Rot => fleet.MaySpoil(member) && FilesToRot().Count > 0,
        FaultKind.Wipe or FaultKind.Move or FaultKind.GoAway => fleet.MaySpoil(member),
        FaultKind.RollBack => member.HasImage && fleet.MayRollBack(member),
        FaultKind.Exchange => (_other = fleet.FindOther(member, prng)) is not null,
        FaultKind.Copy => fleet.MayCopy && (_other = fleet.FindOther(member, prng)) is not null,
        FaultKind.StopHook => fleet.MaySpoil(member) && world.Now > SizeKnownAfter.Ticks,
        _ => true,
    };

    private Task Begin(FaultKind kind) => kind switch
    {
        FaultKind.Kill => KillAsync(),
        FaultKind.PowerCut => CutPowerAsync(),
        FaultKind.CrashInDisk => CrashInDiskAsync(),
        FaultKind.Restart => RestartAsync(),
        FaultKind.Pause => PauseAsync(),
        FaultKind.SlowDisk => SlowDiskAsync(),
        FaultKind.HungDisk => HangDiskAsync(),
        FaultKind.FailingDisk => FailDiskAsync(),
        FaultKind.FullDisk => FillDiskAsync(),
        FaultKind.Rot => RotAsync(),
        FaultKind.Wipe => WipeAsync(),
        FaultKind.RollBack => RollBackAsync(),
        FaultKind.Exchange => ExchangeAsync(_other!), // It was found, or the fault did not begin.
        FaultKind.Copy => CopyAsync(_other!), // As before.
        FaultKind.StopHook => StopHookAsync(),
        FaultKind.Move => MoveAsync(),
        FaultKind.StartLate => StartLateAsync(),
        FaultKind.GoAway => GoAwayAsync(),
        FaultKind.KillAll => KillAllAsync(),
        _ => throw Invariant.Unreachable($"{kind}"),
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

    private async Task FailDiskAsync()
    {
        member.MayFail = true;
        member.Disk.Fail(Calls[prng.Below(Calls.Length)], Directories[prng.Below(Directories.Length)], Errno.InputOutput, (int)prng.Between(1, 2) == 1 ? 1 : 1_000_000);
        await DelayAsync(50, 4000);
        member.Disk.FailNoMore();
        await EndDiskFaultAsync();
    }

    private async Task FillDiskAsync()
    {
        member.MayFail = true;
        member.Disk.SpaceBytes = member.Disk.UsedBytes + prng.Below(32_768);
        await DelayAsync(50, 5000);
        member.Disk.SpaceBytes = long.MaxValue;
        await EndDiskFaultAsync();
    }

    /// <summary>A process that cannot go on is started anew; one that can is, sometimes.</summary>
    private async Task EndDiskFaultAsync()
    {
        if (!member.IsUp || prng.Chance(1, 3))
        {
            member.Kill();
            await StartAgainAsync();
        }
    }

    private List<string> FilesToRot()
    {
        var segments = member.Disk.Files.Where(path => path.EndsWith(".wal", StringComparison.Ordinal)).ToList();
        return [.. member.Disk.Files.Where(path => path.StartsWith(DataDirectory.Store, StringComparison.Ordinal)), .. segments.SkipLast(1)];
    }

    private async Task RotAsync()
    {
        var files = FilesToRot();
        for (var i = 0; i < plan.FlipsAtOnce; i++)
        {
            var path = files[prng.Below(files.Count)];
            var length = member.Disk.ReadAll(path).Length;
            if (length > 0)
            {
                member.HasRot = true;
                member.Disk.FlipBit(path, prng.Between(0, (8L * length) - 1));
                fleet.FlipCount++;
            }
        }

        if (member.HasRot)
        {
            await CutPowerAsync();
        }
    }

    private async Task WipeAsync()
    {
        member.Wipe();
        await StartAgainAsync();
    }

    private async Task RollBackAsync()
    {
        member.RollBack();
        await StartAgainAsync();
    }

    private async Task ExchangeAsync(SimulatedMember other)
    {
        member.Kill();
        other.Kill();
        member.Exchange(other);
        await DelayAsync(1, 3000);
        if (!other.IsUp)
        {
            other.Start();
        }

        await StartAgainAsync();
    }

    private async Task CopyAsync(SimulatedMember other)
    {
        member.Copy(other);
        await StartAgainAsync();
    }

    private async Task StopHookAsync()
    {
        member.RemoveSelf();

        // A removal that came through when the next process ran would be one that is meant, as far as anybody could tell.
        while (member.IsUp && !member.HasRemovedSelf)
        {
            await DelayAsync(10, 100);
        }

        await DelayAsync(50, 2000);
        await RestartAsync();
    }

    private async Task MoveAsync()
    {
        member.Move();
        await RestartAsync();
    }

    private async Task StartLateAsync()
    {
        if (plan.HasSpare)
        {
            // It may be given up meanwhile.
            member.Spoil(FaultKind.StartLate);
        }

        member.Kill();
        await DelayAsync(1000, 30_000);
        await StartAgainAsync();
    }

    private async Task GoAwayAsync()
    {
        member.Spoil(FaultKind.GoAway);
        member.Kill();
        await DelayAsync((long)plan.ReplaceAfter.TotalMilliseconds + 5000, (long)plan.ReplaceAfter.TotalMilliseconds + 20_000);
        await StartAgainAsync();
    }

    private async Task KillAllAsync()
    {
        foreach (var other in fleet.All.Where(other => other.IsUp))
        {
            other.Kill();
        }

        foreach (var other in fleet.All.OrderBy(_ => prng.NextUInt64()).ToList())
        {
            await DelayAsync(1, 4000);
            if (!other.IsUp)
            {
                other.Start();
            }
        }
    }

    private async Task StartAgainAsync()
    {
        await DelayAsync(1, 1500);
        if (!member.IsUp)
        {
            member.Start();
        }

        if (prng.Chance(1, 4))
        {
            await CrashInDiskAsync();
        }
    }

    private CrashMode PickMode() => (CrashMode)prng.Below(5);

    private Task DelayAsync(long least, long most) => Task.Delay(TimeSpan.FromMilliseconds(prng.Between(least, most)), world.Outside.Time);
}
