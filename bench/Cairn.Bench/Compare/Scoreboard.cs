using System.Globalization;
using System.Text.Json;

namespace Cairn.Bench.Compare;

/// <summary>What was measured of each contestant, and its ratios. Not thread-safe.</summary>
/// <param name="names">The contestants: the yardstick first.</param>
internal sealed class Scoreboard(IReadOnlyList<string> names)
{
    private readonly List<Row> _rows = [];

    /// <summary>Adds a sample.</summary>
    /// <param name="measure">What was measured.</param>
    /// <param name="placement">Where server and clients ran.</param>
    /// <param name="contestant">Index of the contestant.</param>
    /// <param name="value">The sample.</param>
    public void Add(Measured measure, Placement placement, int contestant, double value)
    {
        var row = _rows.Find(row => row.Measure == measure && row.Placement == placement);
        if (row is null)
        {
            row = new Row(measure, placement, [.. names.Select(static _ => new List<double>())]);
            _rows.Add(row);
        }

        row.Samples[contestant].Add(value);
    }

    /// <summary>Prints medians, spreads, and the ratio of the second to the first.</summary>
    /// <param name="output">Where to.</param>
    public void Print(TextWriter output)
    {
        output.WriteLine(Line("measure", "placement", names[0], names[1], "ratio", "spread of the samples"));
        foreach (var row in _rows)
        {
            output.WriteLine(Line(
                $"{row.Measure.Name}, {row.Measure.Unit}",
                row.Placement.Name,
                Number(row.Median(0)),
                Number(row.Median(1)),
                $"{Number(row.Ratio)}{(row.Measure.MoreIsBetter ? " up" : " down")}",
                $"{Spread(row.Samples[0])}   {Spread(row.Samples[1])}"));
        }

        output.WriteLine($"ratio: median of {names[1]} / median of {names[0]}; up: more is better, down: less is better");
    }

    /// <summary>Writes all samples as JSON.</summary>
    /// <param name="path">The file.</param>
    public void WriteJson(string path)
    {
        using var file = File.Create(path);
        using var json = new Utf8JsonWriter(file, new JsonWriterOptions { Indented = true });
        json.WriteStartArray();
        foreach (var row in _rows)
        {
            json.WriteStartObject();
            json.WriteString("measure", row.Measure.Name);
            json.WriteString("unit", row.Measure.Unit);
            json.WriteBoolean("more_is_better", row.Measure.MoreIsBetter);
            json.WriteString("placement", row.Placement.Name);
            for (var i = 0; i < names.Count; i++)
            {
                json.WriteStartObject(names[i]);
                json.WriteNumber("median", row.Median(i));
                json.WriteStartArray("samples");
                row.Samples[i].ForEach(json.WriteNumberValue);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteNumber("ratio", row.Ratio);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string Line(string measure, string placement, string first, string second, string ratio, string spread) =>
        $"{measure,-44} {placement,-9} {first,12} {second,12} {ratio,12}   {spread}";

    private static string Number(double value) => value.ToString(
        value switch
        {
            >= 1000 => "F0",
            >= 10 => "F1",
            _ => "F3",
        },
        CultureInfo.InvariantCulture);

    private static string Spread(List<double> samples) => samples.Count == 0 ? "none" : $"{Number(samples.Min())}..{Number(samples.Max())}";

    private sealed record Row(Measured Measure, Placement Placement, List<double>[] Samples)
    {
        public double Ratio => Median(0) == 0 ? 0 : Median(1) / Median(0);

        public double Median(int contestant)
        {
            double[] sorted = [.. Samples[contestant].Order()];
            return sorted.Length switch
            {
                0 => 0,
                var count when count % 2 == 1 => sorted[count / 2],
                var count => (sorted[(count / 2) - 1] + sorted[count / 2]) / 2,
            };
        }
    }
}

/// <summary>Something that is measured.</summary>
/// <param name="Name">How the table calls it.</param>
/// <param name="Unit">Of what.</param>
/// <param name="MoreIsBetter">Whether a greater value is a better one.</param>
internal sealed record Measured(string Name, string Unit, bool MoreIsBetter);
