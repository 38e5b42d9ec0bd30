using Xunit;

namespace Cairn.Tests.Server.Simulated;

/// <summary>Runs asynchronous code on one thread: whatever becomes ready is done in order, and time passes when nothing is ready.</summary>
public sealed class SingleThread : SynchronizationContext
{
    // No test needs half a day; one that waits for ever fails instead of running for ever.
    private static readonly TimeSpan TimePassedMax = TimeSpan.FromHours(12);

    private readonly Queue<(SendOrPostCallback Callback, object? State)> _ready = new();
    private readonly SimulatedTime _time;
    private readonly int _threadId = Environment.CurrentManagedThreadId;
    private bool _escaped;

    private SingleThread(SimulatedTime time) => _time = time;

    /// <summary>Runs to the end.</summary>
    /// <param name="time">Time of the run.</param>
    /// <param name="main">What to run.</param>
    public static void Run(SimulatedTime time, Func<Task> main)
    {
        var outer = Current;
        var context = new SingleThread(time);
        SetSynchronizationContext(context);
        try
        {
            context.Pump(main());
        }
        finally
        {
            SetSynchronizationContext(outer);
        }
    }

    /// <inheritdoc/>
    public override void Post(SendOrPostCallback d, object? state)
    {
        if (Environment.CurrentManagedThreadId != _threadId)
        {
            // Not thread-safe on purpose: whoever posts from elsewhere has left the simulation.
            _escaped = true;
        }

        lock (_ready)
        {
            _ready.Enqueue((d, state));
        }
    }

    /// <inheritdoc/>
    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override SynchronizationContext CreateCopy() => this;

    private void Pump(Task main)
    {
        var began = _time.GetTimestamp();
        while (!main.IsCompleted)
        {
            if (TryTake(out var next))
            {
                next.Callback(next.State);
            }
            else if (_time.HasTimers && _time.GetElapsedTime(began) < TimePassedMax)
            {
                _time.FireNext();
            }
            else
            {
                throw new InvalidOperationException("Nothing is ready, and nothing will be: the run waits for ever.");
            }
        }

        Assert.False(_escaped, "something was posted from another thread");
        main.GetAwaiter().GetResult();
    }

    private bool TryTake(out (SendOrPostCallback Callback, object? State) next)
    {
        lock (_ready)
        {
            return _ready.TryDequeue(out next);
        }
    }
}
