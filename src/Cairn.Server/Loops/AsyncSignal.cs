using System.Threading.Tasks.Sources;

namespace Cairn.Server.Loops;

/// <summary>Wakes one loop: any thread sets it, the loop waits for it. Setting it many times wakes the loop once.</summary>
/// <remarks>
/// One waiter at a time. Waiting allocates nothing. Continuations never run on the setter's stack. What was posted before <see cref="Set"/> is visible to
/// the loop after its wait.
/// </remarks>
internal sealed class AsyncSignal : IValueTaskSource
{
    private const int Idle = 0;
    private const int IsSet = 1;
    private const int Awaited = 2;

    private ManualResetValueTaskSourceCore<bool> _core = new() { RunContinuationsAsynchronously = true };
    private int _state;

    /// <summary>Wakes the loop, now or at its next wait.</summary>
    public void Set()
    {
        if (Volatile.Read(ref _state) == IsSet)
        {
            return;
        }

        if (Interlocked.Exchange(ref _state, IsSet) == Awaited)
        {
            // A second setter that comes here before the next line finds IsSet and leaves: what it posted is seen by the loop that wakes below.
            Volatile.Write(ref _state, Idle);
            _core.SetResult(true);
        }
    }

    /// <summary>Waits until the signal is set, and clears it.</summary>
    /// <returns>Completes when set.</returns>
    public ValueTask WaitAsync()
    {
        if (Interlocked.CompareExchange(ref _state, Idle, IsSet) == IsSet)
        {
            return ValueTask.CompletedTask;
        }

        _core.Reset();
        var task = new ValueTask(this, _core.Version);
        var before = Interlocked.CompareExchange(ref _state, Awaited, Idle);
        Invariant.Holds(before != Awaited);
        if (before == IsSet)
        {
            Volatile.Write(ref _state, Idle);
            return ValueTask.CompletedTask;
        }

        return task;
    }

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _core.OnCompleted(continuation, state, token, flags);
}
