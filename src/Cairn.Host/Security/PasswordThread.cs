using Cairn.Server.Auth;

namespace Cairn.Host.Security;

/// <summary>Hashes passwords on one thread of low priority: however many log in, the rest of the process keeps its processors.</summary>
/// <remarks>Thread-safe. The thread starts with the first password and lives as long as the process.</remarks>
internal sealed class PasswordThread : IHeavyWork
{
    // A password takes some 60 ms, so the last in line waits two seconds; clients give up after about five.
    private const int WaitingMax = 32;

    private readonly object _lock = new(); // An object, not a Lock: the thread waits on it for work.
    private readonly Queue<Action> _waiting = new();
    private Thread? _thread;

    /// <inheritdoc/>
    public bool TrySubmit(Action work)
    {
        lock (_lock)
        {
            if (_waiting.Count >= WaitingMax)
            {
                return false;
            }

            _waiting.Enqueue(work);
            Monitor.Pulse(_lock);
            if (_thread is null)
            {
                _thread = new Thread(Run) { IsBackground = true, Name = "passwords", Priority = ThreadPriority.BelowNormal };
                _thread.Start();
            }

            return true;
        }
    }

    private void Run()
    {
        while (true)
        {
            Next()();
        }
    }

    private Action Next()
    {
        lock (_lock)
        {
            Action? work;
            while (!_waiting.TryDequeue(out work))
            {
                Monitor.Wait(_lock);
            }

            return work;
        }
    }
}
