using Cairn.Host.Gateway;
using Cairn.Server;
using Microsoft.AspNetCore.Http.Features;

namespace Cairn.Host.Operations;

/// <summary>The pages of HTTP: version, health, metrics; on the client port also the gateway, debug variables, CORS and the check of host names.</summary>
/// <remarks>Thread-safe. Source: etcd server/embed/serve.go and server/etcdserver/api/etcdhttp.</remarks>
internal sealed class WebPages(Node node, HealthPages health, MetricsPage metrics, AccessRules access, JsonGateway? gateway, LocalSettings settings)
{
    /// <summary>Answers on a client port.</summary>
    public async Task ServeClientAsync(IFeatureCollection features)
    {
        var exchange = new WebExchange(features);
        if (access.Refusal(exchange.Header("Host"), features.Get<ITlsConnectionFeature>() is not null) is { } refusal)
        {
            await exchange.AnswerAsync(refusal);
            return;
        }

        foreach ((string name, string value) in access.CorsHeaders(exchange.Header("Origin")))
        {
            exchange.SetHeader(name, value);
        }

        if (gateway is not null && exchange.Method != "OPTIONS" && GatewayRoutes.Covers(exchange.Path))
        {
            if (access.UsesCertificates && node.Auth.IsEnabled && await WasNamedAsync(features))
            {
                await exchange.AnswerAsync(PageAnswer.Error(400, "CommonName of client sending a request against gateway will be ignored and not used as expected"));
                return;
            }

            await (WebSocketBridge.IsAskedFor(features) ? new WebSocketBridge(gateway).ServeAsync(features) : gateway.ServeAsync(features));
            return;
        }

        await exchange.AnswerAsync(exchange.Method == "OPTIONS" ? PageAnswer.Text(200, "") : await ClientPageAsync(exchange));
    }

    /// <summary>Answers on a metrics port: metrics and health, nothing else.</summary>
    public async Task ServeMetricsAsync(IFeatureCollection features)
    {
        var exchange = new WebExchange(features);
        await exchange.AnswerAsync(await CommonPageAsync(exchange) ?? PageAnswer.NotFound());
    }

    /// <summary>Whether the client's certificate has a name that it may take for its user's: the gateway is no place for that, as it was none in etcd.</summary>
    private static async ValueTask<bool> WasNamedAsync(IFeatureCollection features) =>
        features.Get<ITlsConnectionFeature>() is { } tls
        && await tls.GetClientCertificateAsync(CancellationToken.None) is { } certificate
        && Security.CertificateNames.CommonNameOf(certificate).Length > 0;

    private async ValueTask<PageAnswer> ClientPageAsync(WebExchange exchange) => exchange.Path switch
    {
        "/version" => Version(exchange.Method),
        "/debug/vars" => exchange.Method == "GET" ? DebugVariables() : PageAnswer.OnlyGet(),
        LocalSettings.LogPath or LocalSettings.QuotaPath => await settings.AnswerAsync(exchange),
        _ => await CommonPageAsync(exchange) ?? PageAnswer.NotFound(),
    };

    private async ValueTask<PageAnswer?> CommonPageAsync(WebExchange exchange)
    {
        switch (exchange.Path)
        {
            case "/metrics":
                return metrics.Answer(exchange.Method);
            case "/health":
                return await health.HealthAsync(exchange.Method, exchange.Query, exchange.Aborted);
            case "/livez":
                return await health.ProbeAsync("livez", only: null, exchange.Method, exchange.Query, exchange.Aborted);
            case "/readyz":
                return await health.ProbeAsync("readyz", only: null, exchange.Method, exchange.Query, exchange.Aborted);
            default:
                return await OneCheckAsync(exchange);
        }
    }

    private async ValueTask<PageAnswer?> OneCheckAsync(WebExchange exchange)
    {
        string[] parts = exchange.Path.Split('/');
        IReadOnlyList<string> checks = parts is ["", "livez", _] ? HealthPages.LivezChecks : parts is ["", "readyz", _] ? HealthPages.ReadyzChecks : [];
        return checks.Contains(parts[^1]) ? await health.ProbeAsync(parts[1], parts[^1], exchange.Method, exchange.Query, exchange.Aborted) : null;
    }

    private PageAnswer Version(string method)
    {
        string cluster = node.Look().ClusterVersion ?? "not_decided";
        return method == "GET"
            ? PageAnswer.Json($$"""{"etcdserver":"{{Versions.Etcd}}","etcdcluster":"{{cluster}}","storage":"{{Versions.Storage}}"}""")
            : PageAnswer.OnlyGet();
    }

    private PageAnswer DebugVariables()
    {
        NodeStatus status = node.Look();
        string command = string.Join(',', Environment.GetCommandLineArgs().Select(static word => $"\"{System.Text.Json.JsonEncodedText.Encode(word)}\""));
        string state = status.IsLearner ? "StateLearner" : status.IsLeader ? "StateLeader" : "StateFollower";
        return new PageAnswer(200, "application/json; charset=utf-8", System.Text.Encoding.UTF8.GetBytes(
            $$"""
            {
            "cmdline": [{{command}}],
            "file_descriptor_limit": {{ProcessMetrics.DescriptorLimit()}},
            "memstats": {"Alloc":{{GC.GetTotalMemory(forceFullCollection: false)}},"Sys":{{Environment.WorkingSet}},"NumGC":{{GC.CollectionCount(0)}},"PauseTotalNs":{{(long)GC.GetTotalPauseDuration().TotalNanoseconds}}},
            "raft.status": {"id":"{{status.MemberId:x}}","term":{{status.Term}},"commit":{{status.CommittedIndex}},"applied":{{status.AppliedIndex}},"lead":"{{status.LeaderId:x}}","raftState":"{{state}}"}
            }

            """));
    }
}
