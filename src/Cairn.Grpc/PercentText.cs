using System.Globalization;
using System.Text;

namespace Cairn.Grpc;

/// <summary>
/// The escaping of <c>grpc-message</c>: UTF-8, with a percent sign and two hexadecimal digits for each byte outside 0x20–0x7E and for the percent sign itself.
/// </summary>
/// <remarks>Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Status-Message".</remarks>
public static class PercentText
{
    private const string HexDigits = "0123456789ABCDEF";

    /// <summary>Escapes a text; one without special characters is returned as it is.</summary>
    /// <param name="text">Any text; unpaired surrogates become U+FFFD.</param>
    /// <returns>Printable ASCII.</returns>
    public static string Encode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int first = text.AsSpan().IndexOfAnyExcept(PlainCharacters);
        if (first < 0)
        {
            return text;
        }

        var escaped = new StringBuilder(text.Length + 16);
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            if (value is >= 0x20 and <= 0x7e and not (byte)'%')
            {
                escaped.Append((char)value);
            }
            else
            {
                escaped.Append('%').Append(HexDigits[value >> 4]).Append(HexDigits[value & 0xf]);
            }
        }

        return escaped.ToString();
    }

    /// <summary>Takes the escaping away. A percent sign that no two digits follow stands for itself: a message is never refused.</summary>
    /// <param name="text">The trailer's value.</param>
    /// <returns>The text; bytes that are not UTF-8 become U+FFFD.</returns>
    public static string Decode(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (!text.Contains('%', StringComparison.Ordinal))
        {
            return text;
        }

        byte[] bytes = Encoding.UTF8.GetBytes(text);
        int length = 0;
        for (int i = 0; i < bytes.Length; i++)
        {
            bool escape = bytes[i] == '%' && i + 2 < bytes.Length && char.IsAsciiHexDigit((char)bytes[i + 1]) && char.IsAsciiHexDigit((char)bytes[i + 2]);
            bytes[length++] = escape ? byte.Parse(bytes.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) : bytes[i];
            i += escape ? 2 : 0;
        }

        return Encoding.UTF8.GetString(bytes, 0, length);
    }

    private static readonly System.Buffers.SearchValues<char> PlainCharacters = System.Buffers.SearchValues.Create(
        " !\"#$&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");
}
