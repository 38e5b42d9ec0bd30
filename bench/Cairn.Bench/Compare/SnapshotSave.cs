using System.Diagnostics;
using System.Net;
using Cairn.Bench.Measure;

namespace Cairn.Bench.Compare;

/// <summary>A run of <c>etcdctl snapshot save</c>. Owned by one thread.</summary>
internal sealed class SnapshotSave : IDisposable
{
    private readonly Process _process;
    private readonly string _file;
    private readonly NanoClock _clock;
    private readonly long _began;
    private long _ended;

    private SnapshotSave(Process process, string file, NanoClock clock)
    {
        _process = process;
        _file = file;
        _clock = clock;
        _began = clock.Now;
        process.EnableRaisingEvents = true;
        process.Exited += (_, _) => _ended = clock.Now;
    }

    /// <summary>Whether it still saves.</summary>
    public bool IsRunning => !_process.HasExited;

    /// <summary>Starts to save.</summary>
    /// <param name="endPoint">The member that is saved.</param>
    /// <param name="file">Where to.</param>
    /// <param name="clock">The clock.</param>
    /// <returns>The run.</returns>
    public static SnapshotSave Start(IPEndPoint endPoint, string file, NanoClock clock)
    {
        var start = new ProcessStartInfo("etcdctl", ["--endpoints", endPoint.ToString(), "--command-timeout", "10m", "snapshot", "save", file]) { RedirectStandardError = true, RedirectStandardOutput = true };
        var process = Process.Start(start) ?? throw new IOException("etcdctl could not be started");
        process.BeginErrorReadLine();
        process.BeginOutputReadLine();
        return new SnapshotSave(process, file, clock);
    }

    /// <summary>Waits for the end.</summary>
    /// <returns>How fast it was.</returns>
    /// <exception cref="IOException">Nothing was saved.</exception>
    public double FinishedMegabytesPerSecond()
    {
        _process.WaitForExit();
        return _process.ExitCode == 0
            ? new FileInfo(_file).Length / 1e6 / NanoClock.Span((_ended == 0 ? _clock.Now : _ended) - _began).TotalSeconds
            : throw new IOException($"etcdctl snapshot save ended with {_process.ExitCode}");
    }

    /// <summary>Ends the run; the file stays.</summary>
    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }
}
