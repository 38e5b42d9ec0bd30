using System.Buffers.Text;
using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Cairn.Host.Gateway;

/// <summary>What a client of the gateway sent is not the JSON of the message it should be.</summary>
/// <param name="what">What is wrong, and where.</param>
internal sealed class ProtoJsonException(string what) : FormatException(what);

/// <summary>Reads a message from the JSON that clients of etcd's gateway send.</summary>
/// <remarks>
/// Names may be spelled as in the .proto file (<c>range_end</c>) or in lower camel case (<c>rangeEnd</c>); unknown ones are ignored. Integers may be
/// numbers or strings, enums names or numbers, bytes base64 of either alphabet with or without padding; <c>null</c> means "not set".
/// Source: proto3 JSON mapping, with the tolerance of grpc-gateway.
/// </remarks>
internal static class ProtoJsonReader
{
    /// <summary>Nested objects a request may have. A transaction nests four levels for each level of its own, and the wire form is limited to 100 messages.</summary>
    private const int DepthMax = 128;

    /// <summary>Reads one object; what follows it in <paramref name="json"/> is ignored, as etcd does.</summary>
    /// <param name="json">UTF-8 text. Empty text is the empty message.</param>
    /// <param name="descriptor">What it should be.</param>
    /// <returns>The message.</returns>
    /// <exception cref="ProtoJsonException">The text is not that message.</exception>
    public static IMessage Read(ReadOnlySpan<byte> json, MessageDescriptor descriptor)
    {
        var message = descriptor.Parser.ParseFrom(ByteString.Empty);
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = DepthMax, AllowMultipleValues = true });
        try
        {
            if (reader.Read())
            {
                ReadMessage(ref reader, message);
            }
        }
        catch (JsonException exception)
        {
            throw new ProtoJsonException(exception.Message);
        }
        catch (InvalidOperationException exception)
        {
            // The reader reports text that is not valid UTF-8 this way.
            throw new ProtoJsonException(exception.Message);
        }

        return message;
    }

    private static void ReadMessage(ref Utf8JsonReader reader, IMessage message)
    {
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            throw new ProtoJsonException($"json: cannot unmarshal {Describe(reader.TokenType)} into {message.Descriptor.Name}, an object is expected");
        }

        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString() ?? "";
            var field = FindField(message.Descriptor, name);
            reader.Read();
            if (field is null && reader.TokenType == JsonTokenType.StartObject && IsOneofName(message.Descriptor, name))
            {
                ReadMessage(ref reader, message);
            }
            else if (field is null)
            {
                reader.Skip();
            }
            else if (reader.TokenType != JsonTokenType.Null)
            {
                ReadField(ref reader, field, message);
            }
        }
    }

    private static FieldDescriptor? FindField(MessageDescriptor descriptor, string name)
    {
        var field = descriptor.FindFieldByName(name);
        if (field is not null)
        {
            return field;
        }

        foreach (var candidate in descriptor.Fields.InDeclarationOrder())
        {
            if (candidate.JsonName == name)
            {
                return candidate;
            }
        }

        return null;
    }

    /// <summary>Go programs that marshal the generated structs wrap the choice of a oneof in its name: <c>{"Request":{"request_put":…}}</c>.</summary>
    private static bool IsOneofName(MessageDescriptor descriptor, string name)
    {
        foreach (var oneof in descriptor.Oneofs)
        {
            if (string.Equals(oneof.Name.Replace("_", "", StringComparison.Ordinal), name, StringComparison.OrdinalIgnoreCase))
            {
                return true;
            }
        }

        return false;
    }

    private static void ReadField(ref Utf8JsonReader reader, FieldDescriptor field, IMessage message)
    {
        if (!field.IsRepeated)
        {
            field.Accessor.SetValue(message, ReadValue(ref reader, field));
            return;
        }

        if (reader.TokenType != JsonTokenType.StartArray)
        {
            throw new ProtoJsonException($"json: field {field.Name} expects an array, not {Describe(reader.TokenType)}");
        }

        var list = (IList)field.Accessor.GetValue(message);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            list.Add(ReadValue(ref reader, field));
        }
    }

    private static object ReadValue(ref Utf8JsonReader reader, FieldDescriptor field)
    {
        switch (field.FieldType)
        {
            case FieldType.Message:
                var nested = field.MessageType.Parser.ParseFrom(ByteString.Empty);
                ReadMessage(ref reader, nested);
                return nested;
            case FieldType.Bytes:
                return ReadBytes(ref reader, field);
            case FieldType.String:
                return reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw Mismatch(field, reader.TokenType);
            case FieldType.Bool:
                return ReadBool(ref reader, field);
            case FieldType.Int64:
                return (long)ReadInteger(ref reader, field, long.MinValue, long.MaxValue);
            case FieldType.UInt64:
                return (ulong)ReadInteger(ref reader, field, 0, ulong.MaxValue);
            case FieldType.UInt32:
                return (uint)ReadInteger(ref reader, field, 0, uint.MaxValue);
            case FieldType.Enum:
                return ReadEnum(ref reader, field);
            default:
                throw Invariant.Unreachable($"field {field.FullName} of type {field.FieldType}");
        }
    }

    private static bool ReadBool(ref Utf8JsonReader reader, FieldDescriptor field) => reader.TokenType switch
    {
        JsonTokenType.True => true,
        JsonTokenType.False => false,
        JsonTokenType.String when reader.ValueTextEquals("true"u8) => true,
        JsonTokenType.String when reader.ValueTextEquals("false"u8) => false,
        _ => throw Mismatch(field, reader.TokenType),
    };

    /// <summary>Reads 5, "5", 5.0 and 5e0 alike; refuses fractions and what does not fit.</summary>
    private static Int128 ReadInteger(ref Utf8JsonReader reader, FieldDescriptor field, Int128 least, Int128 greatest)
    {
        if (reader.TokenType is not (JsonTokenType.Number or JsonTokenType.String))
        {
            throw Mismatch(field, reader.TokenType);
        }

        var text = reader.TokenType == JsonTokenType.String ? reader.GetString()! : Encoding.UTF8.GetString(reader.ValueSpan);
        var isInteger = Int128.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var value);
        if (!isInteger && decimal.TryParse(text, NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent, CultureInfo.InvariantCulture, out var number) && decimal.IsInteger(number))
        {
            isInteger = true;
            value = (Int128)number;
        }

        return isInteger && IsJsonNumber(text) && value >= least && value <= greatest
            ? value
            : throw new ProtoJsonException($"json: field {field.Name} expects an integer from {least} to {greatest}, not \"{text}\"");
    }

    /// <summary>Whether what is known to be a number for us is one for JSON: a string may hold one with a plus, with zeros in front, or without digits behind its point.</summary>
    private static bool IsJsonNumber(string text)
    {
        var digits = text.AsSpan(text.StartsWith('-') ? 1 : 0);
        return char.IsAsciiDigit(digits[0]) && char.IsAsciiDigit(digits[^1]) && (digits[0] != '0' || digits.Length == 1 || !char.IsAsciiDigit(digits[1]));
    }

    private static object ReadEnum(ref Utf8JsonReader reader, FieldDescriptor field)
    {
        if (reader.TokenType == JsonTokenType.String)
        {
            var name = reader.GetString()!;
            var named = field.EnumType.FindValueByName(name);
            if (named is not null)
            {
                return Enum.ToObject(field.EnumType.ClrType, named.Number);
            }

            return int.TryParse(name, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var spelled)
                ? Enum.ToObject(field.EnumType.ClrType, spelled)
                : throw new ProtoJsonException($"json: unknown value \"{name}\" for enum {field.EnumType.FullName}");
        }

        return Enum.ToObject(field.EnumType.ClrType, (int)ReadInteger(ref reader, field, int.MinValue, int.MaxValue));
    }

    private static ByteString ReadBytes(ref Utf8JsonReader reader, FieldDescriptor field)
    {
        if (reader.TokenType != JsonTokenType.String)
        {
            throw Mismatch(field, reader.TokenType);
        }

        var given = reader.GetString()!;
        var text = given.TrimEnd('=');
        var padded = string.Concat(text.Replace('-', '+').Replace('_', '/'), new string('=', (4 - (text.Length % 4)) % 4));
        if (text.Length != given.Length && given.Length != padded.Length)
        {
            // Padding may be left out, but where there is some it has to fit.
            throw new ProtoJsonException($"json: field {field.Name}: illegal base64 data");
        }

        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(padded.Length)];
        return Convert.TryFromBase64String(padded, bytes, out var written)
            ? ByteString.CopyFrom(bytes, 0, written)
            : throw new ProtoJsonException($"json: field {field.Name}: illegal base64 data");
    }

    private static ProtoJsonException Mismatch(FieldDescriptor field, JsonTokenType found) =>
        new($"json: cannot unmarshal {Describe(found)} into field {field.Name} of type {field.FieldType}");

    private static string Describe(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => "object",
        JsonTokenType.StartArray => "array",
        JsonTokenType.String => "string",
        JsonTokenType.Number => "number",
        JsonTokenType.True or JsonTokenType.False => "bool",
        JsonTokenType.Null => "null",
        _ => "the end of an object",
    };
}
