using System.Numerics;

namespace Cairn.Storage.Wal;

/// <summary>Protobuf's numbers: seven bits a byte, lowest first.</summary>
internal static class Varint
{
    // A 64-bit number in groups of seven bits.
    private const int GroupsMax = 10;

    /// <summary>Bytes that a number takes.</summary>
    /// <param name="value">The number.</param>
    /// <returns>1 to 10.</returns>
    public static int Size(ulong value) => (BitOperations.Log2(value | 1) + 7) / 7;

    /// <summary>Writes a number.</summary>
    /// <param name="destination">At least <see cref="Size"/> bytes.</param>
    /// <param name="value">The number.</param>
    /// <returns>Bytes written.</returns>
    public static int Write(Span<byte> destination, ulong value)
    {
        var position = 0;
        for (; value >= 0x80; value >>= 7)
        {
            destination[position++] = (byte)(value | 0x80);
        }

        destination[position++] = (byte)value;
        return position;
    }

    /// <summary>Writes a tag and a number.</summary>
    /// <param name="destination">At least 1 + <see cref="Size"/> bytes.</param>
    /// <param name="tag">Field number and kind, below 128.</param>
    /// <param name="value">The number.</param>
    /// <returns>Bytes written.</returns>
    public static int WriteField(Span<byte> destination, byte tag, ulong value)
    {
        destination[0] = tag;
        return 1 + Write(destination[1..], value);
    }

    /// <summary>Reads a number.</summary>
    /// <param name="source">Where from.</param>
    /// <param name="position">Moved behind the number.</param>
    /// <param name="value">The number.</param>
    /// <returns>False if the bytes end first or it has more than 64 bits.</returns>
    public static bool TryRead(ReadOnlySpan<byte> source, ref int position, out ulong value)
    {
        value = 0;
        for (var group = 0; group < GroupsMax && position < source.Length; group++)
        {
            var b = source[position++];
            value |= (ulong)(b & 0x7F) << (7 * group);
            if (b < 0x80)
            {
                return group < GroupsMax - 1 || b <= 1;
            }
        }

        return false;
    }

    /// <summary>Reads a number behind a tag that must be there.</summary>
    /// <param name="source">Where from.</param>
    /// <param name="position">Moved behind the number.</param>
    /// <param name="tag">The tag.</param>
    /// <param name="value">The number.</param>
    /// <returns>False if something else is there.</returns>
    public static bool TryReadField(ReadOnlySpan<byte> source, ref int position, byte tag, out ulong value)
    {
        value = 0;
        return position < source.Length && source[position++] == tag && TryRead(source, ref position, out value);
    }
}
