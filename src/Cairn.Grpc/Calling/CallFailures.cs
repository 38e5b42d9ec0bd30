using System.Net.Http.Headers;

namespace Cairn.Grpc.Calling;

/// <summary>Says as a gRPC status what HTTP says in its own ways.</summary>
/// <remarks>Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, "Errors", and statuscodes.md.</remarks>
internal static class CallFailures
{
    /// <summary>The text that Go's clients report, and that programs match on, when a deadline passes on the client.</summary>
    public const string DeadlineText = "context deadline exceeded";

    /// <summary>Whether an exception is one that a call can end with.</summary>
    /// <param name="exception">The exception.</param>
    /// <returns>True for failures of the network and of the protocol, and for cancellation.</returns>
    public static bool Concerns(Exception exception) => exception is HttpRequestException or IOException or OperationCanceledException;

    /// <summary>Whether connecting took too long, which the platform reports as a cancellation that nobody asked for.</summary>
    /// <param name="exception">The exception.</param>
    /// <returns>True if so.</returns>
    public static bool IsConnectTimeout(Exception exception) => exception is OperationCanceledException { InnerException: TimeoutException };

    /// <summary>Translates a failure of the network or the protocol.</summary>
    /// <param name="exception">One that <see cref="Concerns"/> holds for.</param>
    /// <param name="deadlinePassed">Whether the deadline of the call has passed.</param>
    /// <returns>The same as the end of a call.</returns>
    public static GrpcException Translate(Exception exception, bool deadlinePassed)
    {
        if (deadlinePassed)
        {
            return new GrpcException(new GrpcStatus(GrpcStatusCode.DeadlineExceeded, DeadlineText), inner: exception);
        }

        for (Exception? cause = exception; cause is not null; cause = cause.InnerException)
        {
            if (cause is HttpProtocolException protocol)
            {
                return new GrpcException(new GrpcStatus(FromReset(protocol.ErrorCode), protocol.Message), protocol.ErrorCode == RefusedStream, exception);
            }
        }

        bool neverSent = IsConnectTimeout(exception) || exception is HttpRequestException
        {
            HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError or HttpRequestError.VersionNegotiationError,
        };
        return new GrpcException(new GrpcStatus(GrpcStatusCode.Unavailable, exception.Message), neverSent, exception);
    }

    /// <summary>Reads the status of a response that has none of its own because it is not an answer of a gRPC server.</summary>
    /// <param name="response">The response, of which the headers have arrived.</param>
    /// <returns>Success if it is an answer of a gRPC server.</returns>
    public static GrpcStatus OfHeaders(HttpResponseMessage response)
    {
        if ((int)response.StatusCode != 200)
        {
            return new GrpcStatus(GrpcStatus.FromHttp((int)response.StatusCode), $"the server answered with HTTP status {(int)response.StatusCode}");
        }

        string? type = response.Content.Headers.ContentType?.MediaType;
        return type is not null && type.StartsWith(GrpcHeaderNames.ContentType, StringComparison.Ordinal)
            ? GrpcStatus.Ok
            : new GrpcStatus(GrpcStatusCode.Unknown, $"the server answered with content of type {type ?? "none"}, which is not gRPC");
    }

    /// <summary>Reads the status that ends an answer.</summary>
    /// <param name="response">The response, of which all has arrived.</param>
    /// <returns>The status; <see cref="GrpcStatusCode.Internal"/> if the answer has none.</returns>
    public static GrpcStatus OfTrailers(HttpResponseMessage response)
    {
        // An answer without messages has its status among the headers, which then are trailers too.
        HttpHeaders holder = response.TrailingHeaders.Contains(GrpcHeaderNames.Status) ? response.TrailingHeaders : response.Headers;
        if (!GrpcStatus.TryParseCode(First(holder, GrpcHeaderNames.Status), out GrpcStatusCode code))
        {
            return new GrpcStatus(GrpcStatusCode.Internal, "the answer ended without a status");
        }

        return new GrpcStatus(code, PercentText.Decode(First(holder, GrpcHeaderNames.Message) ?? ""));
    }

    private const long RefusedStream = 0x7;

    private static GrpcStatusCode FromReset(long errorCode) => errorCode switch
    {
        RefusedStream => GrpcStatusCode.Unavailable,
        0x8 => GrpcStatusCode.Canceled,
        0xb => GrpcStatusCode.ResourceExhausted,
        0xc => GrpcStatusCode.PermissionDenied,
        _ => GrpcStatusCode.Internal,
    };

    private static string? First(HttpHeaders headers, string name) =>
        headers.NonValidated.TryGetValues(name, out HeaderStringValues values) ? values.ToString() : null;
}
