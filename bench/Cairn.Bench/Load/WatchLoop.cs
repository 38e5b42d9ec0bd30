using Cairn.Bench.Http2;
using Cairn.Bench.Measure;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Bench.Load;

/// <summary>The watchers of one connection. Owned by its thread.</summary>
internal sealed class WatchLoop : ILoadSink, IDisposable
{
    // How long a thread sleeps before it looks whether the run is over.
    private static readonly TimeSpan Glance = TimeSpan.FromMilliseconds(20);

    private readonly NanoClock _clock;
    private readonly LoadConnection _connection;
    private readonly Action<long> _onStamp;
    private int _created;
    private long _events;

    /// <summary>Connects and creates all watchers of the connection.</summary>
    /// <param name="plan">The run.</param>
    /// <param name="number">Which connection this is, from 0.</param>
    /// <param name="keys">The keys that are watched.</param>
    /// <param name="clock">The clock of the run.</param>
    /// <exception cref="IOException">A watcher was refused.</exception>
    public WatchLoop(WatchPlan plan, int number, KeySpace keys, NanoClock clock)
    {
        _clock = clock;
        _onStamp = stamp => Latency.Add(_clock.Now - stamp);
        _connection = LoadConnection.Open(plan.Endpoints[number % plan.Endpoints.Count], this);
        var wanted = 0;
        for (var stream = number; stream < plan.Streams; stream += plan.Connections)
        {
            wanted += CreateWatchers(plan, stream, keys);
        }

        while (_created < wanted)
        {
            _connection.Flush();
            _connection.Receive();
        }
    }

    /// <summary>From when a put was due to the arrival of its event.</summary>
    public LatencyHistogram Latency { get; } = new();

    /// <summary>Events that arrived so far. Any thread.</summary>
    public long Events => Volatile.Read(ref _events);

    /// <summary>When the last event arrived, on the clock of the run.</summary>
    public long LastEvent { get; private set; }

    /// <summary>Receives until the run is over.</summary>
    /// <param name="over">Set by whoever sees that all events have arrived.</param>
    public void Run(CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            if (_connection.WaitReadable(Glance))
            {
                _connection.Receive();
                _connection.Flush();
            }
        }
    }

    /// <inheritdoc/>
    public void OnMessage(LoadConnection connection, LoadCall call, ReadOnlySpan<byte> message)
    {
        var summary = WatchEvents.Read(message, _onStamp);
        if (summary.Canceled)
        {
            throw new IOException($"a watcher was cancelled: {WatchResponse.Parser.ParseFrom(message)}");
        }

        _created += summary.Created ? 1 : 0;
        if (summary.Events > 0)
        {
            Volatile.Write(ref _events, _events + summary.Events);
            LastEvent = _clock.Now;
        }
    }

    /// <inheritdoc/>
    public void OnEnd(LoadConnection connection, LoadCall call, int status, string detail) =>
        throw new IOException($"a watch stream ended, status {status}: {detail}");

    /// <summary>Closes the connection.</summary>
    public void Dispose() => _connection.Dispose();

    private int CreateWatchers(WatchPlan plan, int stream, KeySpace keys)
    {
        var key = new byte[keys.KeySize];
        LoadCall? call = null;
        for (var i = 0; i < plan.WatchersPerStream; i++)
        {
            keys.Write(((long)stream * plan.WatchersPerStream) + i, key);
            var create = new WatchCreateRequest { Key = ByteString.CopyFrom(key), PrevKv = plan.PreviousValue };
            var message = new WatchRequest { CreateRequest = create }.ToByteArray();
            if (call is null)
            {
                call = _connection.Start(Paths.Watch, stream, message, isLast: false);
            }
            else
            {
                _connection.Send(call, message, isLast: false);
            }
        }

        return plan.WatchersPerStream;
    }
}
