using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Cairn.Bench;

/// <summary>The calls of Linux that .NET does not offer, or not precisely enough.</summary>
internal static partial class Native
{
    private const short PollIn = 1;

    // Bytes of a mask of processors: room for 1024 of them, as glibc's cpu_set_t.
    private const int AffinityBytes = 128;

    /// <summary>Signals that the bench sends to servers that it started.</summary>
    public enum Signal
    {
        /// <summary>Ends the process without a chance to say anything.</summary>
        Kill = 9,

        /// <summary>Asks the process to end.</summary>
        Terminate = 15,

        /// <summary>Lets a stopped process go on.</summary>
        Continue = 18,

        /// <summary>Stops the process until it is continued.</summary>
        Stop = 19,
    }

    /// <summary>Waits until a socket has something to read. Unlike Socket.Poll, to the microsecond.</summary>
    /// <param name="descriptor">The socket.</param>
    /// <param name="timeout">How long at most; not positive does not wait.</param>
    /// <returns>Whether there is something to read, or the socket is broken.</returns>
    public static unsafe bool WaitReadable(nint descriptor, TimeSpan timeout)
    {
        var poll = new PollDescriptor { Descriptor = (int)descriptor, Events = PollIn };
        var ticks = Math.Max(0, timeout.Ticks);
        var wait = new TimeSpecification { Seconds = ticks / TimeSpan.TicksPerSecond, Nanoseconds = ticks % TimeSpan.TicksPerSecond * 100 };
        return WaitForDescriptors(&poll, 1, &wait, 0) > 0;
    }

    /// <summary>Binds the calling thread, and what it starts from now on, to processors.</summary>
    /// <param name="processors">Their numbers.</param>
    /// <exception cref="Win32Exception">The system refused, for instance since there is no such processor.</exception>
    public static void BindThread(params ReadOnlySpan<int> processors)
    {
        Span<byte> mask = stackalloc byte[AffinityBytes];
        mask.Clear();
        foreach (var processor in processors)
        {
            mask[processor / 8] |= (byte)(1 << (processor % 8));
        }

        if (SetAffinity(0, AffinityBytes, mask) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>Sends a signal.</summary>
    /// <param name="processId">To whom.</param>
    /// <param name="signal">What.</param>
    /// <exception cref="Win32Exception">There is no such process, or it is not ours.</exception>
    public static void Send(int processId, Signal signal)
    {
        if (SendSignal(processId, (int)signal) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    [LibraryImport("libc", EntryPoint = "ppoll", SetLastError = true)]
    private static unsafe partial int WaitForDescriptors(PollDescriptor* descriptors, nuint count, TimeSpecification* timeout, nint signalMask);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity", SetLastError = true)]
    private static partial int SetAffinity(int threadId, nuint bytes, ReadOnlySpan<byte> mask);

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int processId, int signal);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollDescriptor
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpecification
    {
        public long Seconds;
        public long Nanoseconds;
    }
}
