using System.Net.Security;
using Cairn.Grpc.Calling;
using Cairn.Host.Grpc;
using Cairn.Host.Listening;
using Cairn.Host.Security;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cairn.Host.Proxy;

/// <summary>The process of <c>cairn grpc-proxy start</c>: many clients on one side, few connections and watchers on the other. It keeps nothing that the cluster has to keep.</summary>
/// <remarks>Source: etcd server/etcdmain/grpc_proxy.go.</remarks>
internal sealed class GrpcProxy(ProxyOptions options, ILoggerFactory loggers, TimeProvider time)
{
    // As in etcd.
    private static readonly TimeSpan DialMax = TimeSpan.FromSeconds(5);

    // Clients come back to another proxy; there is nothing to bring to an end.
    private static readonly TimeSpan DrainMax = TimeSpan.FromSeconds(1);

    private readonly ILogger _logger = loggers.CreateLogger(typeof(GrpcProxy).FullName ?? "");

    /// <summary>Serves until told to stop.</summary>
    /// <exception cref="IOException">An address cannot be listened on, or a file not be read.</exception>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A file holds no certificate or key that can be used.</exception>
    public async Task RunAsync(CancellationToken stopping)
    {
        SslClientAuthenticationOptions? tls = options.UpstreamTls.Load();
        TlsCredentials? shown = options.Tls.HasCertificate ? TlsCredentials.Create(options.Tls, time, _logger) : null;
        using var limits = new GrpcLimits(options.RequestBytesMax, time);
        using var upstream = new Upstream(new EndpointRing(options.Endpoints, address => Connect(address, tls), static count => System.Security.Cryptography.RandomNumberGenerator.GetInt32(count)));
        using HttpMessageInvoker http = MakeHttp(tls);
        await using var web = new WebServer(options.Web, loggers, time);
        var role = new ListenerRole(ServesGrpc: true, static stage => stage.Client);
        web.Add(options.Listen, HttpProtocols.Http1AndHttp2, role, shown);
        if (options.ListenMetrics is { } metrics)
        {
            web.Add(metrics, HttpProtocols.Http1AndHttp2, role with { ServesGrpc = false }, shown);
        }

        var registration = new Registration(upstream, options, time, _logger);
        Stage stage = Build(upstream, registration, limits, http);
        Log.ProxyListening(_logger, options.Listen.Authority);
        await web.StartAsync(new HostApplication(limits, () => stage), stopping);
        Log.ProxyReady(_logger, options.Listen.Authority, options.Endpoints);
        SystemdNotice.Send(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"), "READY=1");

        await Task.WhenAll(registration.RunAsync(stopping), SyncAsync(upstream, stopping), UntilAsync(stopping));
        limits.Stop();
        using var cut = new CancellationTokenSource(DrainMax, time);
        await web.StopAsync(cut.Token);
    }

    private static HttpMessageInvoker MakeHttp(SslClientAuthenticationOptions? tls)
    {
        var handler = new SocketsHttpHandler { ConnectTimeout = DialMax, UseProxy = false, UseCookies = false, AllowAutoRedirect = false, ActivityHeadersPropagator = null };
        handler.SslOptions = tls ?? handler.SslOptions;
        return new HttpMessageInvoker(handler);
    }

    private static async Task UntilAsync(CancellationToken stopping)
    {
        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, stopping);
        }
        catch (OperationCanceledException)
        {
            // Told to stop.
        }
    }

    private GrpcChannel Connect(Uri address, SslClientAuthenticationOptions? tls) => new(address, new GrpcChannelOptions
    {
        ConnectTimeout = DialMax,
        ProbeInterval = options.ProbeInterval > TimeSpan.Zero ? options.ProbeInterval : Timeout.InfiniteTimeSpan,
        ProbeTimeout = options.ProbeTimeout,
        ResponseBytesMax = options.AnswerBytesMax,
        Tls = tls,
        Time = time,
    });

    private Stage Build(Upstream upstream, Registration registration, GrpcLimits limits, HttpMessageInvoker http)
    {
        var (keys, cache) = (new KeyNamespace(options.Namespace), new RangeCache());
        var broadcasts = new Broadcasts(upstream, keys, time);
        var grpc = new GrpcServer(
        [
            .. new KvProxy(upstream, keys, cache).Bind().Methods,
            .. new WatchProxy(broadcasts, keys).Bind().Methods,
            .. new LeaseProxy(upstream, keys).Bind().Methods,
            .. new ClusterProxy(upstream, registration, options.AdvertiseUrl).Bind().Methods,
            .. new ServiceBinder("etcdserverpb.Maintenance")
                .Relays(upstream, "Alarm", "Status", "Defragment", "Hash", "HashKV", "MoveLeader", "Downgrade")
                .RelaysAnswers(upstream, "Snapshot").Methods,
            .. new ServiceBinder("etcdserverpb.Auth")
                .Relays(upstream, "AuthEnable", "AuthDisable", "AuthStatus", "Authenticate")
                .Relays(upstream, "UserAdd", "UserGet", "UserList", "UserDelete", "UserChangePassword", "UserGrantRole", "UserRevokeRole")
                .Relays(upstream, "RoleAdd", "RoleGet", "RoleList", "RoleDelete", "RoleGrantPermission", "RoleRevokePermission").Methods,
            .. new ServiceBinder("v3electionpb.Election")
                .Relays(upstream, "Campaign", "Proclaim", "Leader", "Resign")
                .RelaysAnswers(upstream, "Observe").Methods,
            .. new ServiceBinder("v3lockpb.Lock").Relays(upstream, "Lock", "Unlock").Methods,
        ], limits, _logger);
        var pages = new ProxyPages(upstream, grpc, cache, broadcasts, http);
        return new Stage { Grpc = grpc.ServeAsync, Client = pages.ServeAsync, Metrics = pages.ServeAsync, Peers = pages.ServeAsync };
    }

    /// <summary>Asks the cluster for its members now and then, if told to.</summary>
    private async Task SyncAsync(Upstream upstream, CancellationToken stopping)
    {
        if (options.SyncInterval <= TimeSpan.Zero)
        {
            return;
        }

        try
        {
            while (true)
            {
                await Task.Delay(options.SyncInterval, time, stopping);
                string[] urls = await ClusterProxy.UrlsAsync(upstream, DialMax, stopping);
                if (urls.Length > 0 && !urls.Select(EndpointRing.Parse).ToHashSet().SetEquals(upstream.Ring.Addresses))
                {
                    upstream.Ring.Replace(urls);
                    Log.ProxyEndpoints(_logger, urls);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Told to stop.
        }
    }
}
