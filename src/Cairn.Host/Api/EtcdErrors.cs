using Cairn.Grpc;
using Cairn.Host.Grpc;
using Cairn.Server;

namespace Cairn.Host.Api;

/// <summary>etcd's code and text of every expected refusal. Go clients match the text first, so each stands here exactly, and only here.</summary>
/// <remarks>Source: etcd api/v3rpc/rpctypes/error.go and server/etcdserver/api/v3rpc/util.go, 3.6.</remarks>
internal static class EtcdErrors
{
    private static readonly GrpcStatus[] Table = Build();

    /// <summary>The status of a refusal.</summary>
    public static GrpcStatus StatusOf(NodeError error)
    {
        Invariant.Holds(error != NodeError.None);
        return Table[(int)error];
    }

    /// <summary>The outcome of a call that the node answered.</summary>
    public static Outcome<T> ToOutcome<T>(this Answer<T> answer)
        where T : class => answer.Succeeded ? answer.Value : StatusOf(answer.Error);

    private static GrpcStatus[] Build()
    {
        NodeError[] all = Enum.GetValues<NodeError>();
        var table = new GrpcStatus[all.Length];
        foreach (NodeError error in all)
        {
            table[(int)error] = error == NodeError.None ? GrpcStatus.Ok : Of(error);
        }

        return table;
    }

    private static GrpcStatus Of(NodeError error) =>
        Request(error) ?? Auth(error) ?? Membership(error) ?? Availability(error) ?? throw Invariant.Unreachable($"no status for {error}");

    private static GrpcStatus? Request(NodeError error) => error switch
    {
        NodeError.EmptyKey => Invalid("key is not provided"),
        NodeError.KeyNotFound => Invalid("key not found"),
        NodeError.ValueProvided => Invalid("value is provided"),
        NodeError.LeaseProvided => Invalid("lease is provided"),
        NodeError.TooManyOperations => Invalid("too many operations in txn request"),
        NodeError.DuplicateKey => Invalid("duplicate key given in txn request"),
        NodeError.InvalidClientApiVersion => Invalid("invalid client api version"),
        NodeError.InvalidSortOption => Invalid("invalid sort option"),
        NodeError.InvalidAlarm => Invalid("invalid alarm action or type"),
        NodeError.RequestTooLarge => Invalid("request is too large"),
        NodeError.LeaseNotFound => Etcd(GrpcStatusCode.NotFound, "requested lease not found"),
        NodeError.LeaseExists => Failed("lease already exists"),
        NodeError.LeaseTtlTooLarge => Etcd(GrpcStatusCode.OutOfRange, "too large lease TTL"),
        NodeError.Compacted => Etcd(GrpcStatusCode.OutOfRange, "mvcc: required revision has been compacted"),
        NodeError.FutureRevision => Etcd(GrpcStatusCode.OutOfRange, "mvcc: required revision is a future revision"),
        NodeError.NoSpace => Etcd(GrpcStatusCode.ResourceExhausted, "mvcc: database space exceeded"),
        NodeError.UnknownMethod => Etcd(GrpcStatusCode.Unknown, "unknown method"),
        NodeError.StreamSortUnsupported => new GrpcStatus(GrpcStatusCode.Unimplemented, "RangeStream does not support custom sort orders"),
        NodeError.StreamFilterUnsupported => new GrpcStatus(GrpcStatusCode.Unimplemented, "RangeStream does not support revision filters"),
        _ => null,
    };

    private static GrpcStatus? Auth(NodeError error) => error switch
    {
        NodeError.UserNameEmpty => Invalid("user name is empty"),
        NodeError.RoleNameEmpty => Invalid("role name is empty"),
        NodeError.AuthenticationFailed => Invalid("authentication failed, invalid user ID or password"),
        NodeError.PermissionNotGiven => Invalid("permission not given"),
        NodeError.InvalidAuthManagement => Invalid("invalid auth management"),
        NodeError.AuthRevisionOld => Invalid("revision of auth store is old"),
        NodeError.PermissionDenied => Etcd(GrpcStatusCode.PermissionDenied, "permission denied"),
        NodeError.RootUserMissing => Failed("root user does not exist"),
        NodeError.RootRoleMissing => Failed("root user does not have root role"),
        NodeError.UserExists => Failed("user name already exists"),
        NodeError.UserNotFound => Failed("user name not found"),
        NodeError.RoleExists => Failed("role name already exists"),
        NodeError.RoleNotFound => Failed("role name not found"),
        NodeError.RoleNotGranted => Failed("role is not granted to the user"),
        NodeError.PermissionNotGranted => Failed("permission is not granted to the role"),
        NodeError.AuthNotEnabled => Failed("authentication is not enabled"),
        NodeError.NoPasswordUser => new GrpcStatus(GrpcStatusCode.Unknown, "auth: authentication failed, password was given for no password user"),
        NodeError.TokenKeyVerifyOnly => new GrpcStatus(GrpcStatusCode.Unknown, "auth: token signing attempted with verify-only key"),
        NodeError.PasswordTooLong => new GrpcStatus(GrpcStatusCode.Unknown, "bcrypt: password length exceeds 72 bytes"),
        NodeError.InvalidAuthToken => Etcd(GrpcStatusCode.Unauthenticated, "invalid auth token"),
        _ => null,
    };

    private static GrpcStatus? Membership(NodeError error) => error switch
    {
        NodeError.InvalidMemberUrls => Invalid("given member URLs are invalid"),
        NodeError.MemberNotFound => Etcd(GrpcStatusCode.NotFound, "member not found"),
        NodeError.MemberExists => Failed("member ID already exist"),
        NodeError.PeerUrlExists => Failed("Peer URLs already exists"),
        NodeError.NotEnoughStartedMembers => Etcd(GrpcStatusCode.Unknown, "re-configuration failed due to not enough started members"),
        NodeError.MemberNotLearner => Failed("can only promote a learner member"),
        NodeError.LearnerNotReady => Failed("can only promote a learner member which is in sync with leader"),
        NodeError.TooManyLearners => Failed("too many learner members in cluster"),
        NodeError.BadLeaderTransferee => Failed("bad leader transferee"),
        NodeError.NotLeader => Failed("not leader"),
        NodeError.NotCapable => Failed("not capable"),
        NodeError.NotSupportedForLearner => Failed("rpc not supported for learner"),
        NodeError.ClusterVersionUnavailable => Failed("cluster version not found during downgrade"),
        NodeError.WrongDowngradeVersionFormat => Invalid("wrong downgrade target version format"),
        NodeError.InvalidDowngradeTargetVersion => Invalid("invalid downgrade target version"),
        NodeError.DowngradeInProgress => Failed("cluster has a downgrade job in progress"),
        NodeError.NoInflightDowngrade => Failed("no inflight downgrade job"),
        _ => null,
    };

    private static GrpcStatus? Availability(NodeError error) => error switch
    {
        NodeError.NoLeader => Unavailable("no leader"),
        NodeError.LeaderChanged => Unavailable("leader changed"),
        NodeError.Stopped => Unavailable("server stopped"),
        NodeError.Timeout => Unavailable("request timed out"),
        NodeError.TimeoutLeaderFailure => Unavailable("request timed out, possibly due to previous leader failure"),
        NodeError.TimeoutConnectionLost => Unavailable("request timed out, possibly due to connection lost"),
        NodeError.TimeoutWaitingForApply => Unavailable("request timed out, waiting for the applied index took too long"),
        NodeError.TimeoutLeaderTransfer => Etcd(GrpcStatusCode.Unknown, "request timed out, leader transfer took too long"),
        NodeError.UnhealthyCluster => Unavailable("unhealthy cluster"),
        NodeError.HealNotProposed => Etcd(GrpcStatusCode.NotFound, "healing proposes nothing of that key; `cairn heal status` shows what it proposes"),
        NodeError.DiskUnusable => Unavailable("the disk of this member cannot be written"),
        NodeError.TooManyRequests => Etcd(GrpcStatusCode.Unknown, "too many requests"),
        NodeError.Corrupt => Etcd(GrpcStatusCode.DataLoss, "corrupt cluster"),
        NodeError.Canceled => Etcd(GrpcStatusCode.Canceled, "request canceled"),
        NodeError.DeadlineExceeded => new GrpcStatus(GrpcStatusCode.DeadlineExceeded, "context deadline exceeded"),
        _ => null,
    };

    private static GrpcStatus Invalid(string text) => Etcd(GrpcStatusCode.InvalidArgument, text);

    private static GrpcStatus Failed(string text) => Etcd(GrpcStatusCode.FailedPrecondition, text);

    private static GrpcStatus Unavailable(string text) => Etcd(GrpcStatusCode.Unavailable, text);

    private static GrpcStatus Etcd(GrpcStatusCode code, string text) => new(code, $"etcdserver: {text}");
}
