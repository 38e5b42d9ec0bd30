using System.Globalization;
using Cairn.Bench.Load;

namespace Cairn.Bench.Measure;

/// <summary>Prints what one workload measured.</summary>
/// <param name="output">Where to.</param>
internal sealed class Report(TextWriter output)
{
    /// <summary>Prints a load.</summary>
    /// <param name="title">What was done.</param>
    /// <param name="result">What was measured.</param>
    /// <param name="serverProcess">The server's process, if known.</param>
    public void Print(string title, LoadResult result, int? serverProcess)
    {
        Line($"{title}: {result.Completed} calls in {result.Elapsed.TotalSeconds:F3} s, {result.Throughput:F0} calls/s, {result.Failed} failed");
        foreach (var (failure, count) in result.Failures)
        {
            Line($"  {count} x {failure}");
        }

        Print(result.Latency);
        Line($"  client CPU   {result.ClientMicrosecondsPerCall:F1} us/call");
        if (serverProcess is { } id)
        {
            Line($"  server CPU   {result.ServerMicrosecondsPerCall:F1} us/call");
            PrintMemory(id);
        }
    }

    /// <summary>Prints watchers and puts.</summary>
    /// <param name="result">What was measured.</param>
    /// <param name="serverProcess">The server's process, if known.</param>
    public void Print(WatchResult result, int? serverProcess)
    {
        Print("put", result.Puts, null);
        Line($"watch: {result.Latency.Count} events in {result.Elapsed.TotalSeconds:F3} s, {result.Throughput:F0} events/s, from due put to event");
        Print(result.Latency);
        if (serverProcess is { } id)
        {
            Line($"  server CPU   {result.ServerCpu.TotalMicroseconds / Math.Max(1, result.Latency.Count):F2} us/event, puts included");
            PrintMemory(id);
        }
    }

    /// <summary>Prints latencies.</summary>
    /// <param name="latency">The latencies.</param>
    public void Print(LatencyHistogram latency)
    {
        Line($"  average      {Milliseconds(latency.MeanNanoseconds)}, standard deviation {Milliseconds(latency.DeviationNanoseconds)}");
        Line($"  p50          {Milliseconds(latency.Percentile(0.5))}");
        Line($"  p90          {Milliseconds(latency.Percentile(0.9))}");
        Line($"  p99          {Milliseconds(latency.Percentile(0.99))}");
        Line($"  p99.9        {Milliseconds(latency.Percentile(0.999))}");
        Line($"  slowest      {Milliseconds(latency.MaxNanoseconds)}");
    }

    /// <summary>Prints a line, in the invariant culture.</summary>
    /// <param name="line">The line.</param>
    public void Line(FormattableString line) => output.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    private static string Milliseconds(double nanoseconds) => string.Create(CultureInfo.InvariantCulture, $"{nanoseconds / 1e6:F3} ms");

    private void PrintMemory(int serverProcess)
    {
        var usage = ProcessUsage.Of(serverProcess);
        Line($"  server RSS   {usage.ResidentBytes >> 20} MiB, {usage.AnonymousBytes >> 20} MiB of it anonymous, peak {usage.PeakResidentBytes >> 20} MiB");
    }
}
