using Cairn.Grpc.Calling;

namespace Cairn.Client.Calls;

/// <summary>The time that all attempts of a call share.</summary>
internal readonly struct Deadline
{
    private readonly TimeProvider _time;
    private readonly TimeSpan? _timeout;
    private readonly long _start;

    /// <summary>Starts now.</summary>
    /// <param name="timeout">How long, or null for ever.</param>
    /// <param name="time">Where time comes from.</param>
    public Deadline(TimeSpan? timeout, TimeProvider time)
    {
        _time = time;
        _timeout = timeout;
        _start = time.GetTimestamp();
    }

    /// <summary>What is left, or null for ever.</summary>
    public TimeSpan? Left => _timeout - _time.GetElapsedTime(_start);

    /// <summary>Whether nothing is left.</summary>
    public bool HasPassed => Left <= TimeSpan.Zero;

    /// <summary>Waits for something, but not beyond the deadline.</summary>
    /// <param name="wait">Starts the wait.</param>
    /// <param name="failure">Why there is a wait; what the caller gets if the deadline passes in it.</param>
    /// <param name="cancelled">The caller's cancellation.</param>
    /// <exception cref="ClientException">The deadline passed.</exception>
    public async Task WaitAsync(Func<CancellationToken, Task> wait, GrpcException failure, CancellationToken cancelled)
    {
        if (Left is not { } left)
        {
            await wait(cancelled).ConfigureAwait(false);
            return;
        }

        using var passed = new CancellationTokenSource(left > TimeSpan.Zero ? left : TimeSpan.Zero, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(passed.Token, cancelled);
        try
        {
            await wait(either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancelled.IsCancellationRequested)
        {
            throw new ClientException(failure);
        }
    }
}
