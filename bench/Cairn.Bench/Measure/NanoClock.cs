namespace Cairn.Bench.Measure;

/// <summary>A monotonic clock in nanoseconds from an arbitrary begin. Any thread.</summary>
/// <param name="time">Where time comes from.</param>
internal sealed class NanoClock(TimeProvider time)
{
    private readonly double _nanosecondsPerTick = 1e9 / time.TimestampFrequency;

    /// <summary>The time now, in nanoseconds.</summary>
    public long Now
    {
        get
        {
            var timestamp = time.GetTimestamp();
            return time.TimestampFrequency == 1_000_000_000 ? timestamp : (long)(timestamp * _nanosecondsPerTick);
        }
    }

    /// <summary>Nanoseconds as a time span, rounded down to 100 ns.</summary>
    /// <param name="nanoseconds">How many.</param>
    /// <returns>The span.</returns>
    public static TimeSpan Span(long nanoseconds) => TimeSpan.FromTicks(nanoseconds / TimeSpan.NanosecondsPerTick);
}
