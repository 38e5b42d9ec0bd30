namespace Cairn.Server.Metrics;

/// <summary>Counts heartbeats that left late: more than two intervals after the one before. Owned by the raft loop; the count is read by any thread.</summary>
/// <remarks>Source: etcd server/etcdserver/raft.go (processMessages), pkg/contention.</remarks>
internal sealed class HeartbeatPace
{
    private readonly Dictionary<ulong, long> _last = [];
    private ulong _term;

    /// <summary>Heartbeats that left late.</summary>
    public Counter Late { get; } = new();

    /// <summary>Notes one that leaves.</summary>
    /// <param name="memberId">To whom.</param>
    /// <param name="term">The term in which this member leads: what was before it is not late.</param>
    /// <param name="time">The clock.</param>
    /// <param name="interval">How often they are to leave.</param>
    public void Note(ulong memberId, ulong term, TimeProvider time, TimeSpan interval)
    {
        if (term != _term)
        {
            _last.Clear();
            _term = term;
        }

        var now = time.GetTimestamp();
        if (_last.TryGetValue(memberId, out var last) && time.GetElapsedTime(last, now) > 2 * interval)
        {
            Late.Add();
        }

        _last[memberId] = now;
    }
}
