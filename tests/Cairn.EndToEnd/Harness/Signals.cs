using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Cairn.EndToEnd.Harness;

/// <summary>Signals to processes that the tests started.</summary>
internal static partial class Signals
{
    /// <summary>The error if there is no such process any more.</summary>
    public const int NoSuchProcess = 3;

    private const int Interrupt = 2;
    private const int Terminate = 15;
    private const int Continue = 18;
    private const int Stop = 19;

    /// <summary>Asks a process to end, as a supervisor does.</summary>
    /// <param name="process">The process.</param>
    public static void SendTerminate(Process process) => Send(process, Terminate);

    /// <summary>Asks a process to end, as a terminal does.</summary>
    /// <param name="process">The process.</param>
    public static void SendInterrupt(Process process) => Send(process, Interrupt);

    /// <summary>Stops a process as it is, as a machine that is paused does.</summary>
    /// <param name="process">The process.</param>
    public static void SendStop(Process process) => Send(process, Stop);

    /// <summary>Lets a stopped process go on.</summary>
    /// <param name="process">The process.</param>
    public static void SendContinue(Process process) => Send(process, Continue);

    private static void Send(Process process, int signal)
    {
        if (SendSignal(process.Id, signal) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int processId, int signal);
}
