using System.Buffers;
using System.Globalization;

namespace Cairn.Bench.Commands;

/// <summary>Durations as etcd's tools write them: numbers with units, one after another. Source: Go's time.ParseDuration.</summary>
internal static class GoDuration
{
    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789.");

    private static readonly (string Unit, long Ticks)[] Units =
    [
        ("ms", TimeSpan.TicksPerMillisecond), ("us", TimeSpan.TicksPerMicrosecond), ("h", TimeSpan.TicksPerHour),
        ("m", TimeSpan.TicksPerMinute), ("s", TimeSpan.TicksPerSecond),
    ];

    /// <summary>Reads a duration.</summary>
    /// <param name="text">Such as <c>1m30s</c>, or <c>0</c>.</param>
    /// <param name="duration">The duration.</param>
    /// <returns>Whether the text has the right form.</returns>
    public static bool TryParse(ReadOnlySpan<char> text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (text is "0")
        {
            return true;
        }

        while (!text.IsEmpty)
        {
            var digits = text.IndexOfAnyExcept(Digits);
            if (digits <= 0 || !double.TryParse(text[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                return false;
            }

            text = text[digits..];
            if (!TryTakeUnit(ref text, out var ticks))
            {
                return false;
            }

            duration += TimeSpan.FromTicks((long)(number * ticks));
        }

        return duration > TimeSpan.Zero;
    }

    private static bool TryTakeUnit(ref ReadOnlySpan<char> text, out long ticks)
    {
        foreach (var (unit, length) in Units)
        {
            if (text.StartsWith(unit))
            {
                text = text[unit.Length..];
                ticks = length;
                return true;
            }
        }

        ticks = 0;
        return false;
    }
}
