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
    private readonly Lock _lock = new();
    private readonly Queue<IDiskWork> _work = new();
    private readonly ThreadSemaphore _ready = new();
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
            if (_idle < _work.Count && _threads < _threadsMax)
            {
                StartThread();
            }
        }

        _ready.Release();
    }

    /// <summary>Lets the threads finish what was submitted, and end.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            _stopped = true;
        }

        // One a thread, beside one for each piece of work: whoever passes and finds no work left knows that it is over.
        for (var thread = 0; thread < _threads; thread++)
        {
            _ready.Release();
        }
    }

    private void StartThread()
    {
        _threads++;
        _idle++;
        new Thread(RunUntilStopped) { IsBackground = true, Name = _name }.Start();
    }

    private void RunUntilStopped()
    {
        while (TryTake(out var work))
        {
            work.Run();
            lock (_lock)
            {
                _idle++;
            }
        }
    }

    private bool TryTake([System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out IDiskWork? work)
    {
        _ready.Wait();
        lock (_lock)
        {
            _idle--;
            return _work.TryDequeue(out work);
        }
    }
}
