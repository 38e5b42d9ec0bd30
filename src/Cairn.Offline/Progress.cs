using System.Globalization;

namespace Cairn.Offline;

/// <summary>Says now and then how far long work is, so that nobody takes it for work that hangs. One user.</summary>
/// <param name="what">What is done, as the beginning of the line.</param>
/// <param name="total">How many bytes there are.</param>
/// <param name="report">Where the lines go.</param>
internal sealed class Progress(string what, long total, TextWriter report)
{
    // A line for every 256 MiB: a second or a few each, on ordinary disks. Small files say nothing.
    private const long StepBytes = 256L << 20;

    private long _done;

    /// <summary>Counts what was done.</summary>
    /// <param name="bytes">How many bytes more.</param>
    public void Report(long bytes)
    {
        long before = _done / StepBytes;
        _done += bytes;
        if (_done / StepBytes > before)
        {
            report.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {_done >> 20} of {total >> 20} MiB"));
        }
    }
}
