using Cairn.Grpc.Calling;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Client.Calls;

/// <summary>The methods of the store's API.</summary>
internal static class Methods
{
    public static readonly GrpcMethod<RangeRequest, RangeResponse> Range = Of<RangeRequest, RangeResponse>("KV/Range", RangeResponse.Parser);
    public static readonly GrpcMethod<RangeRequest, RangeStreamResponse> RangeStream =
        Of<RangeRequest, RangeStreamResponse>("KV/RangeStream", RangeStreamResponse.Parser);

    public static readonly GrpcMethod<PutRequest, PutResponse> Put = Of<PutRequest, PutResponse>("KV/Put", PutResponse.Parser);
    public static readonly GrpcMethod<DeleteRangeRequest, DeleteRangeResponse> DeleteRange =
        Of<DeleteRangeRequest, DeleteRangeResponse>("KV/DeleteRange", DeleteRangeResponse.Parser);

    public static readonly GrpcMethod<TxnRequest, TxnResponse> Txn = Of<TxnRequest, TxnResponse>("KV/Txn", TxnResponse.Parser);
    public static readonly GrpcMethod<CompactionRequest, CompactionResponse> Compact =
        Of<CompactionRequest, CompactionResponse>("KV/Compact", CompactionResponse.Parser);

    public static readonly GrpcMethod<WatchRequest, WatchResponse> Watch = Of<WatchRequest, WatchResponse>("Watch/Watch", WatchResponse.Parser);

    public static readonly GrpcMethod<LeaseGrantRequest, LeaseGrantResponse> LeaseGrant =
        Of<LeaseGrantRequest, LeaseGrantResponse>("Lease/LeaseGrant", LeaseGrantResponse.Parser);

    public static readonly GrpcMethod<LeaseRevokeRequest, LeaseRevokeResponse> LeaseRevoke =
        Of<LeaseRevokeRequest, LeaseRevokeResponse>("Lease/LeaseRevoke", LeaseRevokeResponse.Parser);

    public static readonly GrpcMethod<LeaseKeepAliveRequest, LeaseKeepAliveResponse> LeaseKeepAlive =
        Of<LeaseKeepAliveRequest, LeaseKeepAliveResponse>("Lease/LeaseKeepAlive", LeaseKeepAliveResponse.Parser);

    public static readonly GrpcMethod<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse> LeaseTimeToLive =
        Of<LeaseTimeToLiveRequest, LeaseTimeToLiveResponse>("Lease/LeaseTimeToLive", LeaseTimeToLiveResponse.Parser);

    public static readonly GrpcMethod<LeaseLeasesRequest, LeaseLeasesResponse> LeaseLeases =
        Of<LeaseLeasesRequest, LeaseLeasesResponse>("Lease/LeaseLeases", LeaseLeasesResponse.Parser);

    public static readonly GrpcMethod<MemberAddRequest, MemberAddResponse> MemberAdd =
        Of<MemberAddRequest, MemberAddResponse>("Cluster/MemberAdd", MemberAddResponse.Parser);

    public static readonly GrpcMethod<MemberRemoveRequest, MemberRemoveResponse> MemberRemove =
        Of<MemberRemoveRequest, MemberRemoveResponse>("Cluster/MemberRemove", MemberRemoveResponse.Parser);

    public static readonly GrpcMethod<MemberUpdateRequest, MemberUpdateResponse> MemberUpdate =
        Of<MemberUpdateRequest, MemberUpdateResponse>("Cluster/MemberUpdate", MemberUpdateResponse.Parser);

    public static readonly GrpcMethod<MemberListRequest, MemberListResponse> MemberList =
        Of<MemberListRequest, MemberListResponse>("Cluster/MemberList", MemberListResponse.Parser);

    public static readonly GrpcMethod<MemberPromoteRequest, MemberPromoteResponse> MemberPromote =
        Of<MemberPromoteRequest, MemberPromoteResponse>("Cluster/MemberPromote", MemberPromoteResponse.Parser);

    public static readonly GrpcMethod<AlarmRequest, AlarmResponse> Alarm = Of<AlarmRequest, AlarmResponse>("Maintenance/Alarm", AlarmResponse.Parser);
    public static readonly GrpcMethod<StatusRequest, StatusResponse> Status = Of<StatusRequest, StatusResponse>("Maintenance/Status", StatusResponse.Parser);
    public static readonly GrpcMethod<DefragmentRequest, DefragmentResponse> Defragment =
        Of<DefragmentRequest, DefragmentResponse>("Maintenance/Defragment", DefragmentResponse.Parser);

    public static readonly GrpcMethod<HashRequest, HashResponse> Hash = Of<HashRequest, HashResponse>("Maintenance/Hash", HashResponse.Parser);
    public static readonly GrpcMethod<HashKVRequest, HashKVResponse> HashKv = Of<HashKVRequest, HashKVResponse>("Maintenance/HashKV", HashKVResponse.Parser);
    public static readonly GrpcMethod<SnapshotRequest, SnapshotResponse> Snapshot =
        Of<SnapshotRequest, SnapshotResponse>("Maintenance/Snapshot", SnapshotResponse.Parser);

    public static readonly GrpcMethod<MoveLeaderRequest, MoveLeaderResponse> MoveLeader =
        Of<MoveLeaderRequest, MoveLeaderResponse>("Maintenance/MoveLeader", MoveLeaderResponse.Parser);

    public static readonly GrpcMethod<DowngradeRequest, DowngradeResponse> Downgrade =
        Of<DowngradeRequest, DowngradeResponse>("Maintenance/Downgrade", DowngradeResponse.Parser);

    public static readonly GrpcMethod<AuthenticateRequest, AuthenticateResponse> Authenticate =
        Of<AuthenticateRequest, AuthenticateResponse>("Auth/Authenticate", AuthenticateResponse.Parser);

    public static GrpcMethod<TRequest, TResponse> Of<TRequest, TResponse>(string name, MessageParser<TResponse> parser)
        where TRequest : IMessage<TRequest>
        where TResponse : class, IMessage<TResponse> =>
        new("/etcdserverpb." + name, parser);
}
