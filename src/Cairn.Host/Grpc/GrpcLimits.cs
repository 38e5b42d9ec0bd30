namespace Cairn.Host.Grpc;

/// <summary>What all calls share: limits, totals, and the moment at which the server stops.</summary>
/// <param name="messageBytesMax">Longest request message, in bytes.</param>
/// <param name="time">The clock of deadlines.</param>
/// <param name="timesCalls">Whether handling times are measured.</param>
internal sealed class GrpcLimits(int messageBytesMax, TimeProvider time, bool timesCalls = false) : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private long _receivedBytes;
    private long _sentBytes;

    /// <summary>Longest request message, in bytes.</summary>
    public int MessageBytesMax => messageBytesMax;

    /// <summary>The clock of deadlines.</summary>
    public TimeProvider Time => time;

    /// <summary>Whether handling times are measured.</summary>
    public bool TimesCalls => timesCalls;

    /// <summary>Unary calls that take longer are logged.</summary>
    public TimeSpan WarnAfter { get; init; } = TimeSpan.FromMilliseconds(300);

    /// <summary>Signalled when the server stops: streams end, unary calls are finished.</summary>
    public CancellationToken Stopping => _stopping.Token;

    /// <summary>Bytes of messages received, heads not counted.</summary>
    public long ReceivedBytes => Volatile.Read(ref _receivedBytes);

    /// <summary>Bytes of messages sent, heads not counted.</summary>
    public long SentBytes => Volatile.Read(ref _sentBytes);

    /// <summary>Counts bytes of a received message.</summary>
    public void CountReceived(long bytes) => Interlocked.Add(ref _receivedBytes, bytes);

    /// <summary>Counts bytes of a sent message.</summary>
    public void CountSent(long bytes) => Interlocked.Add(ref _sentBytes, bytes);

    /// <summary>Ends the streams.</summary>
    public void Stop() => _stopping.Cancel();

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();
}
