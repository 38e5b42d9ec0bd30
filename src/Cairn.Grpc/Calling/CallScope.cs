namespace Cairn.Grpc.Calling;

/// <summary>When a call has to end: its deadline, the caller's cancellation, and its own disposal. One for each call.</summary>
internal sealed class CallScope : IDisposable
{
    private readonly CancellationToken _caller;
    private readonly CancellationTokenSource? _deadline;
    private readonly CancellationTokenSource _any;

    /// <summary>Starts the clock.</summary>
    /// <param name="options">The options of the call.</param>
    /// <param name="time">Where time comes from.</param>
    public CallScope(in GrpcCallOptions options, TimeProvider time)
    {
        _caller = options.Cancelled;
        if (options.Timeout is { } timeout)
        {
            _deadline = new CancellationTokenSource(timeout > TimeSpan.Zero ? timeout : TimeSpan.Zero, time);
            _any = CancellationTokenSource.CreateLinkedTokenSource(_deadline.Token, _caller);
        }
        else
        {
            _any = CancellationTokenSource.CreateLinkedTokenSource(_caller);
        }
    }

    /// <summary>Cancelled when the call has to end for any reason.</summary>
    public CancellationToken Token => _any.Token;

    /// <summary>Ends the call.</summary>
    public void Cancel() => _any.Cancel();

    /// <summary>Translates what ended the call.</summary>
    /// <param name="exception">One that <see cref="CallFailures.Concerns"/> holds for.</param>
    /// <returns>What to throw: a <see cref="GrpcException"/>, or <see cref="OperationCanceledException"/> if the caller wished the end.</returns>
    public Exception Translate(Exception exception)
    {
        bool deadlinePassed = _deadline is { IsCancellationRequested: true };
        bool ended = _any.IsCancellationRequested || (exception is OperationCanceledException && !CallFailures.IsConnectTimeout(exception));
        return ended && !deadlinePassed ? new OperationCanceledException("the call was cancelled", exception, _caller) : CallFailures.Translate(exception, deadlinePassed);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _any.Dispose();
        _deadline?.Dispose();
    }
}
