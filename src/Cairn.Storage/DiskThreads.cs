namespace Cairn.Storage;

/// <summary>Something that blocks on the disk, and says by itself how it ended; <see cref="Run"/> never throws.</summary>
internal interface IDiskWork
{
    /// <summary>Does the work, on a thread of the disk.</summary>
    void Run();
}

/// <summary>Threads that wait for the disk so that nobody else has to. They start when there is more work than idle threads, up to a limit.</summary>
/// <remarks>Thread-safe. One lock, held for a queue operation only.</remarks>
internal sealed class DiskThreads : IDisposable
{
    private readonly string _name;
    private readonly int _threadsMax;
    private readonly object _lock = new(); // An object, not a Lock: threads wait on it for work.
    private readonly Queue<IDiskWork> _work = new();
    private int _threads;
    private int _idle;
    private bool _stopped;

    /// <summary>Creates the set; no thread runs yet.</summary>
    /// <param name="name">For people who look at the threads of the process.</param>
    /// <param name="threadsMax">How many may block on the disk at once; at least 1. One keeps the order of submission.</param>
    public DiskThreads(string name, int threadsMax)
    {
        Invariant.Holds(threadsMax >= 1);
        _name = name;
        _threadsMax = threadsMax;
    }

    /// <summary>Hands over work; returns at once.</summary>
    /// <param name="work">What to do.</param>
    public void Submit(IDiskWork work)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopped, this);
            _work.Enqueue(work);
            if (_idle >= _work.Count)
            {
                Monitor.Pulse(_lock);
            }
            else if (_threads < _threadsMax)
            {
                _threads++;
                new Thread(RunUntilStopped) { IsBackground = true, Name = _name }.Start();
            }
        }
    }

    /// <summary>Lets the threads finish what was submitted, and end.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _stopped = true;
            Monitor.PulseAll(_lock);
        }
    }

    private void RunUntilStopped()
    {
        while (TryTake(out var work))
        {
            work.Run();
        }
    }

    private bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IDiskWork? work)
    {
        lock (_lock)
        {
            while (!_work.TryDequeue(out work))
            {
                if (_stopped)
                {
                    return false;
                }

                _idle++;
                Monitor.Wait(_lock);
                _idle--;
            }

            return true;
        }
    }
}
