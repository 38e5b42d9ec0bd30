namespace Cairn.Grpc;

/// <summary>The end of a call: a code and, unless it is <see cref="GrpcStatusCode.Ok"/>, a text for people and for clients that match on it.</summary>
/// <param name="Code">The code.</param>
/// <param name="Message">The text, unescaped; empty for success.</param>
public readonly record struct GrpcStatus(GrpcStatusCode Code, string Message)
{
    /// <summary>Success.</summary>
    public static readonly GrpcStatus Ok = new(GrpcStatusCode.Ok, "");

    /// <summary>Whether the call succeeded.</summary>
    public bool IsOk => Code == GrpcStatusCode.Ok;

    /// <summary>Maps the HTTP status of an answer that carried no gRPC status, such as one of a proxy.</summary>
    /// <param name="httpStatus">The HTTP status code.</param>
    /// <returns>The code that a client reports.</returns>
    /// <remarks>Source: https://github.com/grpc/grpc/blob/master/doc/http-grpc-status-mapping.md.</remarks>
    public static GrpcStatusCode FromHttp(int httpStatus) => httpStatus switch
    {
        400 => GrpcStatusCode.Internal,
        401 => GrpcStatusCode.Unauthenticated,
        403 => GrpcStatusCode.PermissionDenied,
        404 => GrpcStatusCode.Unimplemented,
        429 or 502 or 503 or 504 => GrpcStatusCode.Unavailable,
        _ => GrpcStatusCode.Unknown,
    };

    /// <summary>Reads a <c>grpc-status</c> value.</summary>
    /// <param name="text">The header or trailer value.</param>
    /// <param name="code">The code; an unknown number reads as <see cref="GrpcStatusCode.Unknown"/>.</param>
    /// <returns>Whether <paramref name="text"/> is a number.</returns>
    public static bool TryParseCode(string? text, out GrpcStatusCode code)
    {
        code = GrpcStatusCode.Unknown;
        if (!int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int number))
        {
            return false;
        }

        code = number is >= 0 and <= (int)GrpcStatusCode.Unauthenticated ? (GrpcStatusCode)number : GrpcStatusCode.Unknown;
        return true;
    }

    /// <summary>The text in the form in which Go prints an error of a call; some of etcd's answers embed it.</summary>
    /// <returns>Such as <c>rpc error: code = PermissionDenied desc = etcdserver: permission denied</c>.</returns>
    public string ToGoText() => $"rpc error: code = {(Code == GrpcStatusCode.Ok ? "OK" : Code.ToString())} desc = {Message}";
}
