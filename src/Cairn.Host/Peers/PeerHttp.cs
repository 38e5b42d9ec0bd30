using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Cairn.Server.Peers;

namespace Cairn.Host.Peers;

/// <summary>The calling side of HTTP/1.1 towards other members. Thread-safe.</summary>
/// <remarks>Names are resolved at every dial: addresses of members change under orchestrators.</remarks>
internal sealed class PeerHttp : IPeerCalls, IDisposable
{
    private readonly HttpMessageInvoker _invoker;

    /// <param name="dialTimeout">How long a dial may take.</param>
    public PeerHttp(TimeSpan dialTimeout)
    {
        _invoker = new HttpMessageInvoker(new SocketsHttpHandler
        {
            ConnectTimeout = dialTimeout,
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            PooledConnectionIdleTimeout = TimeSpan.FromSeconds(30),
            ActivityHeadersPropagator = null,
        });
    }

    /// <summary>Sends a request; the answer's body is not read yet.</summary>
    public Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancelled)
    {
        request.Version = HttpVersion.Version11;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
        return _invoker.SendAsync(request, cancelled);
    }

    /// <inheritdoc/>
    public async ValueTask<PeerAnswer> AskAsync(string url, PeerCall call, CancellationToken cancelled)
    {
        try
        {
            using var request = new HttpRequestMessage(call.Body is null ? HttpMethod.Get : HttpMethod.Post, url + call.Path);
            if (call.Body is { } body)
            {
                request.Content = new ReadOnlyMemoryContent(body);
                request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/protobuf");
            }

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

    private static ulong ClusterOf(HttpResponseMessage response) =>
        response.Headers.TryGetValues(PeerHeaders.Cluster, out IEnumerable<string>? values)
            && ulong.TryParse(values.First(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong id) ? id : 0;
}
