using System.Buffers;
using System.Buffers.Text;
using System.Collections;
using System.Globalization;
using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cairn.Host.Gateway;

/// <summary>Writes a message as the JSON that etcd's gateway sends.</summary>
/// <remarks>
/// <para>
/// Worked example: a RangeResponse with revision 2, one key "foo" and count 1 becomes
/// <c>{"header":{"revision":"2"},"kvs":[{"key":"Zm9v","mod_revision":"2"}],"count":"1"}</c>: field names as in the .proto file, 64-bit integers as
/// strings, bytes as padded base64, enums by name, zero values left out, no blanks.
/// </para>
/// <para>
/// Why not the formatter of Google.Protobuf: it puts blanks between tokens, and old clients of the gateway (lua-resty-etcd, Patroni) were written
/// against output without them. Source: etcd 3.5's gateway (OrigName, no default values); escaping of strings as Go's encoding/json.
/// </para>
/// </remarks>
internal static class ProtoJsonWriter
{
    /// <summary>Appends <paramref name="message"/> as one JSON object.</summary>
    /// <param name="message">Any generated message.</param>
    /// <param name="output">Where to.</param>
    public static void Write(IMessage message, IBufferWriter<byte> output)
    {
        output.Write("{"u8);
        var first = true;
        foreach (var field in message.Descriptor.Fields.InDeclarationOrder())
        {
            if (!IsPresent(field, message))
            {
                continue;
            }

            output.Write(first ? "\""u8 : ",\""u8);
            first = false;
            WriteAscii(field.Name, output);
            output.Write("\":"u8);
            WriteField(field, field.Accessor.GetValue(message), output);
        }

        output.Write("}"u8);
    }

    /// <summary>Appends <paramref name="text"/> as a JSON string, quotes included.</summary>
    /// <param name="text">Any text; what is not valid Unicode becomes U+FFFD.</param>
    /// <param name="output">Where to.</param>
    public static void WriteString(string text, IBufferWriter<byte> output)
    {
        output.Write("\""u8);
        foreach (var rune in text.EnumerateRunes())
        {
            WriteRune(rune, output);
        }

        output.Write("\""u8);
    }

    private static bool IsPresent(FieldDescriptor field, IMessage message)
    {
        if (field.IsRepeated)
        {
            return ((IList)field.Accessor.GetValue(message)).Count > 0;
        }

        if (field.HasPresence)
        {
            return field.Accessor.HasValue(message);
        }

        return field.Accessor.GetValue(message) switch
        {
            bool value => value,
            int value => value != 0,
            uint value => value != 0,
            long value => value != 0,
            ulong value => value != 0,
            string value => value.Length > 0,
            ByteString value => !value.IsEmpty,
            Enum value => Convert.ToInt32(value, CultureInfo.InvariantCulture) != 0,
            var other => throw Invariant.Unreachable($"field {field.FullName} of type {other?.GetType()}"),
        };
    }

    private static void WriteField(FieldDescriptor field, object value, IBufferWriter<byte> output)
    {
        if (!field.IsRepeated)
        {
            WriteValue(field, value, output);
            return;
        }

        output.Write("["u8);
        var first = true;
        foreach (var item in (IList)value)
        {
            if (!first)
            {
                output.Write(","u8);
            }

            first = false;
            WriteValue(field, item, output);
        }

        output.Write("]"u8);
    }

    private static void WriteValue(FieldDescriptor field, object value, IBufferWriter<byte> output)
    {
        switch (value)
        {
            case IMessage message:
                Write(message, output);
                break;
            case ByteString bytes:
                WriteBase64(bytes.Span, output);
                break;
            case string text:
                WriteString(text, output);
                break;
            case bool flag:
                output.Write(flag ? "true"u8 : "false"u8);
                break;
            case long or ulong:
                output.Write("\""u8);
                WriteAscii(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture), output);
                output.Write("\""u8);
                break;
            case int or uint:
                WriteAscii(((IFormattable)value).ToString(null, CultureInfo.InvariantCulture), output);
                break;
            case Enum number:
                WriteEnum(field.EnumType, Convert.ToInt32(number, CultureInfo.InvariantCulture), output);
                break;
            default:
                throw Invariant.Unreachable($"field {field.FullName} of type {value.GetType()}");
        }
    }

    private static void WriteEnum(EnumDescriptor type, int number, IBufferWriter<byte> output)
    {
        var known = type.FindValueByNumber(number);
        if (known is null)
        {
            WriteAscii(number.ToString(CultureInfo.InvariantCulture), output);
            return;
        }

        output.Write("\""u8);
        WriteAscii(known.Name, output);
        output.Write("\""u8);
    }

    private static void WriteBase64(ReadOnlySpan<byte> bytes, IBufferWriter<byte> output)
    {
        output.Write("\""u8);
        var span = output.GetSpan(Base64.GetMaxEncodedToUtf8Length(bytes.Length));
        var status = Base64.EncodeToUtf8(bytes, span, out _, out var written);
        Invariant.Holds(status == OperationStatus.Done);
        output.Advance(written);
        output.Write("\""u8);
    }

    private static void WriteAscii(string text, IBufferWriter<byte> output)
    {
        var span = output.GetSpan(text.Length);
        output.Advance(Encoding.ASCII.GetBytes(text, span));
    }

    private static void WriteRune(Rune rune, IBufferWriter<byte> output)
    {
        switch (rune.Value)
        {
            case '"':
                output.Write("\\\""u8);
                break;
            case '\\':
                output.Write("\\\\"u8);
                break;
            case '\n':
                output.Write("\\n"u8);
                break;
            case '\r':
                output.Write("\\r"u8);
                break;
            case '\t':
                output.Write("\\t"u8);
                break;
            case < 0x20 or '<' or '>' or '&' or 0x2028 or 0x2029:
                WriteAscii(string.Create(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}"), output);
                break;
            default:
                output.Advance(rune.EncodeToUtf8(output.GetSpan(4)));
                break;
        }
    }
}
