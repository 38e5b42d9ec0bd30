using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Cairn.Host.Security;
using Cairn.Server.Peers;

namespace Cairn.Host.Peers;

/// <summary>The calling side of HTTP/1.1 towards other members. Thread-safe.</summary>
/// <remarks>Names are resolved at every dial, and every few seconds is dialled anew: addresses of members change under orchestrators.</remarks>
internal sealed class PeerHttp : IPeerCalls, IDisposable
{
    // A name that led to the wrong process leads there no longer than this: who answers in another's place would else keep its connection for as long as it is asked. Streams are not cut.
    private static readonly TimeSpan DialledAgainAfter = TimeSpan.FromSeconds(5);

    private readonly Lock _lock = new();
    private readonly TimeSpan _dialTimeout;
    private readonly TlsCredentials? _tls;
    private TlsMaterial? _material;
    private HttpMessageInvoker _invoker;

    /// <param name="dialTimeout">How long a dial may take.</param>
    /// <param name="tls">What is shown and asked in TLS; null for what the system trusts.</param>
    public PeerHttp(TimeSpan dialTimeout, TlsCredentials? tls)
    {
        _dialTimeout = dialTimeout;
        _tls = tls;
        _material = tls?.Current();
        _invoker = MakeInvoker();
    }

    /// <summary>Says in a request who sends it; null before there is a member.</summary>
    public Action<HttpRequestMessage>? Introduce { get; set; }

    /// <summary>Sends a request; the answer's body is not read yet.</summary>
    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancelled)
    {
        request.Version = HttpVersion.Version11;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        return Invoker().SendAsync(request, cancelled);
    }

    /// <inheritdoc/>
    public async ValueTask<PeerAnswer> AskAsync(string url, PeerCall call, CancellationToken cancelled)
    {
        try
        {
            using HttpRequestMessage request = Make(url, call);
            using HttpResponseMessage response = await SendAsync(request, cancelled);
            byte[] answer = await response.Content.ReadAsByteArrayAsync(cancelled);
            return new PeerAnswer((int)response.StatusCode, answer) { ClusterId = ClusterOf(response) };
        }
        catch (Exception e) when (IsNetwork(e))
        {
            return PeerAnswer.None;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _invoker.Dispose();

    /// <summary>Whether an exception says no more than that the other was not reached.</summary>
    public static bool IsNetwork(Exception exception) =>
        exception is HttpRequestException or IOException or OperationCanceledException or UriFormatException or System.Net.Sockets.SocketException;

    /// <summary>Whether an exception says that nobody listens at an address: its machine is up, the process there is not.</summary>
    public static bool IsRefusal(Exception exception) =>
        exception is HttpRequestException { InnerException: System.Net.Sockets.SocketException { SocketErrorCode: System.Net.Sockets.SocketError.ConnectionRefused } };

    private HttpRequestMessage Make(string url, PeerCall call)
    {
        var request = new HttpRequestMessage((call.Body is null && call.Parts is null) || call.IsGet ? HttpMethod.Get : HttpMethod.Post, PeerTarget.Of(url, call.Path));
        if (call.ClusterId != 0)
        {
            PeerHeaders.Introduce(request, call.ClusterId);
        }
        else if (call.Parts is not null || PeerHeaders.IsOwnPath(call.Path))
        {
            Introduce?.Invoke(request);
        }

        if (call.To != 0)
        {
            request.Headers.TryAddWithoutValidation(PeerHeaders.To, $"{call.To:x}");
        }

        if (call.Parts is { } parts)
        {
            request.Content = new PartsContent(parts);
        }
        else if (call.Body is { } body)
        {
            request.Content = new ReadOnlyMemoryContent(body);
            request.Content.Headers.ContentType = new MediaTypeHeaderValue(call.IsGet ? "application/json" : "application/protobuf");
        }

        return request;
    }

    /// <summary>Connections with certificates that are not those of now are left to their requests; new ones are made with the new.</summary>
    private HttpMessageInvoker Invoker()
    {
        lock (_lock)
        {
            if (_tls?.Current() is { } material && material != _material)
            {
                _material = material;
                _invoker = MakeInvoker();
            }

            return _invoker;
        }
    }

    private HttpMessageInvoker MakeInvoker()
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = _dialTimeout,
            ConnectCallback = static (context, cancelled) => PeerTarget.DialAsync(context.DnsEndPoint, cancelled),
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            PooledConnectionLifetime = DialledAgainAfter,
            ActivityHeadersPropagator = null,
        };
        if (_tls is not null)
        {
            handler.SslOptions = _tls.Client();
        }

        return new HttpMessageInvoker(handler);
    }

    private static ulong ClusterOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues(PeerHeaders.Cluster, out IEnumerable<string>? values)
            && ulong.TryParse(values.First(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong id) ? id : 0;
}
