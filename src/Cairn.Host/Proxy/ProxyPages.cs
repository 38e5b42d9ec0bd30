using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Host.Grpc;
using Cairn.Host.Operations;
using Cairn.Protocol;
using Cairn.Server;
using Google.Protobuf;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Proxy;

/// <summary>The pages of the proxy: health and metrics of the cluster, as a member has them, and of the proxy itself under /proxy.</summary>
/// <remarks>Source: etcd server/proxy/grpcproxy/health.go, metrics.go.</remarks>
internal sealed class ProxyPages(Upstream upstream, GrpcServer grpc, RangeCache cache, Broadcasts broadcasts, HttpMessageInvoker http)
{
    private static readonly GrpcMethod<RangeRequest, RangeResponse> Range = new("/etcdserverpb.KV/Range", RangeResponse.Parser);
    private static readonly GrpcMethod<WatchRequest, WatchResponse> Watch = new("/etcdserverpb.Watch/Watch", WatchResponse.Parser);

    // As in etcd.
    private static readonly TimeSpan ReadWithin = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan WatchWithin = TimeSpan.FromSeconds(3);

    // Any key will do: that it can be looked up is what is asked.
    private static readonly ByteString ProbeKey = ByteString.CopyFromUtf8("a");

    /// <summary>Answers a request.</summary>
    public async Task ServeAsync(IFeatureCollection features)
    {
        var exchange = new WebExchange(features);
        await exchange.AnswerAsync(exchange.Path switch
        {
            "/metrics" or "/health" or "/proxy/metrics" or "/proxy/health" when exchange.Method != "GET" => PageAnswer.OnlyGet(),
            "/metrics" => await ClusterMetricsAsync(exchange.Aborted),
            "/health" => Health(await ReadFaultAsync(exchange.Aborted)),
            "/proxy/metrics" => OwnMetrics(),
            "/proxy/health" => Health(await ReadFaultAsync(exchange.Aborted) ?? await WatchFaultAsync(exchange.Aborted)),
            _ => PageAnswer.NotFound(),
        });
    }

    private static PageAnswer Health(string? fault) => fault is null
        ? PageAnswer.Text(200, """{"health":"true","reason":""}""")
        : PageAnswer.Error(503, $$"""{"health":"false","reason":"{{System.Text.Json.JsonEncodedText.Encode(fault)}}"}""");

    private async ValueTask<string?> ReadFaultAsync(CancellationToken cancelled)
    {
        Outcome<RangeResponse> outcome =
            await upstream.CallAsync(Range, new RangeRequest { Key = ProbeKey, KeysOnly = true }, new GrpcCallOptions { Timeout = ReadWithin, Cancelled = cancelled }, isRead: true);

        // Who may not read was still answered by a cluster that can.
        return outcome.Value is not null || outcome.Status.Code is GrpcStatusCode.PermissionDenied or GrpcStatusCode.Unauthenticated || outcome.Status.Message == "etcdserver: user name is empty"
            ? null
            : $"GET ERROR:{outcome.Status.Message}";
    }

    private async ValueTask<string?> WatchFaultAsync(CancellationToken cancelled)
    {
        await using GrpcStream<WatchRequest, WatchResponse> stream = upstream.Ring.Current.Open(Watch, new GrpcCallOptions { Timeout = WatchWithin, Cancelled = cancelled });
        try
        {
            await stream.WriteAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = ProbeKey } });
            return await stream.ReadAsync() is null ? "WATCH ENDED" : null;
        }
        catch (GrpcException e)
        {
            return e.Code == GrpcStatusCode.DeadlineExceeded ? "WATCH TIMEOUT" : $"WATCH ERROR:{e.Status.Message}";
        }
    }

    private async ValueTask<PageAnswer> ClusterMetricsAsync(CancellationToken cancelled)
    {
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, new Uri(upstream.Ring.Current.Address, "/metrics"));
            using HttpResponseMessage response = await http.SendAsync(request, cancelled);
            return new PageAnswer((int)response.StatusCode, PrometheusText.ContentType, await response.Content.ReadAsByteArrayAsync(cancelled));
        }
        catch (HttpRequestException e)
        {
            return PageAnswer.Error(502, $"the member at {upstream.Ring.Current.Address} was not reached: {e.Message}");
        }
    }

    private PageAnswer OwnMetrics()
    {
        MetricSample[] own =
        [
            new("etcd_grpc_proxy_cache_hits_total", MetricKind.Gauge, "Total number of cache hits", cache.Hits),
            new("etcd_grpc_proxy_cache_keys_total", MetricKind.Gauge, "Total number of keys/ranges cached", cache.Count),
            new("etcd_grpc_proxy_cache_misses_total", MetricKind.Gauge, "Total number of cache misses", cache.Misses),
            new("etcd_grpc_proxy_events_coalescing_total", MetricKind.Counter, "Total number of events coalescing", broadcasts.EventsSaved),
            new("etcd_grpc_proxy_watchers_coalescing_total", MetricKind.Gauge, "Total number of current watchers coalescing", broadcasts.Shared),
        ];
        string text = PrometheusText.Write([.. own, .. GrpcMetrics.Collect(grpc.Methods, grpc.Limits), .. ProcessMetrics.Collect()]);
        return new PageAnswer(200, PrometheusText.ContentType, System.Text.Encoding.UTF8.GetBytes(text));
    }
}
