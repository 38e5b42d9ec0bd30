namespace Cairn.Grpc;

/// <summary>Names and fixed values of the headers and trailers that gRPC uses over HTTP/2.</summary>
/// <remarks>Source: https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.</remarks>
public static class GrpcHeaderNames
{
    /// <summary>The content type of requests and answers; a suffix such as <c>+proto</c> may follow.</summary>
    public const string ContentType = "application/grpc";

    /// <summary>How long the caller waits; see <see cref="GrpcTimeout"/>.</summary>
    public const string Timeout = "grpc-timeout";

    /// <summary>How messages with the compressed flag are compressed.</summary>
    public const string Encoding = "grpc-encoding";

    /// <summary>What compressions the sender can read.</summary>
    public const string AcceptEncoding = "grpc-accept-encoding";

    /// <summary>The code with which the call ended.</summary>
    public const string Status = "grpc-status";

    /// <summary>The text with which the call ended; see <see cref="PercentText"/>.</summary>
    public const string Message = "grpc-message";
}
