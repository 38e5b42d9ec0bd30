using System.Net;
using System.Net.Sockets;
using Cairn.Host.Flags;
using Cairn.Host.Listening;
using Cairn.Host.Security;
using Cairn.Server.Requests;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Cairn.Host;

/// <summary>The listeners of the process on one Kestrel: client ports that speak gRPC and HTTP/1.1 at once, ports for HTTP only, for metrics, for peers.</summary>
/// <remarks>Built, bound once, stopped once; by one caller.</remarks>
internal sealed class WebServer : IAsyncDisposable
{
    // As good as never. Kestrel adds this to the time of now, and an infinite one overflows: it then ends each connection that has no call within a second.
    private static readonly TimeSpan IdlenessMax = TimeSpan.FromDays(3650);

    // Kestrel keeps twice this many streams in view and counts in 32 bits; nobody opens a million streams on one connection.
    private const int StreamsPerConnectionMax = 1_000_000;

    // Who floods a port does it by the thousand; the line says how many there were.
    private const int CutLinesPerSecondMax = 1;

    private readonly KestrelServerOptions _options;
    private readonly Dictionary<EndPoint, SharedPort> _ports = [];
    private readonly ServiceProvider _parts;
    private readonly SocketTransportFactory _sockets;
    private readonly IServer _server;
    private readonly ILoggerFactory _loggers;
    private readonly TimeProvider _time;
    private readonly LineBudget _cutLines;

    /// <param name="options">Limits.</param>
    /// <param name="loggers">Where Kestrel's log goes.</param>
    /// <param name="time">The clock of silent connections.</param>
    public WebServer(WebLimits options, ILoggerFactory loggers, TimeProvider time)
    {
        _loggers = loggers;
        _time = time;
        _cutLines = new LineBudget(time, CutLinesPerSecondMax);
        _options = Configure(options);
        _parts = KestrelParts.Build(_options, sockets => sockets.CreateBoundListenSocket = options.ReusePort ? BindShared : sockets.CreateBoundListenSocket, loggers);
        _sockets = _parts.GetRequiredService<SocketTransportFactory>();
        _server = _parts.GetRequiredService<IServer>();
    }

    /// <summary>Adds a listener. Two URLs of one address, http and https, share it; the role of the first counts.</summary>
    /// <param name="url">Where.</param>
    /// <param name="protocols">HTTP/1.1, HTTP/2, or both on one port.</param>
    /// <param name="role">What is served.</param>
    /// <param name="certificates">Certificates, used if the URL asks for TLS.</param>
    public void Add(EtcdUrl url, HttpProtocols protocols, ListenerRole role, TlsCredentials? certificates)
    {
        Invariant.Holds(!url.IsSecure || certificates is not null);
        EndPoint address = ListenAddress.Of(url);
        bool known = _ports.TryGetValue(address, out SharedPort? port);
        port ??= _ports[address] = new SharedPort(address, _sockets, _time, new Newcomers(WasCut))
        {
            OnRefusal = (remote, e) => role.Refused(_loggers.CreateLogger(typeof(SharedPort).FullName ?? ""), remote, e),
            Greeting = Greeting(_options.Limits),
        };
        if (url.IsSecure)
        {
            port.AllowTls(certificates!); // Checked above.
        }
        else
        {
            port.AllowPlain();
        }

        if (known)
        {
            return;
        }

        if (protocols.HasFlag(HttpProtocols.Http2))
        {
            Listen(new PortHalf(port, Preface.Http2), HttpProtocols.Http2, role);
        }

        if (protocols.HasFlag(HttpProtocols.Http1))
        {
            Listen(new PortHalf(port, Preface.Http1), HttpProtocols.Http1, role);
        }
    }

    /// <summary>Binds all listeners and serves.</summary>
    /// <exception cref="IOException">An address cannot be bound.</exception>
    public Task StartAsync(HostApplication application, CancellationToken cancelled) => _server.StartAsync(application, cancelled);

    /// <summary>Takes no new connections, tells clients to go elsewhere, lets calls finish until cancelled, then cuts.</summary>
    public Task StopAsync(CancellationToken cut) => _server.StopAsync(cut);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _parts.DisposeAsync();

    private static KestrelServerOptions Configure(WebLimits options)
    {
        var kestrel = new KestrelServerOptions { AddServerHeader = false, AllowAlternateSchemes = true };
        KestrelServerLimits limits = kestrel.Limits;

        // Streams of gRPC live for days and are silent for hours: nothing about them may be measured by rate, size or idleness.
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;
        limits.MaxRequestBodySize = null;
        limits.KeepAliveTimeout = IdlenessMax;
        limits.Http2.MaxStreamsPerConnection = (int)Math.Clamp(options.ConcurrentStreamsMax, 1, StreamsPerConnectionMax);

        // Kestrel takes nothing below a second.
        limits.Http2.KeepAlivePingDelay = options.KeepAliveInterval > TimeSpan.Zero
            ? TimeSpan.FromTicks(Math.Max(options.KeepAliveInterval.Ticks, TimeSpan.TicksPerSecond))
            : System.Threading.Timeout.InfiniteTimeSpan;
        limits.Http2.KeepAlivePingTimeout = options.KeepAliveTimeout > TimeSpan.Zero
            ? TimeSpan.FromTicks(Math.Max(options.KeepAliveTimeout.Ticks, TimeSpan.TicksPerSecond))
            : TimeSpan.MaxValue;
        return kestrel;
    }

    /// <summary>What Kestrel itself says first, so that saying it before Kestrel does changes nothing. Source: RFC 9113, 6.5.2; RFC 8441, 3.</summary>
    private static byte[] Greeting(KestrelServerLimits limits)
    {
        const int streamsMax = 3;
        const int windowBytes = 4;
        const int headBytesMax = 6;
        const int extendedConnect = 8;
        return Http2Opening.Settings(
            (streamsMax, limits.Http2.MaxStreamsPerConnection), (windowBytes, limits.Http2.InitialStreamWindowSize), (headBytesMax, limits.MaxRequestHeadersTotalSize), (extendedConnect, 1));
    }

    private static Socket BindShared(EndPoint endPoint)
    {
        var socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        const int SolSocket = 1;
        const int SoReusePort = 15; // Linux, asm-generic/socket.h.
        socket.SetRawSocketOption(SolSocket, SoReusePort, [1, 0, 0, 0]);
        socket.Bind(endPoint);
        return socket;
    }

    private void Listen(PortHalf half, HttpProtocols protocol, ListenerRole role) => _options.Listen(half, listener =>
    {
        listener.Protocols = protocol;
        listener.Use(next => async connection =>
        {
            connection.Features.Set(role);
            await using TlsSession? session = connection.Features.Get<TlsSession>();
            try
            {
                await next(connection);
            }
            finally
            {
                connection.Features.Get<Newcomer>()?.Settle();
            }
        });
    });

    private void WasCut(EndPoint? remote, string reason)
    {
        if (_cutLines.TryTake(out long leftOut))
        {
            Log.ConnectionCut(_loggers.CreateLogger(typeof(Newcomers).FullName ?? ""), $"{remote}", reason, leftOut);
        }
    }
}
