using System.Net;
using Google.Protobuf;

namespace Cairn.Grpc.Calling;

/// <summary>Calls the methods of one server, over HTTP/2 in clear text (with prior knowledge) or TLS. Any thread; many calls at once.</summary>
/// <remarks>Connects with the first call, and again when a connection is lost. Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.</remarks>
public sealed class GrpcChannel : IDisposable
{
    private readonly HttpMessageInvoker _invoker;
    private readonly GrpcChannelOptions _options;

    /// <summary>Creates a channel; nothing is connected yet.</summary>
    /// <param name="address">An <c>http</c> or <c>https</c> address without a path.</param>
    /// <param name="options">How to reach it; null for the defaults.</param>
    public GrpcChannel(Uri address, GrpcChannelOptions? options = null)
        : this(address, options ?? new GrpcChannelOptions(), CreateHandler(options ?? new GrpcChannelOptions()))
    {
    }

    internal GrpcChannel(Uri address, GrpcChannelOptions options, HttpMessageHandler handler)
    {
        ArgumentNullException.ThrowIfNull(address);
        Address = address;
        _options = options;
        _invoker = new HttpMessageInvoker(handler);
    }

    /// <summary>Where the server is.</summary>
    public Uri Address { get; }

    /// <summary>Sends one message and waits for the answer of one message.</summary>
    /// <typeparam name="TRequest">The request.</typeparam>
    /// <typeparam name="TResponse">The answer.</typeparam>
    /// <param name="method">What to call.</param>
    /// <param name="request">The request; must not change before the answer.</param>
    /// <param name="options">Deadline, metadata, cancellation.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="GrpcException">The call ended with another status than success.</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    public async Task<TResponse> CallAsync<TRequest, TResponse>(GrpcMethod<TRequest, TResponse> method, TRequest request, GrpcCallOptions options = default)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(method);
        using var scope = new CallScope(options, _options.Time);
        using HttpRequestMessage message = CreateRequest(method.Path, options, new UnaryContent(request));
        try
        {
            using HttpResponseMessage response = await _invoker.SendAsync(message, scope.Token).ConfigureAwait(false);
            ThrowUnlessOk(CallFailures.OfHeaders(response));
            using Stream content = await response.Content.ReadAsStreamAsync(scope.Token).ConfigureAwait(false);
            using var reader = new MessageReader(content, _options.ResponseBytesMax);
            TResponse? answer = await reader.ReadAsync(method.ResponseParser, scope.Token).ConfigureAwait(false);
            if (answer is not null && await reader.ReadAsync(method.ResponseParser, scope.Token).ConfigureAwait(false) is not null)
            {
                throw new GrpcException(new GrpcStatus(GrpcStatusCode.Internal, "more than one message was answered"));
            }

            ThrowUnlessOk(CallFailures.OfTrailers(response));
            return answer ?? throw new GrpcException(new GrpcStatus(GrpcStatusCode.Internal, "no message was answered"));
        }
        catch (Exception e) when (CallFailures.Concerns(e))
        {
            throw scope.Translate(e);
        }
    }

    /// <summary>Opens a call in which both sides send any number of messages.</summary>
    /// <typeparam name="TRequest">The messages that are sent.</typeparam>
    /// <typeparam name="TResponse">The messages that are answered.</typeparam>
    /// <param name="method">What to call.</param>
    /// <param name="options">Deadline, metadata, cancellation, all of the whole call.</param>
    /// <returns>The call, which the caller disposes; failures show when it is used.</returns>
    public GrpcStream<TRequest, TResponse> Open<TRequest, TResponse>(GrpcMethod<TRequest, TResponse> method, GrpcCallOptions options = default)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse>
    {
        ArgumentNullException.ThrowIfNull(method);
        var scope = new CallScope(options, _options.Time);
        var content = new DuplexContent();
        Task<HttpResponseMessage> response = SendAsync(CreateRequest(method.Path, options, content), content, scope);
        return new GrpcStream<TRequest, TResponse>(method.ResponseParser, content, response, scope, _options.ResponseBytesMax);
    }

    /// <summary>Closes the connections; calls that are open end.</summary>
    public void Dispose() => _invoker.Dispose();

    internal static void ThrowUnlessOk(GrpcStatus status)
    {
        if (!status.IsOk)
        {
            throw new GrpcException(status);
        }
    }

    private static SocketsHttpHandler CreateHandler(GrpcChannelOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = options.ConnectTimeout,
            KeepAlivePingDelay = options.ProbeInterval,
            KeepAlivePingTimeout = options.ProbeTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
            EnableMultipleHttp2Connections = true,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ActivityHeadersPropagator = null,
            AutomaticDecompression = DecompressionMethods.None,
        };
        if (options.Tls is not null)
        {
            handler.SslOptions = options.Tls;
        }

        return handler;
    }

    private HttpRequestMessage CreateRequest(string path, in GrpcCallOptions options, HttpContent content)
    {
        var message = new HttpRequestMessage(HttpMethod.Post, new Uri(Address, path))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        message.Headers.TryAddWithoutValidation("te", "trailers");
        message.Headers.TryAddWithoutValidation("user-agent", "cairn-dotnet/1");
        if (options.Timeout is { } timeout)
        {
            message.Headers.TryAddWithoutValidation(GrpcHeaderNames.Timeout, GrpcTimeout.Format(timeout));
        }

        foreach ((string name, string value) in options.Metadata ?? [])
        {
            message.Headers.TryAddWithoutValidation(name, value);
        }

        return message;
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage message, DuplexContent content, CallScope scope)
    {
        // The request is not disposed: its content is in use until the call ends, and holds nothing else.
        try
        {
            return await _invoker.SendAsync(message, scope.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (CallFailures.Concerns(e))
        {
            Exception failure = scope.Translate(e);
            content.Fail(failure);
            throw failure;
        }
    }
}
