namespace Cairn.Simulation;

/// <summary>The clock of one machine. It may run faster or slower than time does, and its timers with it.</summary>
internal sealed class SimulatedTime(World world, Machine machine, int clockPercent) : TimeProvider
{
    private static readonly DateTimeOffset Begin = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override TimeZoneInfo LocalTimeZone => TimeZoneInfo.Utc;

    public override DateTimeOffset GetUtcNow() => Begin.AddTicks(GetTimestamp());

    // Not from zero: a timestamp of zero means "never" to some.
    public override long GetTimestamp() => TimeSpan.TicksPerHour + (world.Now * clockPercent / 100);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(world, machine, clockPercent, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    private sealed class Timer(World world, Machine machine, int clockPercent, Action callback) : ITimer
    {
        private World.Planned? _next;
        private TimeSpan _period = Timeout.InfiniteTimeSpan;

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Dispose();
            _period = period;
            Plan(dueTime);
            return true;
        }

        public void Dispose()
        {
            _next?.IsCancelled = true;
            _next = null;
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private void Plan(TimeSpan delay)
        {
            if (delay != Timeout.InfiniteTimeSpan)
            {
                _next = world.After(delay * 100 / clockPercent, machine, Fire);
            }
        }

        private void Fire()
        {
            // A period of zero means once, as for the timers of the platform.
            Plan(_period > TimeSpan.Zero ? _period : Timeout.InfiniteTimeSpan);
            callback();
        }
    }
}
