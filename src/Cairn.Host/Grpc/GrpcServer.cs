using Cairn.Grpc;
using Cairn.Server.Requests;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Grpc;

/// <summary>Carries out the gRPC calls that arrive over HTTP/2: finds the method, runs it, turns every end into a status.</summary>
/// <remarks>Thread-safe. The table is fixed at start.</remarks>
internal sealed class GrpcServer
{
    // As many as of slow writes: what makes one call slow makes others slow.
    private const int SlowLinesPerSecondMax = 10;

    private readonly Dictionary<string, GrpcMethod> _methods;
    private readonly HashSet<string> _services;
    private readonly MethodCounters _unknown = new();
    private readonly GrpcLimits _limits;
    private readonly ILogger _logger;
    private readonly LineBudget _slowLines;

    /// <param name="methods">All methods of all served services.</param>
    /// <param name="limits">What all calls share.</param>
    /// <param name="logger">For what should not happen.</param>
    public GrpcServer(IEnumerable<GrpcMethod> methods, GrpcLimits limits, ILogger logger)
    {
        _methods = methods.ToDictionary(static method => $"/{method.Service}/{method.Name}", StringComparer.Ordinal);
        _services = _methods.Values.Select(static method => method.Service).ToHashSet(StringComparer.Ordinal);
        _limits = limits;
        _logger = logger;
        _slowLines = new LineBudget(limits.Time, SlowLinesPerSecondMax);
    }

    /// <summary>All methods, for the metrics.</summary>
    public IReadOnlyCollection<GrpcMethod> Methods => _methods.Values;

    /// <summary>What all calls share.</summary>
    public GrpcLimits Limits => _limits;

    /// <summary>Carries out one call.</summary>
    /// <param name="features">The stream.</param>
    /// <param name="path">The path: "/package.Service/Method".</param>
    /// <param name="call">An unused call object.</param>
    public async Task ServeAsync(IFeatureCollection features, string path, GrpcCall call)
    {
        if (!_methods.TryGetValue(path, out GrpcMethod? method))
        {
            call.Begin(features, _unknown, streaming: false);
            call.End(Unknown(path));
            call.Release();
            return;
        }

        long started = _limits.Time.GetTimestamp();
        method.Counters.CountStart();
        GrpcStatus status = call.Begin(features, method.Counters, method.Streaming);
        _limits.CountRequest(method.Streaming, call.Metadata("client-api-version"));
        System.Diagnostics.Activity? span = CallSpans.Begin(method, call);
        if (status.IsOk)
        {
            try
            {
                status = await method.RunAsync(call);
            }
            catch (Exception e)
            {
                // The top of a call: what went wrong in one must not end the others.
                status = StatusOf(e, method, call);
            }
        }

        call.End(status);
        call.Release();
        if (span is not null)
        {
            CallSpans.End(span, status);
        }

        method.Counters.CountEnd(status.Code);
        if (method.Streaming && !call.ReadFailure.IsOk)
        {
            method.Counters.CountBrokenStream();
        }

        TimeSpan took = _limits.Time.GetElapsedTime(started);
        if (_limits.TimesCalls)
        {
            method.Counters.CountTime(took);
        }

        if (took > _limits.WarnAfter && !method.Streaming && _slowLines.TryTake(out long leftOut))
        {
            TimeSpan send = call.AnsweredAt == 0 ? TimeSpan.Zero : _limits.Time.GetElapsedTime(call.AnsweredAt);
            Log.SlowCall(_logger, path, took, took - send, send, (int)status.Code, leftOut);
        }
    }

    /// <summary>Whether an exception only says that the client is gone, the deadline has passed or the server stops.</summary>
    public static bool IsEndOfCall(Exception e) => e is OperationCanceledException or ConnectionAbortedException or ConnectionResetException or IOException;

    private GrpcStatus StatusOf(Exception e, GrpcMethod method, GrpcCall call)
    {
        if (e is OperationCanceledException)
        {
            return call.CancelledStatus();
        }

        if (IsEndOfCall(e))
        {
            return new GrpcStatus(GrpcStatusCode.Canceled, "context canceled");
        }

        if (IsBrokenInvariant(e))
        {
            // What this process believes is wrong: to answer one more call from it could spread the damage.
            Environment.FailFast(e.Message, e);
        }

        if (Server.Node.IsDamage(e))
        {
            return new GrpcStatus(GrpcStatusCode.DataLoss, "this member's copy of what was asked for is damaged; the log names file and offset");
        }

        // The text is for the log, not for the client.
        Log.CallFailed(_logger, e, method.Service, method.Name);
        return new GrpcStatus(GrpcStatusCode.Internal, "panic in the handler of this call; see the log of the server");
    }

    /// <summary>By name: every assembly has its own copy of the type.</summary>
    private static bool IsBrokenInvariant(Exception e) => e.GetType().FullName == typeof(InvariantViolatedException).FullName;

    private GrpcStatus Unknown(string path)
    {
        int slash = path.LastIndexOf('/');
        if (slash <= 0)
        {
            return new GrpcStatus(GrpcStatusCode.Unimplemented, $"malformed method name: \"{path}\"");
        }

        string service = path[1..slash];
        return new GrpcStatus(
            GrpcStatusCode.Unimplemented,
            _services.Contains(service) ? $"unknown method {path[(slash + 1)..]} for service {service}" : $"unknown service {service}");
    }
}
