using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Server;

namespace Cairn.Host.Operations;

/// <summary>What was counted of the gRPC calls, under the names of Go's Prometheus interceptor. Every series exists from the start.</summary>
internal static class GrpcMetrics
{
    /// <summary>Reads all counters.</summary>
    public static IEnumerable<MetricSample> Collect(IReadOnlyCollection<GrpcMethod> methods, GrpcLimits limits)
    {
        yield return new("etcd_network_client_grpc_received_bytes_total", MetricKind.Counter, "The total number of bytes received from grpc clients.", limits.ReceivedBytes);
        yield return new("etcd_network_client_grpc_sent_bytes_total", MetricKind.Counter, "The total number of bytes sent to grpc clients.", limits.SentBytes);
        foreach ((bool streaming, string version, long count) in limits.Requests())
        {
            yield return new("etcd_server_client_requests_total", MetricKind.Counter, "The total number of client requests per client version.", count)
            {
                Labels = [new("client_api_version", version), new("type", streaming ? "stream" : "unary")],
            };
        }

        foreach (GrpcMethod method in methods.Where(static method => method.Counters.BrokenStreams > 0))
        {
            yield return new("etcd_network_server_stream_failures_total", MetricKind.Counter, "The total number of stream failures from the local server.", method.Counters.BrokenStreams)
            {
                Labels = [new("API", method.Name == "LeaseKeepAlive" ? "lease-keepalive" : method.Name.ToLowerInvariant()), new("Type", "receive")],
            };
        }

        // As in etcd, locks and elections are counted once they are used.
        methods = [.. methods.Where(static method => method.Counters.Started > 0 || method.Service is not ("v3lockpb.Lock" or "v3electionpb.Election"))];
        foreach (MetricSample sample in methods.SelectMany(Handled).Concat(methods.SelectMany(Messages)))
        {
            yield return sample;
        }

        foreach (GrpcMethod method in limits.TimesCalls ? methods : [])
        {
            yield return Handling(method);
        }
    }

    private static IEnumerable<MetricSample> Handled(GrpcMethod method) => Enum.GetValues<GrpcStatusCode>().Select(code => new MetricSample(
        "grpc_server_handled_total",
        MetricKind.Counter,
        "Total number of RPCs completed on the server, regardless of success or failure.",
        method.Counters.Handled(code))
    {
        Labels = [new("grpc_code", code == GrpcStatusCode.Ok ? "OK" : code.ToString()), .. Labels(method)],
    });

    private static IEnumerable<MetricSample> Messages(GrpcMethod method) =>
    [
        new("grpc_server_msg_received_total", MetricKind.Counter, "Total number of RPC stream messages received on the server.", method.Counters.Received) { Labels = Labels(method) },
        new("grpc_server_msg_sent_total", MetricKind.Counter, "Total number of gRPC stream messages sent by the server.", method.Counters.Sent) { Labels = Labels(method) },
        new("grpc_server_started_total", MetricKind.Counter, "Total number of RPCs started on the server.", method.Counters.Started) { Labels = Labels(method) },
    ];

    private static MetricSample Handling(GrpcMethod method)
    {
        var buckets = new List<(double, long)>();
        long cumulative = 0;
        for (int i = 0; i <= MethodCounters.HandlingBounds.Length; i++)
        {
            cumulative += method.Counters.HandledWithin(i);
            buckets.Add((i < MethodCounters.HandlingBounds.Length ? MethodCounters.HandlingBounds[i] : double.PositiveInfinity, cumulative));
        }

        return new(
            "grpc_server_handling_seconds",
            MetricKind.Histogram,
            "Histogram of response latency (seconds) of gRPC that had been application-level handled by the server.",
            method.Counters.HandlingSeconds)
        {
            Labels = Labels(method),
            Buckets = buckets,
        };
    }

    private static KeyValuePair<string, string>[] Labels(GrpcMethod method) =>
        [new("grpc_method", method.Name), new("grpc_service", method.Service), new("grpc_type", method.Kind)];
}
