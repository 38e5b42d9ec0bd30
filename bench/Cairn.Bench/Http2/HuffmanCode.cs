using System.Text;

namespace Cairn.Bench.Http2;

/// <summary>Decodes HPACK's Huffman code.</summary>
/// <remarks>
/// The code is canonical: codes of one length are consecutive numbers in the order of their symbols, and each length starts where the one before
/// ended, doubled. So the lengths are all that has to be written down. Source: RFC 7541, appendix B.
/// </remarks>
internal static class HuffmanCode
{
    // The longest code. Source: RFC 7541, appendix B.
    private const int BitsMax = 30;

    private static readonly int[] FirstCode = new int[BitsMax + 1];
    private static readonly int[] FirstSymbol = new int[BitsMax + 1];
    private static readonly int[] Count = new int[BitsMax + 1];
    private static readonly byte[] Symbols = Order();

    private static ReadOnlySpan<byte> Lengths =>
    [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    ];

    /// <summary>Decodes a Huffman-coded string literal.</summary>
    /// <param name="coded">The bytes of the literal.</param>
    /// <returns>The text, one character a byte.</returns>
    public static string Decode(ReadOnlySpan<byte> coded)
    {
        var text = new StringBuilder(coded.Length * 2);
        var code = 0;
        var length = 0;
        foreach (var octet in coded)
        {
            for (var bit = 7; bit >= 0; bit--)
            {
                code = (code << 1) | ((octet >> bit) & 1);
                length++;
                var offset = code - FirstCode[length];
                if (offset >= 0 && offset < Count[length])
                {
                    text.Append((char)Symbols[FirstSymbol[length] + offset]);
                    code = 0;
                    length = 0;
                }
            }
        }

        // What is left is padding: the first bits, all ones, of the code that stands for the end.
        return text.ToString();
    }

    private static byte[] Order()
    {
        var symbols = new byte[256];
        var at = 0;
        var code = 0;
        for (var length = 1; length <= BitsMax; length++)
        {
            code <<= 1;
            FirstCode[length] = code;
            FirstSymbol[length] = at;
            for (var symbol = 0; symbol < symbols.Length; symbol++)
            {
                if (Lengths[symbol] == length)
                {
                    symbols[at++] = (byte)symbol;
                    code++;
                }
            }

            Count[length] = at - FirstSymbol[length];
        }

        return symbols;
    }
}
