using System.Globalization;

namespace Cairn.Grpc;

/// <summary>The <c>grpc-timeout</c> header: up to eight digits and a unit, H M S m u n.</summary>
/// <remarks>Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Timeout".</remarks>
public static class GrpcTimeout
{
    // The protocol allows at most eight digits, so larger values go to a coarser unit.
    private const long ValueMax = 99_999_999;

    private static readonly (char Unit, long Nanoseconds)[] Units =
    [
        ('n', 1), ('u', 1_000), ('m', 1_000_000), ('S', 1_000_000_000), ('M', 60_000_000_000), ('H', 3_600_000_000_000),
    ];

    /// <summary>Reads a header value.</summary>
    /// <param name="text">The header's value.</param>
    /// <param name="timeout">The time left, rounded up to 100 ns; <see cref="TimeSpan.MaxValue"/> when it is longer than that.</param>
    /// <returns>Whether the value has the right form.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan timeout)
    {
        timeout = default;
        if (text.Length is < 2 or > 9 || !long.TryParse(text[..^1], NumberStyles.None, CultureInfo.InvariantCulture, out long value))
        {
            return false;
        }

        foreach ((char unit, long nanoseconds) in Units)
        {
            if (text[^1] == unit)
            {
                Int128 ticks = (((Int128)value * nanoseconds) + TimeSpan.NanosecondsPerTick - 1) / TimeSpan.NanosecondsPerTick;
                timeout = ticks > TimeSpan.MaxValue.Ticks ? TimeSpan.MaxValue : new TimeSpan((long)ticks);
                return true;
            }
        }

        return false;
    }

    /// <summary>Writes a header value in the finest unit in which it fits, rounded up.</summary>
    /// <param name="timeout">The time left; nothing or less is written as one nanosecond, so that the server sees an expired call.</param>
    /// <returns>The header's value.</returns>
    public static string Format(TimeSpan timeout)
    {
        if (timeout <= TimeSpan.Zero)
        {
            return "1n";
        }

        Int128 total = (Int128)timeout.Ticks * TimeSpan.NanosecondsPerTick;
        foreach ((char unit, long nanoseconds) in Units)
        {
            Int128 value = (total + nanoseconds - 1) / nanoseconds;
            if (value <= ValueMax)
            {
                return string.Create(CultureInfo.InvariantCulture, $"{(long)value}{unit}");
            }
        }

        return $"{ValueMax}H";
    }
}
