using System.Diagnostics;
using Cairn.Grpc;

namespace Cairn.Host.Grpc;

/// <summary>A span for each call, if somebody listens: named and described as Go's interceptor does it. Costs a comparison otherwise.</summary>
/// <remarks>Source: OpenTelemetry, semantic conventions of RPC; W3C Trace Context.</remarks>
internal static class CallSpans
{
    /// <summary>The name under which spans are listened to.</summary>
    public const string SourceName = "cairn.grpc";

    private static readonly ActivitySource Source = new(SourceName);

    /// <summary>Begins the span of a call, below that of its client if the call names it.</summary>
    /// <returns>The span; null if nobody wants it.</returns>
    public static Activity? Begin(GrpcMethod method, GrpcCall call)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        ActivityContext.TryParse(call.Metadata("traceparent"), call.Metadata("tracestate"), isRemote: true, out ActivityContext client);
        Activity? span = Source.StartActivity($"{method.Service}/{method.Name}", ActivityKind.Server, client);
        span?.SetTag("rpc.system", "grpc").SetTag("rpc.service", method.Service).SetTag("rpc.method", method.Name);
        return span;
    }

    /// <summary>Ends the span.</summary>
    public static void End(Activity span, GrpcStatus status)
    {
        span.SetTag("rpc.grpc.status_code", (int)status.Code);
        if (!status.IsOk)
        {
            span.SetStatus(ActivityStatusCode.Error, status.Message);
        }

        span.Dispose();
    }
}
