namespace Cairn.Tests.Server.Simulated;

/// <summary>Time that passes only when told to: timers fire in the order of their deadlines, equal deadlines in the order of their making.</summary>
public sealed class SimulatedTime : TimeProvider
{
    private readonly SortedSet<Timer> _timers = new(Comparer<Timer>.Create(Compare));
    private long _now = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).UtcTicks;
    private long _made;

    /// <inheritdoc/>
    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    /// <summary>Whether a timer is set.</summary>
    public bool HasTimers => _timers.Count > 0;

    /// <inheritdoc/>
    public override long GetTimestamp() => _now;

    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => new(_now, TimeSpan.Zero);

    /// <inheritdoc/>
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state, _made++);
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Goes on to the next deadline and fires its timer.</summary>
    public void FireNext()
    {
        var timer = _timers.Min!;
        _now = Math.Max(_now, timer.Due);
        timer.Fire();
    }

    /// <summary>Lets time pass without anything being done in it: the process was stopped. Timers that came due fire once, late.</summary>
    /// <param name="gap">How long.</param>
    public void Stall(TimeSpan gap) => _now += gap.Ticks;

    private static int Compare(Timer left, Timer right)
    {
        var byDue = left.Due.CompareTo(right.Due);
        return byDue != 0 ? byDue : left.Number.CompareTo(right.Number);
    }

    private sealed class Timer(SimulatedTime time, TimerCallback callback, object? state, long number) : ITimer
    {
        private TimeSpan _period;

        public long Due { get; private set; }

        public long Number => number;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            time._timers.Remove(this);
            _period = period;
            if (dueTime != Timeout.InfiniteTimeSpan)
            {
                Due = time._now + dueTime.Ticks;
                time._timers.Add(this);
            }

            return true;
        }

        public void Fire()
        {
            time._timers.Remove(this);
            if (_period > TimeSpan.Zero)
            {
                Due = time._now + _period.Ticks;
                time._timers.Add(this);
            }

            callback(state);
        }

        public void Dispose() => time._timers.Remove(this);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
