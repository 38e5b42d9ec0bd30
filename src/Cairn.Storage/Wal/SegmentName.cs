using System.Globalization;

namespace Cairn.Storage.Wal;

/// <summary>Name of a segment: its place in the sequence, and the first index that it may hold.</summary>
/// <param name="Sequence">From 0, without gaps.</param>
/// <param name="FirstIndex">One above the last index that the log held when the segment was begun; 0 in the first segment.</param>
/// <remarks>Example: <c>0000000000000001-00000000000003e9.wal</c>. Source: etcd server/storage/wal/util.go.</remarks>
internal readonly record struct SegmentName(ulong Sequence, ulong FirstIndex)
{
    private const string Suffix = ".wal";
    private const int NumberDigits = 16;

    /// <summary>Reads a name.</summary>
    /// <param name="text">Name of a file, without its directory.</param>
    /// <param name="name">The name.</param>
    /// <returns>False if it is no segment.</returns>
    public static bool TryParse(string text, out SegmentName name)
    {
        name = default;
        if (text.Length != (2 * NumberDigits) + 1 + Suffix.Length || text[NumberDigits] != '-' || !text.EndsWith(Suffix, StringComparison.Ordinal)
            || !TryParseNumber(text.AsSpan(0, NumberDigits), out var sequence) || !TryParseNumber(text.AsSpan(NumberDigits + 1, NumberDigits), out var first))
        {
            return false;
        }

        name = new SegmentName(sequence, first);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Sequence:x16}-{FirstIndex:x16}{Suffix}");

    private static bool TryParseNumber(ReadOnlySpan<char> digits, out ulong number) =>
        ulong.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number);
}
