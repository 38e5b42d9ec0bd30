using System.Buffers;
using System.Collections;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Cairn.Host.Logging;

/// <summary>Writes one log line in the form of etcd's logger: JSON with level, ts, caller, msg and the fields, or the same with tabs for people.</summary>
/// <remarks>Source: etcd client/pkg/logutil/zap.go.</remarks>
internal static class ZapLine
{
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'";
    private const string OriginalFormat = "{OriginalFormat}";

    private static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    /// <summary>Writes a line of JSON, with its end.</summary>
    public static void WriteJson(IBufferWriter<byte> output, LogEntry entry)
    {
        using (var writer = new Utf8JsonWriter(output, Options))
        {
            writer.WriteStartObject();
            writer.WriteString("level", LevelName(entry.Level));
            writer.WriteString("ts", entry.Time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture));
            writer.WriteString("caller", entry.Caller);
            writer.WriteString("msg", entry.Message);
            WriteFields(writer, entry);
            writer.WriteEndObject();
        }

        output.Write("\n"u8);
    }

    /// <summary>Writes a line for people, with its end.</summary>
    public static void WriteConsole(IBufferWriter<byte> output, LogEntry entry)
    {
        string time = entry.Time.UtcDateTime.ToString(TimeFormat, CultureInfo.InvariantCulture);
        Encoding.UTF8.GetBytes($"{time}\t{LevelName(entry.Level)}\t{entry.Caller}\t{entry.Message}", output);
        if (entry.Error is not null || entry.Fields.Any(static field => field.Key != OriginalFormat))
        {
            output.Write("\t"u8);
            using var writer = new Utf8JsonWriter(output, Options);
            writer.WriteStartObject();
            WriteFields(writer, entry);
            writer.WriteEndObject();
        }

        output.Write("\n"u8);
    }

    /// <summary>The name of a field in the log: words in lower case, with dashes, as etcd's are.</summary>
    internal static string FieldName(string name)
    {
        var dashed = new StringBuilder(name.Length + 4);
        for (int i = 0; i < name.Length; i++)
        {
            if (char.IsAsciiLetterUpper(name[i]) && i > 0 && !char.IsAsciiLetterUpper(name[i - 1]))
            {
                dashed.Append('-');
            }

            dashed.Append(char.ToLowerInvariant(name[i]));
        }

        return dashed.ToString();
    }

    private static string LevelName(LogLevel level) => level switch
    {
        LogLevel.Trace or LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "error",
        _ => "fatal",
    };

    private static void WriteFields(Utf8JsonWriter writer, LogEntry entry)
    {
        foreach ((string name, object? value) in entry.Fields)
        {
            if (name != OriginalFormat)
            {
                writer.WritePropertyName(FieldName(name));
                WriteValue(writer, value);
            }
        }

        if (entry.Error is { } error)
        {
            writer.WriteString("error", error.Message);
            writer.WriteString("stacktrace", error.ToString());
        }
    }

    private static void WriteValue(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case bool truth:
                writer.WriteBooleanValue(truth);
                break;
            case sbyte or short or int or long or byte or ushort or uint:
                writer.WriteNumberValue(Convert.ToInt64(value, CultureInfo.InvariantCulture));
                break;
            case ulong number:
                writer.WriteNumberValue(number);
                break;
            case double number when double.IsFinite(number):
                writer.WriteNumberValue(number);
                break;
            case TimeSpan duration when duration >= TimeSpan.Zero:
                writer.WriteStringValue(GoDuration.Format(duration));
                break;
            case string text:
                writer.WriteStringValue(text);
                break;
            case IEnumerable items:
                writer.WriteStartArray();
                foreach (object? item in items)
                {
                    WriteValue(writer, item);
                }

                writer.WriteEndArray();
                break;
            default:
                writer.WriteStringValue(Convert.ToString(value, CultureInfo.InvariantCulture));
                break;
        }
    }
}

/// <summary>What a log line says.</summary>
/// <param name="Level">How grave it is.</param>
/// <param name="Time">When it was said.</param>
/// <param name="Caller">The area that says it.</param>
/// <param name="Message">The message.</param>
/// <param name="Fields">Its facts.</param>
/// <param name="Error">The exception that it reports; null if there is none.</param>
internal readonly record struct LogEntry(
    LogLevel Level, DateTimeOffset Time, string Caller, string Message, IReadOnlyList<KeyValuePair<string, object?>> Fields, Exception? Error);
