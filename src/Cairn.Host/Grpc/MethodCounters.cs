using Cairn.Grpc;

namespace Cairn.Host.Grpc;

/// <summary>What was counted of one method. Thread-safe.</summary>
internal sealed class MethodCounters
{
    /// <summary>Upper bounds of the handling time, in seconds, that the Prometheus interceptor of Go's gRPC uses by default.</summary>
    public static readonly double[] HandlingBounds = [.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10];

    private readonly long[] _handled = new long[(int)GrpcStatusCode.Unauthenticated + 1];
    private readonly long[] _handling = new long[HandlingBounds.Length + 1];
    private long _started;
    private long _received;
    private long _sent;
    private long _handlingMicroseconds;
    private long _brokenStreams;

    /// <summary>Calls started.</summary>
    public long Started => Volatile.Read(ref _started);

    /// <summary>Messages received.</summary>
    public long Received => Volatile.Read(ref _received);

    /// <summary>Messages sent.</summary>
    public long Sent => Volatile.Read(ref _sent);

    /// <summary>Sum of the handling times, in seconds.</summary>
    public double HandlingSeconds => Volatile.Read(ref _handlingMicroseconds) / 1e6;

    /// <summary>Calls that ended with a code.</summary>
    public long Handled(GrpcStatusCode code) => Volatile.Read(ref _handled[(int)code]);

    /// <summary>Calls whose handling time fell between the bound before and this one; the last place has those beyond all bounds.</summary>
    public long HandledWithin(int bound) => Volatile.Read(ref _handling[bound]);

    /// <summary>Streams whose client sent what could not be read.</summary>
    public long BrokenStreams => Volatile.Read(ref _brokenStreams);

    /// <summary>Counts a stream whose client sent what could not be read.</summary>
    public void CountBrokenStream() => Interlocked.Increment(ref _brokenStreams);

    /// <summary>Counts a call that started.</summary>
    public void CountStart() => Interlocked.Increment(ref _started);

    /// <summary>Counts a message received.</summary>
    public void CountReceived() => Interlocked.Increment(ref _received);

    /// <summary>Counts a message sent.</summary>
    public void CountSent() => Interlocked.Increment(ref _sent);

    /// <summary>Counts a call that ended.</summary>
    public void CountEnd(GrpcStatusCode code) => Interlocked.Increment(ref _handled[(int)code]);

    /// <summary>Counts how long a call took.</summary>
    public void CountTime(TimeSpan handling)
    {
        int bound = 0;
        while (bound < HandlingBounds.Length && handling.TotalSeconds > HandlingBounds[bound])
        {
            bound++;
        }

        Interlocked.Increment(ref _handling[bound]);
        Interlocked.Add(ref _handlingMicroseconds, (long)handling.TotalMicroseconds);
    }
}
