using Cairn.Bench.Http2;
using Cairn.Bench.Measure;

namespace Cairn.Bench.Load;

/// <summary>The clients of one connection: each makes a call, waits for its end, and makes the next. Owned by its thread.</summary>
internal sealed class LoadLoop : ILoadSink, IDisposable
{
    private readonly NanoClock _clock;
    private readonly RequestMix _mix;
    private readonly LoadConnection _connection;
    private readonly LatencyHistogram[] _latency;
    private readonly Dictionary<string, long> _failures = [];
    private readonly byte[] _request;
    private TicketOffice? _office;
    private TicketOffice.Ticket? _held;
    private int _idleClients;
    private bool _over;

    /// <summary>Connects.</summary>
    /// <param name="plan">The run.</param>
    /// <param name="number">Which connection of the run this is, from 0.</param>
    /// <param name="mix">The requests.</param>
    /// <param name="clock">The clock of the run.</param>
    public LoadLoop(LoadPlan plan, int number, RequestMix mix, NanoClock clock)
    {
        _clock = clock;
        _mix = mix;
        _request = new byte[mix.LengthMax];
        _latency = [.. Enumerable.Range(0, mix.Kinds).Select(static _ => new LatencyHistogram())];
        _idleClients = (plan.Clients / plan.Connections) + (number < plan.Clients % plan.Connections ? 1 : 0);
        _connection = LoadConnection.Open(plan.Endpoints[number % plan.Endpoints.Count], this);
    }

    /// <summary>Latencies by kind of request.</summary>
    public IReadOnlyList<LatencyHistogram> Latency => _latency;

    /// <summary>Failed calls by status and text.</summary>
    public IReadOnlyDictionary<string, long> Failures => _failures;

    /// <summary>Makes calls until no ticket is left and the last call has ended.</summary>
    /// <param name="office">Where the requests come from.</param>
    public void Run(TicketOffice office)
    {
        _office = office;
        while (true)
        {
            StartDue();
            _connection.Flush();
            if (_connection.OpenCalls == 0 && _over)
            {
                return;
            }

            if (_held is { } ticket && _idleClients > 0 && !_connection.WaitReadable(NanoClock.Span(ticket.Due - _clock.Now)))
            {
                continue;
            }

            _connection.Receive();
        }
    }

    /// <inheritdoc/>
    public void OnMessage(LoadConnection connection, LoadCall call, ReadOnlySpan<byte> message)
    {
    }

    /// <inheritdoc/>
    public void OnEnd(LoadConnection connection, LoadCall call, int status, string detail)
    {
        if (status == 0)
        {
            _latency[call.Tag].Add(_clock.Now - call.Note);
        }
        else
        {
            var failure = $"status {status}: {detail}";
            _failures[failure] = _failures.GetValueOrDefault(failure) + 1;
        }

        _idleClients++;
        StartDue();
    }

    /// <summary>Closes the connection.</summary>
    public void Dispose() => _connection.Dispose();

    private void StartDue()
    {
        while (_idleClients > 0 && !_over)
        {
            if (_held is null)
            {
                if (_office is null || !_office.TryTake(out var taken))
                {
                    _over = _office is not null;
                    return;
                }

                _held = taken;
            }

            var ticket = _held.Value;
            if (ticket.Due > _clock.Now)
            {
                return;
            }

            _held = null;
            var planned = _mix.Write(ticket.Sequence, _request, ticket.Due);
            _connection.Start(planned.Path, planned.Kind, _request.AsSpan(0, planned.Length), isLast: true).Note = ticket.Due;
            _idleClients--;
        }
    }
}
