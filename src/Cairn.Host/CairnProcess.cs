using System.Runtime.InteropServices;
using Cairn.Host.Api;
using Cairn.Host.Api.Recipes;
using Cairn.Host.Flags;
using Cairn.Host.Gateway;
using Cairn.Host.Grpc;
using Cairn.Host.Listening;
using Cairn.Host.Logging;
using Cairn.Host.Operations;
using Cairn.Host.Peers;
using Cairn.Host.Security;
using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Peers;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Cairn.Host;

/// <summary>One server from start to stop: opens the node, binds the listeners, serves until told to stop, and leaves nothing half done.</summary>
internal sealed class CairnProcess(ProcessOptions options, ZapLoggerFactory loggers, TimeProvider time)
{
    // Client messages may exceed the largest proposal by the overhead that etcd allows for.
    private const int GrpcOverheadBytes = 512 * 1024;

    // As in etcd: a dial may take this and an election timeout.
    private static readonly TimeSpan DialMin = TimeSpan.FromSeconds(1);

    // Calls in flight end within the node's own request timeout; clients that will not let go are cut after this.
    private static readonly TimeSpan DrainMax = TimeSpan.FromSeconds(3);

    // How long a new key may lie in its file before it is used.
    private static readonly TimeSpan KeyPeriod = TimeSpan.FromSeconds(5);

    // Set before any listener is bound.
    private volatile Stage _stage = null!;
    private readonly ILogger _logger = loggers.CreateLogger(typeof(CairnProcess).FullName ?? "");

    /// <summary>Runs until a signal or until the node stops by itself.</summary>
    /// <returns>The exit status.</returns>
    public async Task<int> RunAsync()
    {
        var signalled = new TaskCompletionSource<PosixSignal>(TaskCreationOptions.RunContinuationsAsynchronously);
        using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context => Take(context, signalled));
        using PosixSignalRegistration interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, context => Take(context, signalled));
        using IDisposable? tracing = options.Tracing is null ? null : Tracing.Start(options.Tracing);
        try
        {
            int? status;
            do
            {
                status = await RunOnceAsync(signalled.Task);
            }
            while (status is null);
            return status.Value;
        }
        catch (OperationCanceledException) when (signalled.Task.IsCompleted)
        {
            return 0;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or System.Security.Cryptography.CryptographicException or FlagException or StartRefusedException)
        {
            Log.StartFailed(_logger, e.Message);
            return 1;
        }
    }

    /// <summary>Opens the data directory and serves.</summary>
    /// <param name="signalled">Completes with a signal.</param>
    /// <returns>The exit status; null if the directory is to be opened again, because its member was removed and may come back, or is to fetch its store again.</returns>
    private async Task<int?> RunOnceAsync(Task<PosixSignal> signalled)
    {
        var tls = TlsSides.Load(options, time, _logger);
        var expiry = CertificateExpiry.Of(tls, time, _logger);
        using ITimer expiryTimer = time.CreateTimer(_ => expiry.Look(), null, TimeSpan.Zero, CertificateExpiry.Period);
        var reception = new Reception();
        _stage = new WaitingPages(reception).Stage;
        using var search = new CancellationTokenSource();
        using var http = new PeerHttp(DialMin + options.Node.ElectionTimeout, tls.Peers);
        using var limits = new GrpcLimits(options.RequestBytesMax + GrpcOverheadBytes, time, options.ExtensiveMetrics) { WarnAfter = options.WarnCallAfter };
        await using var web = new WebServer(options.Web, loggers, time);
        AddListeners(web, tls);
        var links = new PeerLinks();
        TokenKeys? keys = options.Token.IsJwt ? TokenKeys.Create(options.Token, _logger) : null;
        using ITimer? keyTimer = keys is null ? null : time.CreateTimer(_ => keys.Refresh(), null, KeyPeriod, KeyPeriod);
        NodeOptions told = options.Node with { Auth = options.Node.Auth with { Jwt = keys?.Ring } };
        Task<Node> opening = Node.OpenAsync(told, loggers, links, http, reception, new PasswordThread(), search.Token);
        await Task.WhenAny(opening, reception.Opened, signalled);
        try
        {
            if (!opening.IsFaulted)
            {
                await web.StartAsync(new HostApplication(limits, () => _stage), CancellationToken.None);
                await Task.WhenAny(opening, signalled);
            }
        }
        catch
        {
            // An address is not to be had: the node, if there is one, ends in order.
            await search.CancelAsync();
            await LetGoAsync(opening);
            throw;
        }

        await search.CancelAsync();
        await using Node node = await opening;
        await using var network = new PeerNetwork(http, links, options.Node.PeerUrls, time, _logger);
        return await ServeAsync((node, links, expiry), network, web, limits, signalled);
    }

    private static async Task LetGoAsync(Task<Node> opening)
    {
        try
        {
            await (await opening).DisposeAsync();
        }
        catch (Exception)
        {
            // There is no node; why the process ends was said by who called.
        }
    }

    private static void Take(PosixSignalContext context, TaskCompletionSource<PosixSignal> signalled)
    {
        // A second signal is not taken: it ends the process at once.
        context.Cancel = signalled.TrySetResult(context.Signal);
    }

    private async Task<int?> ServeAsync(
        (Node Node, PeerLinks Links, CertificateExpiry Expiry) served, PeerNetwork network, WebServer web, GrpcLimits limits, Task<PosixSignal> signalled)
    {
        Node node = served.Node;
        var grpc = new GrpcServer(Services(node), limits, loggers.CreateLogger(typeof(GrpcServer).FullName ?? ""));
        using var peers = new PeerPages(node, served.Links, time, _logger);
        _stage = StageOf(node, grpc, peers, served.Expiry);
        network.Start(node);

        Task first = await Task.WhenAny(node.Ready, node.Stopped, signalled);
        if (first == node.Ready)
        {
            Announce();
            first = await Task.WhenAny(node.Stopped, signalled);
        }

        int? status = await ReasonAsync(node, first, signalled);
        SystemdNotice.Send(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"), "STOPPING=1");
        await node.HandOverAsync();
        limits.Stop();
        peers.Stop();
        using var cut = new CancellationTokenSource(DrainMax, time);
        await web.StopAsync(cut.Token);
        await node.DisposeAsync();
        Log.Closed(_logger, options.Node.Name, options.Node.DataDirectory);
        return status;
    }

    private async Task<int?> ReasonAsync(Node node, Task first, Task<PosixSignal> signalled)
    {
        if (first == signalled)
        {
            Log.Signalled(_logger, (await signalled).ToString());
            return 0;
        }

        if (await node.Stopped is not { } failure)
        {
            return 0;
        }

        Log.MemberStopped(_logger, failure);
        return failure is MemberRemovedException { MayReturn: true } or ReopenException ? null : 1;
    }

    /// <summary>All methods of all services.</summary>
    internal static IReadOnlyList<GrpcMethod> Services(Node node) =>
    [
        .. new KvService(node).Bind().Methods,
        .. new WatchService(node).Bind().Methods,
        .. new LeaseService(node).Bind().Methods,
        .. new ClusterService(node).Bind().Methods,
        .. new MaintenanceService(node).Bind().Methods,
        .. new AuthService(node).Bind().Methods,
        .. new LockService(node).Bind().Methods,
        .. new ElectionService(node).Bind().Methods,
        .. new HealingService(node).Bind().Methods,
        .. HealthService.Bind().Methods,
    ];

    private Stage StageOf(Node node, GrpcServer grpc, PeerPages peers, CertificateExpiry expiry)
    {
        var health = new HealthPages(FactsOf(node));
        var access = new AccessRules(options.Origins, options.HostNames) { UsesCertificates = options.Node.Auth.UsesCertificates };
        var pages = new WebPages(node, health, new MetricsPage(node, grpc, health, expiry) { Features = options.Features }, access, options.Gateway ? new JsonGateway(grpc, options.Web.ConcurrentStreamsMax) : null, new LocalSettings(node, loggers));
        return new Stage { Grpc = grpc.ServeAsync, Client = pages.ServeClientAsync, Metrics = pages.ServeMetricsAsync, Peers = peers.ServeAsync };
    }

    private void AddListeners(WebServer web, TlsSides tls)
    {
        bool splits = options.ListenClientHttpUrls.Count > 0;
        var client = new ListenerRole(ServesGrpc: true, static stage => stage.Client);
        foreach (EtcdUrl url in options.ListenClientUrls)
        {
            web.Add(url, splits ? HttpProtocols.Http2 : HttpProtocols.Http1AndHttp2, client, tls.Clients);
        }

        foreach (EtcdUrl url in options.ListenClientHttpUrls)
        {
            web.Add(url, HttpProtocols.Http1AndHttp2, client with { ServesGrpc = false }, tls.Clients);
        }

        foreach (EtcdUrl url in options.ListenMetricsUrls)
        {
            web.Add(url, HttpProtocols.Http1AndHttp2, new ListenerRole(ServesGrpc: false, static stage => stage.Metrics), tls.Clients);
        }

        foreach (EtcdUrl url in options.ListenPeerUrls)
        {
            web.Add(url, HttpProtocols.Http1, new ListenerRole(ServesGrpc: false, static stage => stage.Peers) { IsForPeers = true }, tls.Peers);
        }
    }

    private void Announce()
    {
        bool splits = options.ListenClientHttpUrls.Count > 0;
        foreach (EtcdUrl url in options.ListenClientUrls.Concat(options.ListenClientHttpUrls))
        {
            Log.Ready(_logger);
            string traffic = !splits ? "grpc+http" : options.ListenClientUrls.Contains(url) ? "grpc" : "http";
            if (url.IsSecure)
            {
                Log.ServingSecurely(_logger, traffic, url.Authority);
            }
            else
            {
                Log.ServingInsecurely(_logger, traffic, url.Authority);
            }
        }

        foreach (EtcdUrl url in options.ListenMetricsUrls)
        {
            Log.ServingMetrics(_logger, url.ToString());
        }

        SystemdNotice.Send(Environment.GetEnvironmentVariable("NOTIFY_SOCKET"), "READY=1");
    }

    private static HealthFacts FactsOf(Node node) => new()
    {
        Alarms = () => node.Look().Alarms,
        HasLeader = () => node.Look().LeaderId != 0,
        IsLearner = () => node.Look().IsLearner,
        Healing = () => node.Look().Healing,
        Read = async (serializable, cancelled) =>
        {
            var request = new RangeRequest { Key = ProbeKey, KeysOnly = true, Limit = 1, Serializable = serializable };
            Answer<Server.Reads.RangeAnswer> answer = await node.RangeAsync(request, new RequestContext(cancelled));
            return answer.Succeeded || answer.Error is NodeError.UserNameEmpty or NodeError.PermissionDenied ? null : EtcdErrors.StatusOf(answer.Error).Message;
        },
    };

    // Any key will do: that it can be looked up is what is asked.
    private static readonly Google.Protobuf.ByteString ProbeKey = Google.Protobuf.ByteString.CopyFrom([0]);
}

/// <summary>Flags that fit the rules one by one and not the world they meet.</summary>
/// <param name="message">What is wrong.</param>
internal sealed class FlagException(string message) : Exception(message);
