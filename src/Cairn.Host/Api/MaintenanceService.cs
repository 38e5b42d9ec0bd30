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
        .Unary<AlarmRequest, AlarmResponse>(
            "Alarm", AlarmRequest.Parser, async (request, call) => (await node.AlarmAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<StatusRequest, StatusResponse>(
            "Status", StatusRequest.Parser, async (request, call) => (await node.StatusAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<DefragmentRequest, DefragmentResponse>(
            "Defragment", DefragmentRequest.Parser, async (request, call) => (await node.DefragmentAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<HashRequest, HashResponse>("Hash", HashRequest.Parser, async (request, call) => (await node.HashAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<HashKVRequest, HashKVResponse>(
            "HashKV", HashKVRequest.Parser, async (request, call) => (await node.HashKvAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<MoveLeaderRequest, MoveLeaderResponse>(
            "MoveLeader", MoveLeaderRequest.Parser, async (request, call) => (await node.MoveLeaderAsync(request, Caller.Of(call))).ToOutcome())
        .Unary<DowngradeRequest, DowngradeResponse>(
            "Downgrade", DowngradeRequest.Parser, async (request, call) => (await node.DowngradeAsync(request, Caller.Of(call))).ToOutcome())
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
        while (pieces.Next() is { } piece)
        {
            call.Write(piece, ProtobufWriter.Instance);
            await call.FlushAsync();
        }

        return GrpcStatus.Ok;
    }
}
