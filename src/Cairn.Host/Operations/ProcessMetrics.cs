using System.Globalization;
using Cairn.Server;

namespace Cairn.Host.Operations;

/// <summary>What the kernel knows of this process, under the names of Prometheus' process collector, and descriptors under etcd's.</summary>
/// <remarks>Reads /proc; where that is missing, what cannot be told is left out.</remarks>
internal static class ProcessMetrics
{
    // proc(5): fields after the command's closing bracket, which may itself hold spaces. Times are in ticks of 1/100 s on all Linux machines.
    private const int UserTimeField = 11;
    private const int SystemTimeField = 12;
    private const int StartTimeField = 19;
    private const int VirtualBytesField = 20;
    private const int ResidentPagesField = 21;
    private const double ClockTicks = 100;

    /// <summary>Reads all.</summary>
    public static IEnumerable<MetricSample> Collect()
    {
        string[]? fields = StatFields();
        if (fields is not null)
        {
            double cpu = (Number(fields[UserTimeField]) + Number(fields[SystemTimeField])) / ClockTicks;
            yield return new("process_cpu_seconds_total", MetricKind.Counter, "Total user and system CPU time spent in seconds.", cpu);
            yield return new("process_resident_memory_bytes", MetricKind.Gauge, "Resident memory size in bytes.", Number(fields[ResidentPagesField]) * Environment.SystemPageSize);
            yield return new("process_virtual_memory_bytes", MetricKind.Gauge, "Virtual memory size in bytes.", Number(fields[VirtualBytesField]));
            double started = BootTime() + (Number(fields[StartTimeField]) / ClockTicks);
            yield return new("process_start_time_seconds", MetricKind.Gauge, "Start time of the process since unix epoch in seconds.", started);
        }

        yield return new("process_virtual_memory_max_bytes", MetricKind.Gauge, "Maximum amount of virtual memory available in bytes.", Limit("Max address space"));
        yield return new("process_network_receive_bytes_total", MetricKind.Counter, "Number of bytes received by the process over the network.", NetworkOctets("InOctets"));
        yield return new("process_network_transmit_bytes_total", MetricKind.Counter, "Number of bytes sent by the process over the network.", NetworkOctets("OutOctets"));
        int open = OpenDescriptors();
        double limit = DescriptorLimit();
        yield return new("process_open_fds", MetricKind.Gauge, "Number of open file descriptors.", open);
        yield return new("process_max_fds", MetricKind.Gauge, "Maximum number of open file descriptors.", limit);
        yield return new("os_fd_used", MetricKind.Gauge, "The number of used file descriptors.", open);
        yield return new("os_fd_limit", MetricKind.Gauge, "The file descriptor limit.", limit);
        yield return new("dotnet_gc_heap_bytes", MetricKind.Gauge, "Bytes in the managed heap.", GC.GetTotalMemory(forceFullCollection: false));
        yield return new("dotnet_gc_collections_total", MetricKind.Counter, "Garbage collections.", GC.CollectionCount(0));
        yield return new("dotnet_gc_pause_seconds_total", MetricKind.Counter, "Time for which garbage collections stopped the process.", GC.GetTotalPauseDuration().TotalSeconds);
        yield return new("dotnet_threads", MetricKind.Gauge, "Threads of the thread pool.", ThreadPool.ThreadCount);
    }

    /// <summary>The limit of open files of this process; 0 if it cannot be told.</summary>
    public static double DescriptorLimit() => Limit("Max open files");

    private static double Limit(string name)
    {
        string? line = Lines("/proc/self/limits").FirstOrDefault(line => line.StartsWith(name, StringComparison.Ordinal));
        string[] words = line?.Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        return words.Length <= 3 ? 0 : words[3] == "unlimited" ? ulong.MaxValue : Number(words[3]);
    }

    /// <summary>What went through the network of this process, as far as it has one of its own: the kernel counts by network namespace.</summary>
    private static double NetworkOctets(string name)
    {
        string[][] rows = [.. Lines("/proc/self/net/netstat").Where(static line => line.StartsWith("IpExt:", StringComparison.Ordinal)).Select(static line => line.Split(' '))];
        int place = rows is [var names, var values] && names.Length == values.Length ? Array.IndexOf(names, name) : -1;
        return place < 0 ? 0 : Number(rows[1][place]);
    }

    private static string[]? StatFields()
    {
        string stat = string.Join('\n', Lines("/proc/self/stat"));
        int bracket = stat.LastIndexOf(')');
        string[] fields = bracket < 0 ? [] : stat[(bracket + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > ResidentPagesField ? fields : null;
    }

    private static double BootTime() =>
        Lines("/proc/stat").FirstOrDefault(static line => line.StartsWith("btime ", StringComparison.Ordinal)) is { } line ? Number(line["btime ".Length..]) : 0;

    private static int OpenDescriptors()
    {
        try
        {
            return Directory.GetFileSystemEntries("/proc/self/fd").Length;
        }
        catch (IOException)
        {
            return 0;
        }
    }

    private static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static double Number(string text) => double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double number) ? number : 0;
}
