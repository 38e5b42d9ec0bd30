using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Protocol.Health;

namespace Cairn.Host.Api;

/// <summary>grpc.health.v1.Health for the server as a whole (service ""), as load balancers and clients ask for it.</summary>
/// <remarks>Source: https://github.com/grpc/grpc/blob/master/doc/health-checking.md.</remarks>
internal sealed class HealthService
{
    /// <summary>Binds the service.</summary>
    public static ServiceBinder Bind() => new ServiceBinder("grpc.health.v1.Health")
        .Unary<HealthCheckRequest, HealthCheckResponse>(
            "Check", HealthCheckRequest.Parser, static (request, _) => ValueTask.FromResult<Outcome<HealthCheckResponse>>(
            request.Service.Length == 0 ? Answer(HealthCheckResponse.Types.ServingStatus.Serving) : new GrpcStatus(GrpcStatusCode.NotFound, "unknown service")))
        .ServerStream("Watch", WatchAsync);

    private static HealthCheckResponse Answer(HealthCheckResponse.Types.ServingStatus status) => new() { Status = status };

    /// <summary>Tells the status once and keeps the stream open: it changes only when the server stops, and then the stream says so.</summary>
    private static async ValueTask<GrpcStatus> WatchAsync(GrpcCall call)
    {
        HealthCheckRequest? request = await call.ReadOnlyMessageAsync(HealthCheckRequest.Parser);
        if (request is null)
        {
            return call.ReadFailure;
        }

        bool known = request.Service.Length == 0;
        call.Write(Answer(known ? HealthCheckResponse.Types.ServingStatus.Serving : HealthCheckResponse.Types.ServingStatus.ServiceUnknown), ProtobufWriter.Instance);
        await call.FlushAsync();
        await Task.Delay(System.Threading.Timeout.InfiniteTimeSpan, call.Cancelled);
        return GrpcStatus.Ok;
    }
}
