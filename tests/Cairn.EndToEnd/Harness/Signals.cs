using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Cairn.EndToEnd.Harness;

/// <summary>Signals to processes that the tests started.</summary>
internal static partial class Signals
{
    private const int Interrupt = 2;
    private const int Terminate = 15;

    /// <summary>Asks a process to end, as a supervisor does.</summary>
    /// <param name="process">The process.</param>
    public static void SendTerminate(Process process) => Send(process, Terminate);

    /// <summary>Asks a process to end, as a terminal does.</summary>
    /// <param name="process">The process.</param>
    public static void SendInterrupt(Process process) => Send(process, Interrupt);

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
