using System.Collections.Concurrent;
using System.Runtime.CompilerServices;

namespace Cairn.Host.Grpc;

/// <summary>What all calls share: limits, totals, and the moment at which the server stops.</summary>
/// <param name="messageBytesMax">Longest request message, in bytes.</param>
/// <param name="time">The clock of deadlines.</param>
/// <param name="timesCalls">Whether handling times are measured.</param>
internal sealed class GrpcLimits(int messageBytesMax, TimeProvider time, bool timesCalls = false) : IDisposable
{
    // More versions of clients than these are not in use anywhere; what follows is counted as unknown.
    private const int VersionsMax = 64;

    private const string UnknownVersion = "unknown";

    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<string, StrongBox<long>> _unary = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, StrongBox<long>> _streams = new(StringComparer.Ordinal);
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

    /// <summary>Counts a call by what its client says of its version. There may be only so many versions: clients can say anything.</summary>
    /// <param name="streaming">Whether a side streams.</param>
    /// <param name="version">What the client said; null for nothing.</param>
    public void CountRequest(bool streaming, string? version)
    {
        ConcurrentDictionary<string, StrongBox<long>> counts = streaming ? _streams : _unary;
        if (version is null || !counts.TryGetValue(version, out StrongBox<long>? count))
        {
            count = counts.GetOrAdd(version is null || counts.Count >= VersionsMax ? UnknownVersion : version, static _ => new StrongBox<long>());
        }

        Interlocked.Increment(ref count.Value);
    }

    /// <summary>What was counted of calls.</summary>
    /// <returns>Whether a side streams, the version, the count.</returns>
    public IEnumerable<(bool Streaming, string Version, long Count)> Requests() =>
    [
        .. _streams.OrderBy(static pair => pair.Key, StringComparer.Ordinal).Select(static pair => (true, pair.Key, Volatile.Read(ref pair.Value.Value))),
        .. _unary.OrderBy(static pair => pair.Key, StringComparer.Ordinal).Select(static pair => (false, pair.Key, Volatile.Read(ref pair.Value.Value))),
    ];

    /// <summary>Ends the streams.</summary>
    public void Stop() => _stopping.Cancel();

    /// <inheritdoc/>
    public void Dispose() => _stopping.Dispose();
}
