using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.Lease.</summary>
internal sealed class LeaseService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Lease")
        .Asks("LeaseGrant", LeaseGrantRequest.Parser, node.LeaseGrantAsync)
        .Asks("LeaseRevoke", LeaseRevokeRequest.Parser, node.LeaseRevokeAsync)
        .Asks("LeaseTimeToLive", LeaseTimeToLiveRequest.Parser, node.LeaseTimeToLiveAsync)
        .Asks("LeaseLeases", LeaseLeasesRequest.Parser, node.LeaseLeasesAsync)
        .BothStream("LeaseKeepAlive", KeepAliveAsync);

    /// <summary>One answer a request, in order; the end of the client's side ends the stream.</summary>
    private async ValueTask<GrpcStatus> KeepAliveAsync(GrpcCall call)
    {
        RequestContext context = Caller.Of(call);
        while (await call.ReadAsync(LeaseKeepAliveRequest.Parser, call.Cancelled) is { } request)
        {
            Answer<LeaseKeepAliveResponse> answer = await node.LeaseKeepAliveAsync(request, context);
            if (!answer.Succeeded)
            {
                return EtcdErrors.StatusOf(answer.Error);
            }

            call.Write(answer.Value, ProtobufWriter.Instance);
            await call.FlushAsync();
        }

        return call.ReadFailure;
    }
}
