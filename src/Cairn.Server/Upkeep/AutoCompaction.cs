using Cairn.Protocol;

namespace Cairn.Server.Upkeep;

/// <summary>Compacts history without being asked: what is older than a window, or more than a number of revisions, and earlier where space runs short.</summary>
/// <remarks>
/// <para>
/// As etcd: a window is measured in tenths (at most six minutes each), and compacted every window, or every hour if that is less; a number of revisions is
/// looked at every five minutes. Beyond etcd: what a registered watcher still has to read is kept, and what one whose stream broke would go on from, at whichever member (<see cref="HistoryNeeds"/>).
/// Source: etcd server/etcdserver/api/v3compactor.
/// </para>
/// <para>
/// The space quota shortens history. From 80 % of it on, five minutes of a window are enough, and the number of revisions is looked at now; from 90 % on, only what
/// registered watchers have to read is kept; and before a write is refused, nothing is (<see cref="DropHistoryAsync"/>). Without automatic compaction history is the
/// clients' own, as with etcd.
/// </para>
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class AutoCompaction(NodeRuntime node)
{
    private const int SamplesPerPeriod = 10;

    // As etcd: a long window is compacted every hour.
    private static readonly TimeSpan PeriodMax = TimeSpan.FromHours(1);
    private static readonly TimeSpan RevisionPeriod = TimeSpan.FromMinutes(5);

    // What is kept of a longer window when space runs short.
    private static readonly TimeSpan ShortWindow = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan ShortSampleEvery = TimeSpan.FromSeconds(10);

    // Shortened again when a hundredth of the quota has come in since the last time: each time is a walk over the whole index.
    private const int GrowthParts = 100;

    private readonly Queue<long> _samples = new();
    private readonly Queue<(long At, long Revision)> _recent = new();
    private readonly Lock _lock = new();
    private long _lastLook = node.Time.GetTimestamp();
    private long _lastCompaction = node.Time.GetTimestamp();
    private long _lastSample = node.Time.GetTimestamp();
    private long _compacted;
    private long _leftBytes;
    private Task _sweep = Task.CompletedTask;
    private Task _dropping = Task.CompletedTask;

    /// <summary>What watchers have still to read.</summary>
    public HistoryNeeds Needs { get; } = new(node);

    /// <summary>Whether history is compacted without being asked.</summary>
    public bool IsOn => node.Options.CompactionMode switch
    {
        CompactionMode.Periodic => node.Options.CompactionWindow > TimeSpan.Zero,
        CompactionMode.Revision => node.Options.CompactionRevisions > 0,
        _ => false,
    };

    /// <summary>Compacts if it is time. The housekeeping loop, on the leader.</summary>
    /// <returns>Completes when compacted, or at once.</returns>
    public async Task ReviewAsync()
    {
        if (!IsOn)
        {
            return;
        }

        SampleRecent();
        var target = node.Options.CompactionMode == CompactionMode.Periodic ? TakePeriodicTarget() : TakeRevisionTarget();
        var isShort = IsShortening();
        if (isShort)
        {
            target = Math.Max(target, node.Housekeeping.Quota.IsNearlyFull ? node.View.Revision : FindShortTarget());
        }

        target = Math.Min(target, node.Housekeeping.Quota.IsNearlyFull ? Needs.FindOldestWatched() : Needs.FindOldestNeeded());
        if (target <= Math.Max(_compacted, node.View.CompactedRevision) || target <= 0)
        {
            return;
        }

        if (await CompactAsync(target))
        {
            _compacted = target;
            _leftBytes = 0;
            _sweep = node.ApplyLoop.SweptAsync();
        }
    }

    /// <summary>Drops all history, because there is no room for a write. All who ask meanwhile wait for the same. Any thread.</summary>
    /// <returns>Completes when it is gone.</returns>
    /// <exception cref="OperationCanceledException">The node stops.</exception>
    public Task DropHistoryAsync()
    {
        lock (_lock)
        {
            if (_dropping.IsCompleted)
            {
                _dropping = DropAsync();
            }

            return _dropping;
        }
    }

    private async Task DropAsync()
    {
        var target = node.View.Revision;
        if (target > node.View.CompactedRevision && await CompactAsync(target))
        {
            await node.ApplyLoop.SweptAsync();
        }
    }

    private async Task<bool> CompactAsync(long target)
    {
        var request = new CompactionRequest { Revision = target };
        var outcome = await node.ProposeOwnAsync(InternalRaftRequest.CompactionFieldNumber, request, default);
        var isDone = outcome is { Error: NodeError.None, Result.Error: State.StoreError.None };
        if (isDone)
        {
            node.Logger.AutoCompacted(target);
        }

        return isDone;
    }

    /// <summary>Whether space is short, and the last compaction was carried out and did not help for long.</summary>
    private bool IsShortening()
    {
        var quota = node.Housekeeping.Quota;
        if (!quota.IsUnderPressure || !_sweep.IsCompleted)
        {
            return false;
        }

        var used = node.RevisionLog.LiveBytes;
        if (_leftBytes == 0 && _compacted > 0)
        {
            _leftBytes = used;
        }

        return used >= _leftBytes + (quota.Bytes / GrowthParts);
    }

    private void SampleRecent()
    {
        if (node.Time.GetElapsedTime(_lastSample) < ShortSampleEvery)
        {
            return;
        }

        _lastSample = node.Time.GetTimestamp();
        Needs.Ask();
        _recent.Enqueue((_lastSample, node.View.Revision));
        while (_recent.Count > (ShortWindow / ShortSampleEvery) + 1)
        {
            _recent.Dequeue();
        }
    }

    private long FindShortTarget() =>
        node.Options.CompactionMode == CompactionMode.Revision ? node.View.Revision - node.Options.CompactionRevisions
        : _recent.TryPeek(out var oldest) && node.Time.GetElapsedTime(oldest.At) >= ShortWindow ? oldest.Revision
        : 0;

    private long TakePeriodicTarget()
    {
        var window = node.Options.CompactionWindow;
        var period = window < PeriodMax ? window : PeriodMax;
        if (node.Time.GetElapsedTime(_lastLook) < period / SamplesPerPeriod)
        {
            return 0;
        }

        _lastLook = node.Time.GetTimestamp();
        _samples.Enqueue(node.View.Revision);
        var kept = (int)(window / (period / SamplesPerPeriod));
        while (_samples.Count > kept + 1)
        {
            _samples.Dequeue();
        }

        if (_samples.Count <= kept || node.Time.GetElapsedTime(_lastCompaction) < period)
        {
            return 0;
        }

        _lastCompaction = node.Time.GetTimestamp();
        return _samples.Peek();
    }

    private long TakeRevisionTarget()
    {
        if (node.Time.GetElapsedTime(_lastLook) < RevisionPeriod)
        {
            return 0;
        }

        _lastLook = node.Time.GetTimestamp();
        return node.View.Revision - node.Options.CompactionRevisions;
    }
}
