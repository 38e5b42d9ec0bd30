using System.Globalization;

namespace Cairn;

/// <summary>Durations as Go writes them: 300ms, 1.5h, 2h45m.</summary>
/// <remarks>Source: https://pkg.go.dev/time#ParseDuration.</remarks>
internal static class GoDuration
{
    private static readonly System.Buffers.SearchValues<char> NumberCharacters = System.Buffers.SearchValues.Create("0123456789.");

    private static readonly (string Unit, decimal Ticks)[] Units =
    [
        ("ns", 0.01m), ("us", 10m), ("µs", 10m), ("μs", 10m), ("ms", 10_000m), ("s", 10_000_000m), ("m", 600_000_000m), ("h", 36_000_000_000m),
    ];

    /// <summary>Writes a duration in its largest unit below an hour, as Go's logs do; hours and minutes as whole numbers before the seconds.</summary>
    /// <param name="duration">Not negative.</param>
    public static string Format(TimeSpan duration) => duration switch
    {
        { Ticks: 0 } => "0s",
        { TotalMilliseconds: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMicroseconds:0.###}µs"),
        { TotalSeconds: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalMilliseconds:0.######}ms"),
        { TotalMinutes: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:0.#######}s"),
        { TotalHours: < 1 } => string.Create(CultureInfo.InvariantCulture, $"{duration.Minutes}m{duration.TotalSeconds % 60:0.#######}s"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{(long)duration.TotalHours}h{duration.Minutes}m{duration.TotalSeconds % 60:0.#######}s"),
    };

    /// <summary>Reads a duration; parts of 100 ns are cut off.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        ReadOnlySpan<char> rest = text;
        bool negative = rest.StartsWith("-");
        rest = negative || rest.StartsWith("+") ? rest[1..] : rest;
        if (rest is "0")
        {
            return true;
        }

        decimal ticks = 0;
        bool any = false;
        while (!rest.IsEmpty)
        {
            if (!TryTake(ref rest, out decimal part))
            {
                return false;
            }

            any = true;
            ticks += part;
            if (ticks > TimeSpan.MaxValue.Ticks)
            {
                return false;
            }
        }

        duration = new TimeSpan((long)(negative ? -ticks : ticks));
        return any;
    }

    private static bool TryTake(ref ReadOnlySpan<char> rest, out decimal ticks)
    {
        ticks = 0;
        int digits = rest.IndexOfAnyExcept(NumberCharacters);
        if (digits <= 0 || !decimal.TryParse(rest[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number))
        {
            return false;
        }

        rest = rest[digits..];
        int letters = rest.IndexOfAny(NumberCharacters);
        ReadOnlySpan<char> unit = letters < 0 ? rest : rest[..letters];
        rest = rest[unit.Length..];
        foreach ((string name, decimal ticksEach) in Units)
        {
            if (unit.SequenceEqual(name) && number <= TimeSpan.MaxValue.Ticks / ticksEach)
            {
                ticks = number * ticksEach;
                return true;
            }
        }

        return false;
    }
}
