using Cairn.Host.Api;
using Cairn.Host.Flags;
using Cairn.Host.Grpc;
using Cairn.Host.Security;
using Cairn.Server;

namespace Cairn.Host.Operations;

/// <summary>/metrics: what the node, the gRPC server, the health pages and the process count, under etcd's names.</summary>
internal sealed class MetricsPage(Node node, GrpcServer grpc, HealthPages health, CertificateExpiry certificates)
{
    /// <summary>What can be switched in etcd, and what of it is in force.</summary>
    public IReadOnlyList<FeatureGate> Features { get; init; } = [];

    /// <summary>Answers /metrics.</summary>
    public PageAnswer Answer(string method)
    {
        if (method != "GET")
        {
            return PageAnswer.OnlyGet();
        }

        string text = PrometheusText.Write(Distinct([.. node.CollectMetrics(), .. Versioned(), .. Switched(), .. Health(), .. GrpcMetrics.Collect(grpc.Methods, grpc.Limits), .. ProcessMetrics.Collect(), .. certificates.Collect()]));
        return new PageAnswer(200, PrometheusText.ContentType, System.Text.Encoding.UTF8.GetBytes(text));
    }

    /// <summary>A family belongs to the first who names it: a name must not appear with two meanings.</summary>
    internal static IEnumerable<MetricSample> Distinct(IReadOnlyList<MetricSample> samples)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (MetricSample sample in samples)
        {
            if (seen.Add($"{sample.Name}|{string.Join('|', sample.Labels)}"))
            {
                yield return sample;
            }
        }
    }

    private IEnumerable<MetricSample> Versioned()
    {
        yield return new("etcd_server_version", MetricKind.Gauge, "Which version is running. 1 for 'server_version' label with current version.", 1) { Labels = [new("server_version", Versions.Etcd)] };
        yield return new("etcd_server_go_version", MetricKind.Gauge, "Which runtime the server is running with. 1 for 'server_go_version' label with current version.", 1)
        {
            Labels = [new("server_go_version", System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription)],
        };
        if (node.Look().ClusterVersion is { } version)
        {
            yield return new("etcd_cluster_version", MetricKind.Gauge, "Which version is running. 1 for 'cluster_version' label with current cluster version", 1)
            {
                Labels = [new("cluster_version", string.Join('.', version.Split('.').Take(2)))],
            };
        }
    }

    private IEnumerable<MetricSample> Switched() =>
    [
        .. Features.Select(static feature => new MetricSample("etcd_server_feature_enabled", MetricKind.Gauge, "Whether or not a feature is enabled. 1 is enabled, 0 is not.", feature.IsEnabled ? 1 : 0)
        {
            Labels = [new("name", feature.Name), new("stage", feature.Stage)],
        }),
        .. node.RefusedPromotions.Select(static refused => new MetricSample(
            "etcd_server_learner_promote_failures",
            MetricKind.Counter,
            "The total number of failed learner promotions (likely learner not ready) while this member is leader.",
            refused.Value)
        {
            Labels = [new("Reason", EtcdErrors.StatusOf(refused.Key).Message)],
        }),
    ];

    private IEnumerable<MetricSample> Health()
    {
        yield return new("etcd_server_health_success", MetricKind.Counter, "The total number of successful health checks", health.Successes);
        yield return new("etcd_server_health_failures", MetricKind.Counter, "The total number of failed health checks", health.Failures);
        foreach (((string type, string name), bool passed) in health.Results)
        {
            yield return new("etcd_server_healthcheck", MetricKind.Gauge, "The result of each kind of healthcheck.", passed ? 1 : 0) { Labels = [new("name", name), new("type", type)] };
        }

        foreach (((string type, string name, string status), long count) in health.Checks)
        {
            yield return new("etcd_server_healthchecks_total", MetricKind.Counter, "The total number of each kind of healthcheck.", count)
            {
                Labels = [new("name", name), new("status", status), new("type", type)],
            };
        }
    }
}
