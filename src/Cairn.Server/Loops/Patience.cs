namespace Cairn.Server.Loops;

/// <summary>How a limited wait ended.</summary>
internal enum WaitOutcome
{
    /// <summary>What was waited for has happened.</summary>
    Done,

    /// <summary>It took too long.</summary>
    TimedOut,

    /// <summary>Nobody wants to wait any more, or what was waited for will not happen.</summary>
    Cancelled,
}

/// <summary>Waits for a task no longer than somebody wants to.</summary>
/// <remarks>
/// Not <c>Task.WaitAsync</c>: on a task whose continuations run asynchronously, as all completions here do, it continues on the
/// thread pool, whatever the scheduler; and it tells expected ends by exceptions.
/// </remarks>
internal static class Patience
{
    /// <summary>Waits.</summary>
    /// <param name="task">What for; must not fail.</param>
    /// <param name="limit">How long; infinite for ever.</param>
    /// <param name="time">Measures it.</param>
    /// <param name="cancellation">Ends it.</param>
    /// <returns>How it ended.</returns>
    public static async ValueTask<WaitOutcome> WaitAsync(Task task, TimeSpan limit, TimeProvider time, CancellationToken cancellation)
    {
        var outcome = new TaskCompletionSource<WaitOutcome>(TaskCreationOptions.RunContinuationsAsynchronously);
        _ = ObserveAsync(task, outcome);
        if (!outcome.Task.IsCompleted)
        {
            using var registration = cancellation.UnsafeRegister(
                static state => ((TaskCompletionSource<WaitOutcome>)state!).TrySetResult(WaitOutcome.Cancelled), outcome);
            using var timer = limit == Timeout.InfiniteTimeSpan
                ? null
                : time.CreateTimer(
                    static state => ((TaskCompletionSource<WaitOutcome>)state!).TrySetResult(WaitOutcome.TimedOut), outcome, limit, Timeout.InfiniteTimeSpan);
            return await outcome.Task;
        }

        return await outcome.Task;
    }

    private static async Task ObserveAsync(Task task, TaskCompletionSource<WaitOutcome> outcome)
    {
        try
        {
            await task;
            outcome.TrySetResult(WaitOutcome.Done);
        }
        catch (OperationCanceledException)
        {
            outcome.TrySetResult(WaitOutcome.Cancelled);
        }
    }
}
