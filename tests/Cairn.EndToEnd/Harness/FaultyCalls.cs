using System.ComponentModel;
using System.Globalization;
using Xunit;

namespace Cairn.EndToEnd.Harness;

/// <summary>Makes system calls of a running process slow, or fail, as long as it is not disposed. Needs strace and the right to trace; without, the test is skipped.</summary>
internal sealed class FaultyCalls : IAsyncDisposable
{
    /// <summary>What makes bytes durable.</summary>
    public const string Syncs = "fsync,fdatasync";

    private readonly ProgramRun _strace;

    private FaultyCalls(ProgramRun strace) => _strace = strace;

    /// <summary>Delays system calls.</summary>
    /// <param name="run">The process.</param>
    /// <param name="calls">Names of the calls, with commas between.</param>
    /// <param name="delay">How long each takes in addition.</param>
    /// <param name="when">Which of them, in strace's words: "1" is the first, "20+20" each twentieth.</param>
    /// <returns>The fault, at work.</returns>
    public static Task<FaultyCalls> DelayAsync(ProgramRun run, string calls, TimeSpan delay, string when = "1+") =>
        AttachAsync(run, calls, string.Create(CultureInfo.InvariantCulture, $"delay_enter={(long)delay.TotalMicroseconds}:when={when}"));

    /// <summary>Fails system calls.</summary>
    /// <param name="run">The process.</param>
    /// <param name="calls">Names of the calls, with commas between.</param>
    /// <param name="errno">The answer they get, as EIO.</param>
    /// <param name="when">Which of them, in strace's words: "1" is the first, "2+" all but the first.</param>
    /// <returns>The fault, at work.</returns>
    public static Task<FaultyCalls> FailAsync(ProgramRun run, string calls, string errno, string when = "1+") =>
        AttachAsync(run, calls, $"error={errno}:when={when}");

    /// <summary>Ends the fault.</summary>
    /// <returns>When the process runs as before.</returns>
    public async ValueTask DisposeAsync()
    {
        // The process itself may be gone, and strace with it.
        if (!_strace.Process.HasExited)
        {
            try
            {
                Signals.SendInterrupt(_strace.Process);
            }
            catch (Win32Exception e) when (e.NativeErrorCode == Signals.NoSuchProcess)
            {
                // It ended by itself meanwhile.
            }

            await _strace.EndAsync();
        }

        await _strace.DisposeAsync();
    }

    private static async Task<FaultyCalls> AttachAsync(ProgramRun run, string calls, string fault)
    {
        var program = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(static directory => Path.Combine(directory, "strace")).FirstOrDefault(File.Exists);
        Assert.SkipWhen(program is null, "strace is not installed; .ci/install-strace installs it");
        var strace = ProgramRun.Start(
            program!, // Skipped above if there is none.
            ["-f", "-p", run.Process.Id.ToString(CultureInfo.InvariantCulture), "-e", $"trace={calls}", "-e", $"inject={calls}:{fault}", "-o", "/dev/null"]);
        var line = await strace.LineAsync(static line => line.Contains("attached", StringComparison.Ordinal) || line.Contains("ptrace", StringComparison.Ordinal));
        if (!line.Contains("attached", StringComparison.Ordinal))
        {
            await strace.DisposeAsync();
            Assert.Skip($"this process may not trace others: {line}");
        }

        return new FaultyCalls(strace);
    }
}
