namespace Cairn.Server.Leases;

/// <summary>Tells how much of the time that passes counts against leases: only that in which renewals could be processed. Owned by the clock's lock.</summary>
/// <remarks>
/// It goes on by what passed between two ticks of the raft loop, unless that was so long that the loop, hence the process, must have been held up, or no quorum was
/// heard. Then it stands still, and if renewals may have been lost meanwhile (an election timeout or more), everyone has another election timeout to be heard.
/// </remarks>
/// <param name="time">Where time comes from; only the monotonic part is used.</param>
/// <param name="heartbeat">Interval between ticks of the raft loop.</param>
/// <param name="electionTimeout">Time after which clients look for another leader.</param>
internal sealed class CountedTime(TimeProvider time, TimeSpan heartbeat, TimeSpan electionTimeout)
{
    private readonly TimeSpan _gap = heartbeat * 2;
    private long _lastTick = time.GetTimestamp();
    private TimeSpan _grace;

    /// <summary>What the next tick may count.</summary>
    public TimeSpan PendingMax => time.GetElapsedTime(_lastTick) is var elapsed && elapsed < _gap ? elapsed : _gap;

    /// <summary>Counts from now on.</summary>
    public void Restart()
    {
        _lastTick = time.GetTimestamp();
        _grace = TimeSpan.Zero;
    }

    /// <summary>Measures what passed since the last tick, as far as it counts.</summary>
    /// <param name="unheard">How long ago a quorum was last heard.</param>
    /// <returns>The time.</returns>
    public TimeSpan Pass(TimeSpan unheard)
    {
        var timestamp = time.GetTimestamp();
        var elapsed = time.GetElapsedTime(_lastTick, timestamp);
        _lastTick = timestamp;
        if (elapsed > _gap || unheard > _gap)
        {
            if (elapsed >= electionTimeout || unheard >= electionTimeout)
            {
                _grace = electionTimeout;
            }

            return TimeSpan.Zero;
        }

        if (_grace >= elapsed)
        {
            _grace -= elapsed;
            return TimeSpan.Zero;
        }

        elapsed -= _grace;
        _grace = TimeSpan.Zero;
        return elapsed;
    }
}
