using System.Runtime.InteropServices;

namespace Cairn.Storage;

/// <summary>A semaphore on which threads block in the kernel. Thread-safe.</summary>
/// <remarks>
/// Not a monitor: who is woken through one first has to take the lock that the waker still holds, which costs two more changes of threads on the way of every
/// write. Source: sem_overview(7).
/// </remarks>
internal sealed unsafe class ThreadSemaphore
{
    // sizeof(sem_t) is 32 on every 64-bit Linux, glibc's and musl's.
    private const int Bytes = 32;

    private readonly void* _semaphore;

    /// <summary>Creates a semaphore at zero.</summary>
    public ThreadSemaphore()
    {
        _semaphore = NativeMemory.AllocZeroed(Bytes);
        Invariant.Holds(LinuxCalls.InitializeSemaphore(_semaphore, 0, 0) == 0);
    }

    /// <summary>Frees the memory when nobody refers to it, so no thread can be waiting.</summary>
    ~ThreadSemaphore() => NativeMemory.Free(_semaphore);

    /// <summary>Lets one thread pass, now or when one waits.</summary>
    public void Release()
    {
        Invariant.Holds(LinuxCalls.Post(_semaphore) == 0);
        GC.KeepAlive(this);
    }

    /// <summary>Blocks the thread until it is let pass.</summary>
    public void Wait()
    {
        while (LinuxCalls.Wait(_semaphore) != 0)
        {
            Invariant.Holds(Marshal.GetLastPInvokeError() == Errno.Interrupted);
        }

        GC.KeepAlive(this);
    }
}
