using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Threading.Channels;
using Cairn.Host.Security;
using Microsoft.AspNetCore.Connections;

namespace Cairn.Host.Listening;

/// <summary>
/// A bound address whose connections are told apart by their first bytes, which stay unread, and handed to one of two halves. Kestrel cannot serve
/// HTTP/1.1 and HTTP/2 on one address without TLS; etcd's clients expect exactly that. With TLS it is the same after the handshake, so that clients
/// which speak HTTP/2 without having negotiated it are served too.
/// </summary>
/// <remarks>
/// Each connection waits for its handshake and its first bytes, with HTTP/1.1 for the whole head of its first request, with HTTP/2 for what <see cref="Http2Opening"/> says, on its own and
/// at little cost, so a slow one holds up nobody. One that has not come so far is closed after <see cref="SilenceMax"/>, and earlier when too many wait (<see cref="Newcomers"/>). Thread-safe.
/// </remarks>
internal sealed class SharedPort(EndPoint endPoint, IConnectionListenerFactory sockets, TimeProvider time, Newcomers newcomers)
{
    /// <summary>How long a connection may stay silent: pools open connections ahead of use, so this is generous.</summary>
    public static readonly TimeSpan SilenceMax = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long a first request over HTTP/2 may take to become whole before the web server gets what there is, if the client is alive: streams are opened ahead of use, too, and clients
    /// wait for an acknowledgement of their settings, some for no more than ten seconds.
    /// </summary>
    public static readonly TimeSpan RequestMax = TimeSpan.FromSeconds(8);

    // Kestrel takes accepted connections at once; the bound only matters when it is stopping.
    private const int HandOverCapacity = 512;

    private readonly Lock _lock = new();
    private readonly Channel<ConnectionContext> _http1 = Channel.CreateBounded<ConnectionContext>(HandOverCapacity);
    private readonly Channel<ConnectionContext> _http2 = Channel.CreateBounded<ConnectionContext>(HandOverCapacity);
    private readonly HashSet<Preface> _served = [];
    private TlsCredentials? _certificates;
    private bool _plain;
    private Task<IConnectionListener>? _binding;
    private IConnectionListener? _listener;

    /// <summary>The address: as configured, and as bound once bound.</summary>
    public EndPoint EndPoint => _listener?.EndPoint ?? endPoint;

    /// <summary>Told of connections that fail in their handshake: who, and why.</summary>
    public Action<EndPoint?, Exception> OnRefusal { get; init; } = static (_, _) => { };

    /// <summary>The frame of settings with which the web server greets clients of HTTP/2.</summary>
    public required ReadOnlyMemory<byte> Greeting { get; init; }

    /// <summary>Takes connections with TLS. Called before binding; both kinds can be taken on one address.</summary>
    public void AllowTls(TlsCredentials certificates) => _certificates = certificates;

    /// <summary>Takes connections without TLS. Called before binding.</summary>
    public void AllowPlain() => _plain = true;

    /// <summary>Binds the address on the first call; each half calls once.</summary>
    /// <exception cref="IOException">The address cannot be bound.</exception>
    public async ValueTask<IConnectionListener> BindAsync(Preface protocol, CancellationToken cancelled)
    {
        lock (_lock)
        {
            _served.Add(protocol);
            _binding ??= BindSocketAsync(cancelled);
        }

        await _binding;
        return new HalfListener(this, (protocol == Preface.Http2 ? _http2 : _http1).Reader);
    }

    private async Task<IConnectionListener> BindSocketAsync(CancellationToken cancelled)
    {
        await RemoveLeftoverAsync(cancelled);
        _listener = await sockets.BindAsync(endPoint, cancelled);
        _ = AcceptAsync(_listener);
        return _listener;
    }

    /// <summary>A socket of the file system outlives the process that bound it: one at which nobody answers is taken away.</summary>
    private async Task RemoveLeftoverAsync(CancellationToken cancelled)
    {
        if (endPoint is not UnixDomainSocketEndPoint || new FileInfo(endPoint.ToString()!) is not { Exists: true, Length: 0 } leftover)
        {
            return;
        }

        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await probe.ConnectAsync(endPoint, cancelled);
        }
        catch (SocketException)
        {
            leftover.Delete();
        }
    }

    private async Task AcceptAsync(IConnectionListener listener)
    {
        try
        {
            while (await listener.AcceptAsync() is { } connection)
            {
                _ = HandOverAsync(connection);
            }
        }
        finally
        {
            _http1.Writer.TryComplete();
            _http2.Writer.TryComplete();
        }
    }

    private async Task HandOverAsync(ConnectionContext connection)
    {
        var newcomer = new Newcomer(newcomers, connection);
        connection.Features.Set(newcomer);
        newcomer.Wait();
        Exception? failure = null;
        try
        {
            Preface protocol = await FirstWordAsync(connection, newcomer);
            if (IsServed(protocol))
            {
                await (protocol == Preface.Http2 ? _http2 : _http1).Writer.WriteAsync(connection);
                return;
            }
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ChannelClosedException or AuthenticationException)
        {
            failure = e;
        }

        newcomer.Settle();
        connection.Abort(new ConnectionAbortedException("The connection sent nothing that can be served.", failure!)); // No failure is a cause, too.
        await connection.DisposeAsync();
    }

    private bool IsServed(Preface protocol)
    {
        lock (_lock)
        {
            return _served.Contains(protocol);
        }
    }

    private async Task<Preface> FirstWordAsync(ConnectionContext connection, Newcomer newcomer)
    {
        using var patience = new CancellationTokenSource(SilenceMax, time);
        var ahead = new ReadAhead(connection.Transport.Input);
        if (_certificates is not null)
        {
            Preface opening = await ahead.UntilAsync(PrefaceJudge.JudgeTls, patience.Token);
            if (opening == Preface.Undecided && (_plain || newcomer.IsCut))
            {
                return opening;
            }

            if (opening == Preface.Tls || !_plain)
            {
                await ShakeHandsAsync(connection, _certificates, patience.Token);
                ahead = new ReadAhead(connection.Transport.Input);
            }
        }

        Preface protocol = await ahead.UntilAsync(PrefaceJudge.Judge, patience.Token);
        connection.Features.Get<TlsSession>()?.Name(protocol == Preface.Http2 ? SslApplicationProtocol.Http2 : SslApplicationProtocol.Http11);
        if (protocol == Preface.Http2)
        {
            return await FirstRequestAsync(connection.Transport.Output, ahead, newcomer, patience.Token);
        }

        newcomer.Rest();
        return protocol;
    }

    private async Task<Preface> FirstRequestAsync(PipeWriter output, ReadAhead ahead, Newcomer newcomer, CancellationToken cancelled)
    {
        var opening = new Http2Opening();
        await opening.GreetAsync(output, Greeting, cancelled);
        long held = 0;
        Preface Judge(ReadOnlySequence<byte> bytes)
        {
            Preface protocol = opening.Judge(bytes);
            newcomer.Hold(ref held, protocol == Preface.Undecided ? bytes.Length : 0);
            return protocol;
        }

        Preface protocol;
        using var request = new CancellationTokenSource(RequestMax, time);
        try
        {
            protocol = await ahead.UntilAsync(Judge, request.Token);
        }
        catch (OperationCanceledException) when (request.IsCancellationRequested)
        {
            await opening.AskAgainAsync(output, cancelled);
            protocol = await ahead.UntilAsync(Judge, cancelled);
        }

        if (opening.MayRest)
        {
            newcomer.Rest();
        }

        return protocol;
    }

    private async Task ShakeHandsAsync(ConnectionContext connection, TlsCredentials certificates, CancellationToken cancelled)
    {
        try
        {
            await TlsSession.OpenAsync(connection, certificates, cancelled);
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            OnRefusal(connection.RemoteEndPoint, e);
            throw;
        }
    }

    private async ValueTask CloseAsync(bool dispose)
    {
        IConnectionListener? listener = _listener;
        if (listener is null)
        {
            return;
        }

        await listener.UnbindAsync();
        if (dispose)
        {
            await listener.DisposeAsync();
        }
    }

    private sealed class HalfListener(SharedPort port, ChannelReader<ConnectionContext> connections) : IConnectionListener
    {
        public EndPoint EndPoint => port.EndPoint;

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            while (await connections.WaitToReadAsync(cancellationToken))
            {
                if (connections.TryRead(out ConnectionContext? connection))
                {
                    return connection;
                }
            }

            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => port.CloseAsync(dispose: false);

        public ValueTask DisposeAsync() => port.CloseAsync(dispose: true);
    }
}
