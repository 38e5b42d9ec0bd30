using System.Threading.Tasks.Sources;

namespace Cairn.Server.Loops;

/// <summary>Wakes one loop: any thread sets it, the loop waits for it. Setting it many times wakes the loop once.</summary>
/// <remarks>
/// One waiter at a time. Waiting allocates nothing. Continuations never run on the stack of <see cref="Set"/>; where the waiter has a scheduler of its own,
/// they run there. What was posted before <see cref="Set"/> is visible to the loop after its wait.
/// </remarks>
internal sealed class AsyncSignal : IValueTaskSource, ITurnFollower
{
    private const int Idle = 0;
    private const int IsSet = 1;
    private const int Awaited = 2;

    private ManualResetValueTaskSourceCore<bool> _core;
    private Action<object?>? _continuation;
    private object? _continuationState;
    private int _state;
    private bool _hasScheduler = true;

    /// <summary>Wakes the loop, now or at its next wait.</summary>
    public void Set()
    {
        if (TryClaim())
        {
            Complete(here: false);
        }
    }

    /// <summary>Wakes the loop as <see cref="Set"/> does, but on this thread once the loop that runs on it sleeps.</summary>
    public void SetAfterTurn() => LoopTurn.Follow(this);

    /// <summary>Wakes the loop and runs its turn here. Only where nothing is left to do on this stack.</summary>
    public void SetAndRun() => LoopTurn.Run(this);

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

    void ITurnFollower.GoOnHere()
    {
        if (TryClaim())
        {
            Complete(here: !Volatile.Read(ref _hasScheduler));
        }
    }

    void ITurnFollower.GoOnElsewhere() => Set();

    void IValueTaskSource.GetResult(short token) => _core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags)
    {
        (_continuation, _continuationState) = (continuation, state);
        Volatile.Write(ref _hasScheduler, SynchronizationContext.Current is not null || TaskScheduler.Current != TaskScheduler.Default);
        _core.OnCompleted(static self => ((AsyncSignal)self!).GoOn(), this, token, flags);
    }

    private void GoOn()
    {
        var (continuation, state) = (_continuation!, _continuationState); // Set before the core could call.
        if (_hasScheduler)
        {
            continuation(state);
        }
        else
        {
            LoopTurn.Run(continuation, state);
        }
    }

    /// <summary>Sets the signal; true if a loop waits, which the caller then has to complete.</summary>
    private bool TryClaim()
    {
        if (Volatile.Read(ref _state) == IsSet || Interlocked.Exchange(ref _state, IsSet) != Awaited)
        {
            return false;
        }

        // A second setter that comes here before the next line finds IsSet and leaves: what it posted is seen by the loop that wakes below.
        Volatile.Write(ref _state, Idle);
        return true;
    }

    private void Complete(bool here)
    {
        _core.RunContinuationsAsynchronously = !here;
        _core.SetResult(true);
    }
}
