using System.Buffers;
using System.Text;
using System.Text.Json;
using Cairn.Grpc;
using Cairn.Host;
using Cairn.Host.Grpc;
using Cairn.Host.Logging;
using Cairn.Host.Operations;
using Cairn.Server;
using Microsoft.Extensions.Logging;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class OperationsTests
{
    private static readonly string[] PeerUrls = ["http://a"];

    [Fact]
    public void Samples_of_one_name_stand_together_under_one_head()
    {
        string text = PrometheusText.Write(
        [
            new("b_total", MetricKind.Counter, "Bees.", 3) { Labels = [new("kind", "a\"b\\c\nd")] },
            new("a", MetricKind.Gauge, "One.", 0.5),
            new("b_total", MetricKind.Counter, "Bees.", 4) { Labels = [new("kind", "x")] },
        ]);

        Assert.Equal(
            "# HELP b_total Bees.\n# TYPE b_total counter\nb_total{kind=\"a\\\"b\\\\c\\nd\"} 3\nb_total{kind=\"x\"} 4\n# HELP a One.\n# TYPE a gauge\na 0.5\n",
            text);
    }

    [Fact]
    public void Histograms_have_buckets_a_sum_and_a_count()
    {
        string text = PrometheusText.Write([new("h", MetricKind.Histogram, "H.", 1.5) { Buckets = [(0.001, 1), (double.PositiveInfinity, 4)] }]);

        Assert.Equal("# HELP h H.\n# TYPE h histogram\nh_bucket{le=\"0.001\"} 1\nh_bucket{le=\"+Inf\"} 4\nh_sum 1.5\nh_count 4\n", text);
    }

    [Fact]
    public void Every_method_has_a_series_for_every_code_before_it_was_ever_called()
    {
        IReadOnlyList<GrpcMethod> methods = new ServiceBinder("etcdserverpb.KV").Absent("Put", "Range").ServerStream("RangeStream", static _ => ValueTask.FromResult(GrpcStatus.Ok)).Methods;
        using var limits = new GrpcLimits(1000, TimeProvider.System);

        string text = PrometheusText.Write(GrpcMetrics.Collect(methods, limits));

        Assert.Equal(17 * methods.Count, text.Split('\n').Count(static line => line.StartsWith("grpc_server_handled_total{", StringComparison.Ordinal)));
        Assert.Contains(
            "grpc_server_handled_total{grpc_code=\"OK\",grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 0\n", text, StringComparison.Ordinal);
        Assert.Contains("grpc_server_started_total{grpc_method=\"RangeStream\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"server_stream\"} 0\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Counted_calls_show_up_with_their_code_and_time()
    {
        IReadOnlyList<GrpcMethod> methods = new ServiceBinder("etcdserverpb.KV").Absent("Put", "Range").ServerStream("RangeStream", static _ => ValueTask.FromResult(GrpcStatus.Ok)).Methods;
        MethodCounters counters = methods.Single(static method => method.Name == "Put").Counters;
        counters.CountEnd(GrpcStatusCode.NotFound);
        counters.CountTime(TimeSpan.FromMilliseconds(30));
        using var limits = new GrpcLimits(1000, TimeProvider.System, timesCalls: true);

        string text = PrometheusText.Write(GrpcMetrics.Collect(methods, limits));

        Assert.Contains("grpc_code=\"NotFound\",grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\"} 1\n", text, StringComparison.Ordinal);
        Assert.Contains("grpc_server_handling_seconds_bucket{grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\",le=\"0.025\"} 0\n", text, StringComparison.Ordinal);
        Assert.Contains("grpc_server_handling_seconds_bucket{grpc_method=\"Put\",grpc_service=\"etcdserverpb.KV\",grpc_type=\"unary\",le=\"0.05\"} 1\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Calls_are_counted_by_what_their_clients_say_of_their_version_and_no_client_can_make_more_than_so_many_series()
    {
        using var limits = new GrpcLimits(1000, TimeProvider.System);
        limits.CountRequest(streaming: false, "3.5");
        limits.CountRequest(streaming: false, "3.5");
        limits.CountRequest(streaming: true, version: null);
        for (int i = 0; i < 1000; i++)
        {
            limits.CountRequest(streaming: true, $"v{i}");
        }

        string text = PrometheusText.Write(GrpcMetrics.Collect([], limits));

        Assert.Contains("etcd_server_client_requests_total{client_api_version=\"3.5\",type=\"unary\"} 2\n", text, StringComparison.Ordinal);
        Assert.Contains("etcd_server_client_requests_total{client_api_version=\"unknown\",type=\"stream\"} 938\n", text, StringComparison.Ordinal);
        Assert.Equal(66, text.Split('\n').Count(static line => line.StartsWith("etcd_server_client_requests_total{", StringComparison.Ordinal)) + 1);
    }

    [Fact]
    public void Versions_are_digits_and_dots_and_new_enough_for_kubernetes_to_trust_reads_from_its_cache()
    {
        foreach (string version in (string[])[Versions.Etcd, Versions.Storage])
        {
            Assert.Equal(3, version.Split('.').Select(int.Parse).Count());
        }

        Assert.True(Version.Parse(Versions.Etcd) >= new Version(3, 5, 13));
    }

    [Fact]
    public void The_kernel_tells_memory_and_time_of_this_process()
    {
        Dictionary<string, double> samples = ProcessMetrics.Collect().ToDictionary(static sample => sample.Name, static sample => sample.Value);

        Assert.InRange(samples["process_resident_memory_bytes"], 1 << 20, 1L << 36);
        Assert.InRange(samples["process_start_time_seconds"], 1_600_000_000, 10_000_000_000);
        Assert.True(samples["process_open_fds"] > 2);
        Assert.True(samples["process_virtual_memory_max_bytes"] > samples["process_virtual_memory_bytes"]);
        Assert.True(samples["process_network_receive_bytes_total"] >= 0);
    }

    [Fact]
    public void A_name_belongs_to_the_first_who_gives_it()
    {
        MetricSample[] samples = [new("a", MetricKind.Gauge, "First.", 1), new("a", MetricKind.Gauge, "Second.", 2)];

        Assert.Equal(1, Assert.Single(MetricsPage.Distinct(samples)).Value);
    }

    [Theory]
    [InlineData("*", "any.example:2379", false, null)]
    [InlineData("good.example", "good.example:2379", false, null)]
    [InlineData("good.example", "evil.example", false, 421)]
    [InlineData("good.example", "evil.example", true, null)]
    [InlineData("::1", "[::1]:2379", false, null)]
    public void Plain_requests_must_name_a_host_of_the_list(string allowed, string host, bool secure, int? status) =>
        Assert.Equal(status, new AccessRules(["*"], [allowed]).Refusal(host, secure)?.Status);

    [Fact]
    public void Origins_are_all_or_those_of_the_list()
    {
        Assert.Contains(new AccessRules(["*"], ["*"]).CorsHeaders("http://a:1"), static header => header is { Key: "Access-Control-Allow-Origin", Value: "*" });
        var rules = new AccessRules(["http://a:1"], ["*"]);
        Assert.Contains(rules.CorsHeaders("http://a:1"), static header => header is { Key: "Access-Control-Allow-Origin", Value: "http://a:1" });
        Assert.Empty(rules.CorsHeaders("http://b:1"));
        Assert.Empty(rules.CorsHeaders(origin: null));
    }

    [Fact]
    public void A_log_line_is_one_object_with_the_keys_of_zap_in_their_order()
    {
        var output = new ArrayBufferWriter<byte>();
        var time = new DateTimeOffset(2024, 1, 2, 3, 4, 5, 678, TimeSpan.Zero);
        KeyValuePair<string, object?>[] fields =
            [new("MemberId", 1UL), new("peerUrls", PeerUrls), new("TTL", 5), new("ok", true), new("{OriginalFormat}", "x")];

        ZapLine.WriteJson(output, new LogEntry(LogLevel.Warning, time, "host/Launcher", "it's <ok> + done", fields, new IOException("no space")));
        string line = Encoding.UTF8.GetString(output.WrittenSpan);
        using JsonDocument parsed = JsonDocument.Parse(line);

        Assert.StartsWith(
            "{\"level\":\"warn\",\"ts\":\"2024-01-02T03:04:05.678000Z\",\"caller\":\"host/Launcher\",\"msg\":\"it's <ok> + done\"," +
            "\"member-id\":1,\"peer-urls\":[\"http://a\"],\"ttl\":5,\"ok\":true,\"error\":\"no space\"",
            line,
            StringComparison.Ordinal);
        Assert.EndsWith("}\n", line, StringComparison.Ordinal);
        Assert.Single(line.AsSpan().ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void The_level_decides_what_is_written()
    {
        using var stream = new MemoryStream();
        using var sink = new LogSink(stream);
        using var loggers = new ZapLoggerFactory(sink, TimeProvider.System, LogLevel.Warning, console: true);
        ILogger logger = loggers.CreateLogger("Cairn.Server.Node");

        logger.Log(LogLevel.Information, default, "quiet", null, static (state, _) => state);
        logger.Log(LogLevel.Warning, default, "loud", null, static (state, _) => state);

        string text = Encoding.UTF8.GetString(stream.ToArray());
        Assert.DoesNotContain("quiet", text, StringComparison.Ordinal);
        Assert.EndsWith("\twarn\tserver/Node\tloud\n", text, StringComparison.Ordinal);
    }
}
