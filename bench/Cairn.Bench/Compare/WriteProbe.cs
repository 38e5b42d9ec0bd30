using System.Net;
using Cairn.Bench.Http2;
using Cairn.Bench.Load;
using Cairn.Bench.Measure;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Bench.Compare;

/// <summary>Sends a small put to one member after another, each few milliseconds, whether or not the last was answered, and says when one is acknowledged. Owned by one thread.</summary>
internal sealed class WriteProbe : ILoadSink, IDisposable
{
    // Fine enough for a fail-over of 100 ms, and no load.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(5);

    private readonly NanoClock _clock;
    private readonly List<LoadConnection> _connections;
    private readonly byte[] _request = new PutRequest { Key = ByteString.CopyFromUtf8("probe"), Value = ByteString.CopyFromUtf8("1") }.ToByteArray();
    private long _countsFrom;
    private long _acknowledged;

    /// <summary>Connects.</summary>
    /// <param name="endPoints">The members that are asked.</param>
    /// <param name="clock">The clock.</param>
    public WriteProbe(IEnumerable<IPEndPoint> endPoints, NanoClock clock)
    {
        _clock = clock;
        _connections = [.. endPoints.Select(endPoint => LoadConnection.Open(endPoint, this))];
    }

    /// <summary>Waits for a put that was both sent and acknowledged after a moment.</summary>
    /// <param name="moment">The moment, of the clock.</param>
    /// <param name="patience">How long to try.</param>
    /// <returns>How long after the moment the first of them was acknowledged.</returns>
    /// <exception cref="IOException">None was.</exception>
    public TimeSpan FirstAfter(long moment, TimeSpan patience)
    {
        _countsFrom = moment;
        _acknowledged = 0;
        for (var next = 0; NanoClock.Span(_clock.Now - moment) < patience; next = (next + 1) % _connections.Count)
        {
            _connections[next].Start(Paths.Put, 0, _request, isLast: true).Note = _clock.Now;
            _connections.ForEach(static connection => connection.Flush());
            var until = _clock.Now + (Interval.Ticks * TimeSpan.NanosecondsPerTick);
            do
            {
                ReceiveUntil(until);
                if (_acknowledged != 0)
                {
                    return NanoClock.Span(_acknowledged - moment);
                }
            }
            while (_clock.Now < until);
        }

        throw new IOException($"no put was acknowledged within {patience}");
    }

    /// <inheritdoc/>
    public void OnMessage(LoadConnection connection, LoadCall call, ReadOnlySpan<byte> message)
    {
    }

    /// <inheritdoc/>
    public void OnEnd(LoadConnection connection, LoadCall call, int status, string detail)
    {
        if (status == 0 && call.Note >= _countsFrom && _acknowledged == 0)
        {
            _acknowledged = _clock.Now;
        }
    }

    /// <summary>Closes the connections.</summary>
    public void Dispose() => _connections.ForEach(static connection => connection.Dispose());

    // The connections take turns of a share of the time: there is no more than a handful.
    private void ReceiveUntil(long until)
    {
        foreach (var connection in _connections)
        {
            var share = NanoClock.Span((until - _clock.Now) / _connections.Count);
            if (connection.OpenCalls > 0 && connection.WaitReadable(share < Interval ? share : Interval))
            {
                connection.Receive();
            }
        }
    }
}
