using Cairn.Protocol;

namespace Cairn.Server.Upkeep;

/// <summary>Compacts history without being asked: what is older than a window, or more than a number of revisions.</summary>
/// <remarks>
/// As etcd: a window is measured in tenths (at most six minutes each), and compacted every window, or every hour if that is less; a number of revisions is
/// looked at every five minutes. Beyond etcd: what a registered watcher still has to read is kept. Source: etcd server/etcdserver/api/v3compactor.
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class AutoCompaction(NodeRuntime node)
{
    private const int SamplesPerPeriod = 10;
    // As etcd: a long window is compacted every hour.
    private static readonly TimeSpan PeriodMax = TimeSpan.FromHours(1);
    private static readonly TimeSpan RevisionPeriod = TimeSpan.FromMinutes(5);

    private readonly Queue<long> _samples = new();
    private long _lastLook = node.Time.GetTimestamp();
    private long _lastCompaction = node.Time.GetTimestamp();
    private long _compacted;

    /// <summary>Compacts if it is time. The housekeeping loop, on the leader.</summary>
    /// <returns>Completes when compacted, or at once.</returns>
    public async Task ReviewAsync()
    {
        var target = node.Options.CompactionMode switch
        {
            CompactionMode.Periodic when node.Options.CompactionWindow > TimeSpan.Zero => TakePeriodicTarget(),
            CompactionMode.Revision when node.Options.CompactionRevisions > 0 => TakeRevisionTarget(),
            _ => 0,
        };
        if (!node.Housekeeping.Quota.IsUnderPressure)
        {
            target = Math.Min(target, node.Hub.FindOldestNeeded());
        }

        if (target <= Math.Max(_compacted, node.View.CompactedRevision) || target <= 0)
        {
            return;
        }

        var outcome = await node.ProposeOwnAsync(
            InternalRaftRequest.CompactionFieldNumber, new CompactionRequest { Revision = target }, default);
        if (outcome is { Error: NodeError.None, Result.Error: State.StoreError.None })
        {
            _compacted = target;
            node.Logger.AutoCompacted(target);
        }
    }

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
