using System.Globalization;
using System.Text.Json;
using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Metrics;

/// <summary>
/// A real Prometheus scrapes a cluster under load: what dashboards and alerts of etcd ask for is there, and no alert about the state of the cluster would fire.
/// Thresholds of time are not judged, since the machine may be busy; that there is something to judge is.
/// </summary>
/// <remarks>Source of the queries: etcd contrib/mixin/mixin.libsonnet.</remarks>
public sealed class PrometheusTests(ITestOutputHelper output)
{
    private const string Configuration = """
        global: { scrape_interval: 2s, scrape_timeout: 2s }
        scrape_configs:
          - job_name: etcd
            static_configs: [{ targets: [TARGETS] }]
        """;

    private static readonly string[] Dashboard =
    [
        "sum(etcd_server_has_leader{job='etcd'})",
        "sum(rate(grpc_server_started_total{job='etcd',grpc_type='unary'}[5m]))",
        "sum(rate(grpc_server_handled_total{job='etcd',grpc_type='unary',grpc_code!='OK'}[5m]))",
        "sum(grpc_server_started_total{grpc_service='etcdserverpb.Watch',grpc_type='bidi_stream'}) - sum(grpc_server_handled_total{grpc_service='etcdserverpb.Watch',grpc_type='bidi_stream'}) > 0",
        "sum(grpc_server_started_total{grpc_service='etcdserverpb.Lease',grpc_type='bidi_stream'}) - sum(grpc_server_handled_total{grpc_service='etcdserverpb.Lease',grpc_type='bidi_stream'}) > 0",
        "etcd_mvcc_db_total_size_in_bytes{job='etcd'}",
        "histogram_quantile(0.99, sum(rate(etcd_disk_wal_fsync_duration_seconds_bucket{job='etcd'}[5m])) by (instance, le))",
        "histogram_quantile(0.99, sum(rate(etcd_disk_backend_commit_duration_seconds_bucket{job='etcd'}[5m])) by (instance, le))",
        "process_resident_memory_bytes{job='etcd'}",
        "rate(etcd_network_client_grpc_received_bytes_total{job='etcd'}[5m])",
        "rate(etcd_network_client_grpc_sent_bytes_total{job='etcd'}[5m])",
        "sum(rate(etcd_network_peer_received_bytes_total{job='etcd'}[5m])) by (instance) > 0",
        "sum(rate(etcd_network_peer_sent_bytes_total{job='etcd'}[5m])) by (instance) > 0",
        "sum(rate(etcd_server_proposals_failed_total{job='etcd'}[5m]))",
        "sum(etcd_server_proposals_pending{job='etcd'})",
        "sum(rate(etcd_server_proposals_committed_total{job='etcd'}[5m])) > 0",
        "sum(rate(etcd_server_proposals_applied_total{job='etcd'}[5m])) > 0",
        "changes(etcd_server_leader_changes_seen_total{job='etcd'}[1d])",
        "histogram_quantile(0.99, sum by (instance, le) (rate(etcd_network_peer_round_trip_time_seconds_bucket{job='etcd'}[5m])))",

        // What the alerts about time compare with their thresholds.
        "histogram_quantile(0.99, sum(rate(grpc_server_handling_seconds_bucket{job='etcd',grpc_type='unary'}[5m])) without (grpc_type))",
        "100 * sum(rate(grpc_server_handled_total{job='etcd',grpc_code!='OK'}[5m])) without (grpc_type, grpc_code) / sum(rate(grpc_server_handled_total{job='etcd'}[5m])) without (grpc_type, grpc_code)",
        "etcd_mvcc_db_total_size_in_bytes / etcd_server_quota_backend_bytes * 100",
        "histogram_quantile(0.99, rate(etcd_network_peer_round_trip_time_seconds_bucket{job='etcd'}[5m]))",
        "rate(etcd_network_peer_sent_failures_total{job='etcd'}[5m])",
        "predict_linear(etcd_mvcc_db_total_size_in_bytes{job='etcd'}[4h], 4*60*60)",
    ];

    private static readonly string[] Alerts =
    [
        "max without (endpoint) (sum without (instance) (up{job='etcd'} == bool 0) or count without (To) (sum without (instance) (rate(etcd_network_peer_sent_failures_total{job='etcd'}[120s])) > 0.01)) > 0",
        "sum(up{job='etcd'} == bool 1) without (instance) < ((count(up{job='etcd'}) without (instance) + 1) / 2)",
        "etcd_server_has_leader{job='etcd'} == 0",
        "increase((max without (instance) (etcd_server_leader_changes_seen_total{job='etcd'}) or 0 * absent(etcd_server_leader_changes_seen_total{job='etcd'}))[15m:1m]) >= 4",
        "100 * sum(rate(grpc_server_handled_total{job='etcd',grpc_code!='OK'}[5m])) without (grpc_type, grpc_code) "
            + "/ sum(rate(grpc_server_handled_total{job='etcd'}[5m])) without (grpc_type, grpc_code) > 5",
        "rate(etcd_server_proposals_failed_total{job='etcd'}[15m]) > 5",
        "etcd_mvcc_db_total_size_in_bytes / etcd_server_quota_backend_bytes * 100 > 95",
        "increase((etcd_mvcc_db_total_size_in_bytes / etcd_server_quota_backend_bytes * 100)[240m:1m]) > 50",
        "etcd_mvcc_db_total_size_in_use_in_bytes / etcd_mvcc_db_total_size_in_bytes < 0.5 and etcd_mvcc_db_total_size_in_use_in_bytes{job='etcd'} > 104857600",
    ];

    [Fact]
    public async Task Dashboards_find_their_data_and_no_alert_fires()
    {
        var program = Path();
        await using var cluster = LocalCluster.Prepare();
        foreach (var member in cluster.Members)
        {
            member.Flags = ["--metrics", "extensive", "--snapshot-count", "100"]; // A dashboard shows how long states take, so some must be written.
        }

        await cluster.LaunchAsync(cluster.Members);
        using var directory = new ScratchDirectory();
        var port = Ports.Free(1)[0];
        var file = directory["prometheus.yml"];
        await File.WriteAllTextAsync(file, Configuration.Replace("TARGETS", string.Join(", ", cluster.Members.Select(static member => $"'{member.Endpoint}'")), StringComparison.Ordinal));
        await using var prometheus = ProgramRun.Start(program, ["--config.file", file, "--storage.tsdb.path", directory["data"], "--web.listen-address", $"127.0.0.1:{port}"]);
        await prometheus.LineAsync(static line => line.Contains("Server is ready to receive web requests", StringComparison.Ordinal));
        using var http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}") };

        using var ending = new CancellationTokenSource();
        var load = LoadAsync(cluster, ending.Token);
        foreach (var query in Dashboard)
        {
            var count = 0;
            await LocalCluster.UntilAsync(async () => (count = await CountAsync(http, query)) > 0);
            output.WriteLine($"{count,4} series: {query}");
        }

        foreach (var alert in Alerts)
        {
            await LocalCluster.UntilAsync(async () => await CountAsync(http, alert) == 0, () => alert);
        }

        await ending.CancelAsync();
        await load;
    }

    private static string Path()
    {
        var found = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(static directory => System.IO.Path.Combine(directory, "prometheus")).FirstOrDefault(File.Exists);
        Assert.SkipUnless(found is not null, "prometheus is not installed; .ci/install-prometheus installs it");
        return found;
    }

    /// <summary>Writes and reads, a watch and a lease that is kept alive at each member, until told to end.</summary>
    private static async Task LoadAsync(LocalCluster cluster, CancellationToken ending)
    {
        await Task.WhenAll(cluster.Members.Select(async member =>
        {
            await using var client = member.Connect();
            await using var watcher = client.Watch.Open(KeyRange.Prefix("load/"));
            await watcher.CreatedAsync(CancellationToken.None);
            var lease = await client.Lease.GrantAsync(60, cancelled: CancellationToken.None);
            await using var keeper = client.Lease.KeepAlive(lease.ID, 60);
            for (var i = 0; !ending.IsCancellationRequested; i++)
            {
                await client.Kv.PutAsync($"load/{member.Name}/{i % 100}", "value", cancelled: CancellationToken.None);
                await client.Kv.GetAsync($"load/{member.Name}/{i % 100}", cancelled: CancellationToken.None);
            }
        }));
    }

    /// <summary>How many series a query returns with a number in them.</summary>
    private static async Task<int> CountAsync(HttpClient http, string query)
    {
        using var answer = JsonDocument.Parse(await http.GetStringAsync($"/api/v1/query?query={Uri.EscapeDataString(query)}"));
        return answer.RootElement.GetProperty("data").GetProperty("result").EnumerateArray()
            .Count(static series => double.TryParse(series.GetProperty("value")[1].GetString(), CultureInfo.InvariantCulture, out var value) && !double.IsNaN(value));
    }
}
