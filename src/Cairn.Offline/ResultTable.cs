using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Cairn.Offline;

/// <summary>One value of a result, under the names and in the forms that etcdutl's outputs have for it.</summary>
/// <param name="Heading">Its column in a table.</param>
/// <param name="Field">Its name in the form "fields".</param>
/// <param name="Json">Its name in JSON.</param>
/// <param name="Value">The value: a number or a text.</param>
/// <param name="Shown">The value as people read it, in a table and in the simple form; null if that is the value as it is.</param>
internal sealed record ResultColumn(string Heading, string Field, string Json, JsonNode Value, string? Shown = null)
{
    /// <summary>The value as people read it.</summary>
    public string Text => Shown ?? Value.ToString();
}

/// <summary>Writes a result of one row as etcdutl writes it.</summary>
/// <remarks>Source: etcd etcdutl/etcdutl/printer*.go.</remarks>
internal static class ResultTable
{
    /// <summary>The values of --write-out.</summary>
    public static IReadOnlyList<string> Forms { get; } = ["simple", "table", "json", "fields"];

    /// <summary>Formats a result.</summary>
    /// <param name="columns">Its values.</param>
    /// <param name="form">One of <see cref="Forms"/>.</param>
    /// <returns>One or more lines, without the last line's end.</returns>
    public static string Format(IReadOnlyList<ResultColumn> columns, string form) => form switch
    {
        "json" => new JsonObject(columns.Select(static column => KeyValuePair.Create(column.Json, (JsonNode?)column.Value))).ToJsonString(JsonSerializerOptions.Default),
        "fields" => string.Join('\n', columns.Select(static column => $"\"{column.Field}\" : {column.Value}")),
        "table" => Draw(columns),
        _ => string.Join(", ", columns.Select(static column => column.Text)),
    };

    /// <summary>Formats a size with three digits or so.</summary>
    /// <param name="bytes">The size.</param>
    /// <returns>Such as <c>25 kB</c> or <c>1.2 GB</c>.</returns>
    public static string Size(long bytes)
    {
        ReadOnlySpan<string> units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
        double value = bytes;
        int unit = 0;
        for (; value >= 1000 && unit < units.Length - 1; unit++)
        {
            value /= 1000;
        }

        string form = unit > 0 && Math.Floor((value * 10) + 0.5) / 10 < 10 ? "F1" : "F0";
        return $"{value.ToString(form, CultureInfo.InvariantCulture)} {units[unit]}";
    }

    private static string Draw(IReadOnlyList<ResultColumn> columns)
    {
        int[] widths = [.. columns.Select(static column => Math.Max(column.Heading.Length, column.Text.Length))];
        string line = "+" + string.Concat(widths.Select(static width => new string('-', width + 2) + "+"));
        var text = new StringBuilder(line).Append("\n|");
        for (int i = 0; i < widths.Length; i++)
        {
            string heading = columns[i].Heading.ToUpperInvariant();
            text.Append(' ').Append(heading.PadLeft(heading.Length + ((widths[i] - heading.Length) / 2)).PadRight(widths[i])).Append(" |");
        }

        text.Append('\n').Append(line).Append("\n|");
        for (int i = 0; i < widths.Length; i++)
        {
            text.Append(' ').Append(columns[i].Text.PadLeft(widths[i])).Append(" |");
        }

        return text.Append('\n').Append(line).ToString();
    }
}
