using System.Globalization;
using System.Text;
using Cairn.Server;

namespace Cairn.Host.Operations;

/// <summary>The text exposition format of Prometheus, version 0.0.4.</summary>
/// <remarks>Source: https://prometheus.io/docs/instrumenting/exposition_formats/.</remarks>
internal static class PrometheusText
{
    /// <summary>The content type of the format.</summary>
    public const string ContentType = "text/plain; version=0.0.4; charset=utf-8";

    /// <summary>Writes samples, those of one name together, in the order in which the names first appear.</summary>
    public static string Write(IEnumerable<MetricSample> samples)
    {
        var text = new StringBuilder(64 * 1024);
        foreach (IGrouping<string, MetricSample> family in samples.GroupBy(static sample => sample.Name, StringComparer.Ordinal))
        {
            MetricSample first = family.First();
            text.Append("# HELP ").Append(family.Key).Append(' ').Append(EscapeHelp(first.Help)).Append('\n');
            text.Append("# TYPE ").Append(family.Key).Append(' ').Append(TypeName(first.Kind)).Append('\n');
            foreach (MetricSample sample in family)
            {
                if (sample.Kind == MetricKind.Histogram)
                {
                    WriteHistogram(text, sample);
                }
                else
                {
                    WriteSample(text, sample.Name, sample.Labels, extra: null, sample.Value);
                }
            }
        }

        return text.ToString();
    }

    private static void WriteHistogram(StringBuilder text, MetricSample histogram)
    {
        long count = 0;
        foreach ((double bound, long cumulative) in histogram.Buckets)
        {
            WriteSample(text, histogram.Name + "_bucket", histogram.Labels, new("le", Number(bound)), cumulative);
            count = cumulative;
        }

        WriteSample(text, histogram.Name + "_sum", histogram.Labels, extra: null, histogram.Value);
        WriteSample(text, histogram.Name + "_count", histogram.Labels, extra: null, count);
    }

    private static void WriteSample(StringBuilder text, string name, IReadOnlyList<KeyValuePair<string, string>> labels, KeyValuePair<string, string>? extra, double value)
    {
        text.Append(name);
        char before = '{';
        foreach ((string label, string content) in extra is { } last ? labels.Append(last) : labels)
        {
            text.Append(before).Append(label).Append("=\"").Append(EscapeLabel(content)).Append('"');
            before = ',';
        }

        text.Append(before == '{' ? " " : "} ").Append(Number(value)).Append('\n');
    }

    private static string TypeName(MetricKind kind) => kind switch
    {
        MetricKind.Counter => "counter",
        MetricKind.Histogram => "histogram",
        _ => "gauge",
    };

    private static string Number(double value) => value switch
    {
        double.PositiveInfinity => "+Inf",
        double.NegativeInfinity => "-Inf",
        double.NaN => "NaN",
        _ => value.ToString("R", CultureInfo.InvariantCulture),
    };

    private static string EscapeHelp(string text) => text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string EscapeLabel(string text) => EscapeHelp(text).Replace("\"", "\\\"", StringComparison.Ordinal);
}
