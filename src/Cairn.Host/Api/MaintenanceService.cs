using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Reads;

namespace Cairn.Host.Api;

/// <summary>etcdserverpb.Maintenance: status, alarms, hashes, leadership, snapshots.</summary>
internal sealed class MaintenanceService(Node node)
{
    /// <summary>Binds the service.</summary>
    public ServiceBinder Bind() => new ServiceBinder("etcdserverpb.Maintenance")
        .Asks("Alarm", AlarmRequest.Parser, node.AlarmAsync)
        .Asks("Status", StatusRequest.Parser, node.StatusAsync)
        .Asks("Defragment", DefragmentRequest.Parser, node.DefragmentAsync)
        .Asks("Hash", HashRequest.Parser, node.HashAsync)
        .Asks("HashKV", HashKVRequest.Parser, node.HashKvAsync)
        .Asks("MoveLeader", MoveLeaderRequest.Parser, node.MoveLeaderAsync)
        .Asks("Downgrade", DowngradeRequest.Parser, node.DowngradeAsync)
        .ServerStream("Snapshot", SnapshotAsync);

    private async ValueTask<GrpcStatus> SnapshotAsync(GrpcCall call)
    {
        SnapshotRequest? request = await call.ReadOnlyMessageAsync(SnapshotRequest.Parser);
        if (request is null)
        {
            return call.ReadFailure;
        }

        Answer<SnapshotPieces> answer = await node.SnapshotAsync(request, Caller.Of(call));
        if (!answer.Succeeded)
        {
            return EtcdErrors.StatusOf(answer.Error);
        }

        using SnapshotPieces pieces = answer.Value;
        while (await pieces.NextAsync(call.Cancelled) is { } piece)
        {
            call.Write(piece, ProtobufWriter.Instance);
            await call.FlushAsync();
        }

        return GrpcStatus.Ok;
    }
}
