using Cairn.Server.Loops;
using Cairn.State.Transfer;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;

namespace Cairn.Server.Upkeep;

/// <summary>The loop that may wait for the disk: moves rows to the segments, writes the state, gets room back, keeps the quota, compacts.</summary>
/// <remarks>
/// One thing at a time, in this order: rows, because the apply loop stops when they take too much memory; the state; the quota; compaction; cleaning, which is
/// the longest and gives way after each round. A failure of the disk is logged, what only memory holds is moved to new segments, and all is tried again.
/// </remarks>
internal sealed class Housekeeping
{
    // Rows wait no longer than this for the segments; nothing depends on it but the memory they take.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    // State is written after so many entries, but not more often than this: each time costs some syncs.
    private static readonly TimeSpan StateWrittenEvery = TimeSpan.FromSeconds(5);

    // Large values make a long log of few entries; whoever starts on it, or exports it, holds it in memory.
    private const long StateWrittenBytes = 64L * 1024 * 1024;

    // Changes, however few, are in the state after this time, so that a restart has little to replay.
    private static readonly TimeSpan StateWrittenAtLeastEvery = TimeSpan.FromSeconds(60);

    private readonly NodeRuntime _node;
    private readonly AsyncSignal _wake = new();
    private readonly StateWriter _writer;
    private readonly Cleaner _cleaner;
    private readonly SegmentRepair _repair;
    private TaskCompletionSource? _reclaim;
    private TaskCompletionSource _nextWrite = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Installation? _installation;
    private bool _mustClean = true;
    private long _writesWanted;
    private long _writesDone;
    private bool _isFailing;
    private bool _hasEnded;
    private bool _stopping;

    /// <summary>Creates a loop that does not run yet.</summary>
    /// <param name="node">The node.</param>
    /// <param name="manifests">The manifests.</param>
    /// <param name="identity">Who this data directory is.</param>
    /// <param name="checkpointRevision">Revision of the checkpoint that the newest manifest names; 0 without one.</param>
    public Housekeeping(NodeRuntime node, ManifestStore manifests, ManifestIdentity identity, long checkpointRevision)
    {
        _node = node;
        _writer = new StateWriter(node, manifests, identity, checkpointRevision);
        _cleaner = new Cleaner(node);
        Compaction = new AutoCompaction(node);
        _repair = new SegmentRepair(node);
        Quota = new SpaceQuota(node);
    }

    /// <summary>Keeps the key space below its limit.</summary>
    public SpaceQuota Quota { get; }

    /// <summary>Drops history.</summary>
    public AutoCompaction Compaction { get; }

    /// <summary>Makes the loop look at once. Any thread.</summary>
    public void Wake() => _wake.Set();

    /// <summary>Has the state written at once, because what this member remembers for itself has changed. Any thread.</summary>
    public void WriteSoon()
    {
        Interlocked.Increment(ref _writesWanted);
        _wake.Set();
    }

    /// <summary>Whether a restart would know that a member was removed. If not, it is written soon: who is gone waits for that. Any thread.</summary>
    /// <param name="memberId">A member that was removed, as this one knows.</param>
    /// <returns>False if it may be asked again in a moment.</returns>
    public bool HoldsRemoval(ulong memberId)
    {
        var holds = _writer.Removed.Contains(memberId);
        if (!holds)
        {
            WriteSoon();
        }

        return holds;
    }

    /// <summary>Makes durable what this member remembers for itself now. Any thread.</summary>
    /// <returns>Completes when durable; cancelled if the loop ended before.</returns>
    public async Task RememberAsync()
    {
        var wanted = Interlocked.Increment(ref _writesWanted);
        _wake.Set();
        for (var next = Volatile.Read(ref _nextWrite); Volatile.Read(ref _writesDone) < wanted; next = Volatile.Read(ref _nextWrite))
        {
            if (Volatile.Read(ref _hasEnded))
            {
                throw new OperationCanceledException();
            }

            await next.Task;
        }
    }

    /// <summary>Asks for room to be got back now, without pauses. Any thread.</summary>
    /// <returns>Completes when what was worth it is done.</returns>
    public Task ReclaimAsync()
    {
        var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var current = Interlocked.CompareExchange(ref _reclaim, mine, null) ?? mine;
        _wake.Set();
        return current.Task;
    }

    /// <summary>Goes over to a state that was received, and makes it durable. One at a time; after a failure it may be asked for again. Any thread.</summary>
    /// <param name="delta">What makes it out of the present one.</param>
    /// <returns>Completes when durable; cancelled if the loop ended before.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public Task InstallAsync(StateDelta delta)
    {
        var mine = new Installation(delta, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        Invariant.Holds(Interlocked.CompareExchange(ref _installation, mine, null) is null);
        _wake.Set();
        if (Volatile.Read(ref _hasEnded))
        {
            CancelWaiting();
        }

        return mine.Done.Task;
    }

    /// <summary>Runs until <see cref="Stop"/>.</summary>
    /// <returns>Completes when stopped.</returns>
    public async Task RunAsync()
    {
        try
        {
            await RepeatAsync();
        }
        finally
        {
            Volatile.Write(ref _hasEnded, true);
            CancelWaiting();
        }
    }

    private void CancelWaiting()
    {
        Interlocked.Exchange(ref _reclaim, null)?.TrySetCanceled();
        Volatile.Read(ref _nextWrite).TrySetResult();
        Interlocked.Exchange(ref _installation, null)?.Done.TrySetCanceled();
    }

    private async Task RepeatAsync()
    {
        using var timer = _node.Time.CreateTimer(static state => ((AsyncSignal)state!).Set(), _wake, Interval, Interval);
        while (!Volatile.Read(ref _stopping))
        {
            IOException? failure = null;
            try
            {
                await WorkAsync();
                _isFailing = false;
            }
            catch (IOException exception)
            {
                failure = exception;
            }
            catch (CorruptionException damage)
            {
                _node.Disks.Damage.Note(damage);
            }
            catch (OperationCanceledException)
            {
                // The apply loop has ended, so this one ends soon.
            }

            await RecoverAsync(failure);
            await _wake.WaitAsync();
        }
    }

    /// <summary>Ends the loop after what it is doing.</summary>
    public void Stop()
    {
        Volatile.Write(ref _stopping, true);
        _wake.Set();
    }

    /// <summary>Writes the state a last time, when nothing is applied any more.</summary>
    /// <returns>Completes when written, or when the disk refused: then the log has everything.</returns>
    public async Task FinishAsync()
    {
        try
        {
            if (_writer.WrittenIndex < _node.Facts.Applied || Volatile.Read(ref _writesWanted) != _writesDone)
            {
                await WriteAsync();
            }
        }
        catch (IOException exception)
        {
            _node.Logger.StateWriteFailed(exception.Message);
        }
    }

    private async Task WorkAsync()
    {
        await _node.RevisionLog.FlushAsync();
        _node.ApplyLoop.RoomMade();
        await InstallAsync();
        if (IsStateDue() || Volatile.Read(ref _writesWanted) != _writesDone)
        {
            await WriteAsync();
            _mustClean = true;
        }

        if (_node.Facts.LeadingTerm != 0)
        {
            await Compaction.ReviewAsync();
        }

        await Quota.ReviewAsync();
        if (await _repair.RunAsync())
        {
            // What the index had forgotten is not in the new segments, so the next start must not look for it.
            _writer.IsCheckpointStale = true;
            await WriteAsync();
        }

        await CleanAsync();
    }

    private async Task WriteAsync()
    {
        // Read before: what changes while the state is written is written again.
        var wanted = Volatile.Read(ref _writesWanted);
        if (await _writer.WriteAsync())
        {
            Volatile.Write(ref _writesDone, wanted);
            Interlocked.Exchange(ref _nextWrite, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
        }
    }

    private async Task InstallAsync()
    {
        if (Volatile.Read(ref _installation) is not { } installation)
        {
            return;
        }

        try
        {
            // The index on disk may know keys whose deletion was forgotten: with the new state comes a new one.
            await _node.ApplyLoop.InstallAsync(installation.Delta);
            _writer.IsCheckpointStale = true;
            await _writer.WriteInstalledAsync();
        }
        catch (IOException exception)
        {
            Volatile.Write(ref _installation, null);
            installation.Done.TrySetException(exception);
            throw;
        }

        Volatile.Write(ref _installation, null);
        installation.Done.TrySetResult();
        _mustClean = true;
    }

    private bool IsStateDue()
    {
        var entries = _node.Facts.Applied - _writer.WrittenIndex;
        var elapsed = _node.Time.GetElapsedTime(_writer.WrittenAt);
        return (entries >= (ulong)_node.Options.SnapshotEntries && elapsed >= StateWrittenEvery)
            || (entries > 0 && _node.RevisionLog.TotalBytes - _writer.WrittenBytes >= StateWrittenBytes)
            || (entries > 0 && elapsed >= StateWrittenAtLeastEvery);
    }

    private async Task CleanAsync()
    {
        if (Volatile.Read(ref _reclaim) is { } reclaim)
        {
            // What was not yet in a manifest cannot be cleaned.
            await _writer.WriteAsync();
            await RunCleanerAsync(new CleaningPolicy { DeadPercentMin = 10 }, isPatient: false);
            Interlocked.CompareExchange(ref _reclaim, null, reclaim);
            reclaim.TrySetResult();
        }
        else if (_mustClean)
        {
            _mustClean = await RunCleanerAsync(new CleaningPolicy(), isPatient: true) > 0;
        }
    }

    private async Task<long> RunCleanerAsync(CleaningPolicy policy, bool isPatient)
    {
        var bytes = await _cleaner.RunAsync(policy, _writer.CheckpointRevision, isPatient);
        if (bytes > 0)
        {
            _writer.IsCheckpointStale = true;
            await _writer.WriteAsync();
        }

        return bytes;
    }

    private async Task RecoverAsync(IOException? failure)
    {
        if (failure is null)
        {
            return;
        }

        if (failure is DiskException { IsNoSpace: true })
        {
            _node.Disks.Reserve.Release();
        }

        if (!_isFailing)
        {
            _isFailing = true;
            _node.Logger.StateWriteFailed(failure.Message);
        }

        try
        {
            await _node.ApplyLoop.CallAsync(static state =>
            {
                state.SalvageLog();
                state.Publish();
                return true;
            });
        }
        catch (OperationCanceledException)
        {
            // The apply loop has ended, so this one ends soon.
        }
    }

    /// <summary>A state to go over to, and who waits for it.</summary>
    private sealed record Installation(StateDelta Delta, TaskCompletionSource Done);
}
