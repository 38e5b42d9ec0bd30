using System.Buffers;
using System.Globalization;
using System.Text;
using Cairn.Grpc;
using Microsoft.AspNetCore.WebUtilities;

namespace Cairn.Host.Gateway;

/// <summary>How a gRPC status looks to a client of the gateway.</summary>
/// <remarks>
/// etcd 3.5 answers <c>{"error":…,"code":…,"message":…}</c>, etcd 3.6 left out <c>error</c>, and clients exist that read either one: so all three are sent,
/// and in streams likewise the union of what both versions send. Source: grpc-gateway v1 runtime/errors.go and v2 runtime/errors.go.
/// </remarks>
internal static class GatewayErrors
{
    /// <summary>The HTTP status that stands for a gRPC code.</summary>
    /// <param name="code">A gRPC code.</param>
    /// <returns>An HTTP status.</returns>
    public static int HttpStatusOf(GrpcStatusCode code) => code switch
    {
        GrpcStatusCode.Ok => 200,
        GrpcStatusCode.Canceled => 408,
        GrpcStatusCode.InvalidArgument or GrpcStatusCode.FailedPrecondition or GrpcStatusCode.OutOfRange => 400,
        GrpcStatusCode.Unauthenticated => 401,
        GrpcStatusCode.PermissionDenied => 403,
        GrpcStatusCode.NotFound => 404,
        GrpcStatusCode.AlreadyExists or GrpcStatusCode.Aborted => 409,
        GrpcStatusCode.ResourceExhausted => 429,
        GrpcStatusCode.Unimplemented => 501,
        GrpcStatusCode.Unavailable => 503,
        GrpcStatusCode.DeadlineExceeded => 504,
        _ => 500,
    };

    /// <summary>The body of a refused unary call.</summary>
    /// <param name="status">Not OK.</param>
    /// <param name="output">Where to.</param>
    public static void Write(GrpcStatus status, IBufferWriter<byte> output)
    {
        output.Write("{\"error\":"u8);
        ProtoJsonWriter.WriteString(status.Message, output);
        output.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $",\"code\":{(int)status.Code},\"message\":")));
        ProtoJsonWriter.WriteString(status.Message, output);
        output.Write("}"u8);
    }

    /// <summary>The last line of a stream that failed.</summary>
    /// <param name="status">Not OK.</param>
    /// <param name="output">Where to.</param>
    public static void WriteStreamed(GrpcStatus status, IBufferWriter<byte> output)
    {
        var http = HttpStatusOf(status.Code);
        output.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{{\"error\":{{\"grpc_code\":{(int)status.Code},\"http_code\":{http},\"message\":")));
        ProtoJsonWriter.WriteString(status.Message, output);
        output.Write(",\"http_status\":"u8);
        ProtoJsonWriter.WriteString(ReasonPhrases.GetReasonPhrase(http), output);
        output.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $",\"code\":{(int)status.Code}}}}}\n")));
    }
}
