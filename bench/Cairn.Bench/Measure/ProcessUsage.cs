using System.Globalization;

namespace Cairn.Bench.Measure;

/// <summary>What a process has used up to now. Source: proc(5).</summary>
/// <param name="Cpu">Processor time, user and system, of all its threads.</param>
/// <param name="ResidentBytes">Resident memory, files mapped into it included.</param>
/// <param name="AnonymousBytes">Resident memory that is not backed by a file.</param>
/// <param name="PeakResidentBytes">The greatest resident memory so far.</param>
internal readonly record struct ProcessUsage(TimeSpan Cpu, long ResidentBytes, long AnonymousBytes, long PeakResidentBytes)
{
    // The unit of times in /proc/PID/stat: USER_HZ, which is 100 on every Linux that .NET runs on.
    private const long TicksPerSecond = 100;

    /// <summary>Reads the use of a process.</summary>
    /// <param name="processId">Which.</param>
    /// <returns>Its use.</returns>
    /// <exception cref="IOException">There is no such process.</exception>
    public static ProcessUsage Of(int processId)
    {
        var stat = File.ReadAllText($"/proc/{processId}/stat");

        // The second field, the name in parentheses, may contain blanks; the third is the state, so time is 11 and 12 fields after that.
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        var ticks = long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
        var status = File.ReadAllLines($"/proc/{processId}/status");
        return new ProcessUsage(
            TimeSpan.FromSeconds((double)ticks / TicksPerSecond),
            Bytes(status, "VmRSS:"),
            Bytes(status, "RssAnon:"),
            Bytes(status, "VmHWM:"));
    }

    private static long Bytes(string[] status, string name)
    {
        foreach (var line in status)
        {
            if (line.StartsWith(name, StringComparison.Ordinal))
            {
                return long.Parse(line.AsSpan(name.Length).Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) * 1024;
            }
        }

        return 0;
    }
}
