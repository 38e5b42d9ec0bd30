namespace Cairn.Server.Reads;

/// <summary>Lets readers wait until an index has been applied.</summary>
/// <remarks>Any thread waits; the apply loop opens. One lock, continuations outside it.</remarks>
internal sealed class AppliedGate
{
    private readonly Lock _lock = new();
    private readonly PriorityQueue<TaskCompletionSource, ulong> _waiting = new();
    private ulong _applied;
    private bool _isClosed;

    /// <summary>Waits.</summary>
    /// <param name="index">The index.</param>
    /// <returns>Completes when it has been applied and is visible; cancelled if that will not be.</returns>
    public Task WaitAsync(ulong index)
    {
        lock (_lock)
        {
            if (_applied >= index)
            {
                return Task.CompletedTask;
            }

            if (_isClosed)
            {
                return Task.FromCanceled(new CancellationToken(canceled: true));
            }

            var waiter = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _waiting.Enqueue(waiter, index);
            return waiter.Task;
        }
    }

    /// <summary>Sends everybody away: nothing more is applied.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            while (_waiting.TryDequeue(out var waiter, out _))
            {
                waiter.SetCanceled();
            }
        }
    }

    /// <summary>Lets those go who wait for an index up to this one.</summary>
    /// <param name="index">Applied and visible.</param>
    public void Open(ulong index)
    {
        lock (_lock)
        {
            Invariant.Holds(index >= _applied);
            _applied = index;
            while (_waiting.TryPeek(out var waiter, out var wanted) && wanted <= index)
            {
                _waiting.Dequeue();
                waiter.SetResult();
            }
        }
    }
}
