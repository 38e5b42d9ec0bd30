namespace Cairn.Server;

/// <summary>Every expected refusal of a request. The API layer maps each one, once, to etcd's status code and text.</summary>
/// <remarks>Source: etcd api/v3rpc/rpctypes/error.go; the names follow the texts, which clients match.</remarks>
public enum NodeError
{
    /// <summary>The request succeeded.</summary>
    None = 0,

    /// <summary>"key is not provided".</summary>
    EmptyKey,

    /// <summary>"key not found".</summary>
    KeyNotFound,

    /// <summary>"value is provided".</summary>
    ValueProvided,

    /// <summary>"lease is provided".</summary>
    LeaseProvided,

    /// <summary>"too many operations in txn request".</summary>
    TooManyOperations,

    /// <summary>"duplicate key given in txn request".</summary>
    DuplicateKey,

    /// <summary>"invalid client api version".</summary>
    InvalidClientApiVersion,

    /// <summary>"invalid sort option".</summary>
    InvalidSortOption,

    /// <summary>An alarm action or kind that does not exist.</summary>
    InvalidAlarm,

    /// <summary>"given member URLs are invalid".</summary>
    InvalidMemberUrls,

    /// <summary>"request is too large".</summary>
    RequestTooLarge,

    /// <summary>"user name is empty".</summary>
    UserNameEmpty,

    /// <summary>"role name is empty".</summary>
    RoleNameEmpty,

    /// <summary>"authentication failed, invalid user ID or password".</summary>
    AuthenticationFailed,

    /// <summary>"auth: authentication failed, password was given for no password user", without the usual prefix.</summary>
    NoPasswordUser,

    /// <summary>"permission not given".</summary>
    PermissionNotGiven,

    /// <summary>"invalid auth management".</summary>
    InvalidAuthManagement,

    /// <summary>"revision of auth store is old".</summary>
    AuthRevisionOld,

    /// <summary>"wrong downgrade target version format".</summary>
    WrongDowngradeVersionFormat,

    /// <summary>"invalid downgrade target version".</summary>
    InvalidDowngradeTargetVersion,

    /// <summary>"requested lease not found".</summary>
    LeaseNotFound,

    /// <summary>"member not found".</summary>
    MemberNotFound,

    /// <summary>"permission denied".</summary>
    PermissionDenied,

    /// <summary>"mvcc: database space exceeded".</summary>
    NoSpace,

    /// <summary>"too many requests".</summary>
    TooManyRequests,

    /// <summary>"lease already exists".</summary>
    LeaseExists,

    /// <summary>"member ID already exist".</summary>
    MemberExists,

    /// <summary>"Peer URLs already exists".</summary>
    PeerUrlExists,

    /// <summary>"re-configuration failed due to not enough started members".</summary>
    NotEnoughStartedMembers,

    /// <summary>"can only promote a learner member".</summary>
    MemberNotLearner,

    /// <summary>"can only promote a learner member which is in sync with leader".</summary>
    LearnerNotReady,

    /// <summary>"too many learner members in cluster".</summary>
    TooManyLearners,

    /// <summary>"root user does not exist".</summary>
    RootUserMissing,

    /// <summary>"root user does not have root role".</summary>
    RootRoleMissing,

    /// <summary>"user name already exists".</summary>
    UserExists,

    /// <summary>"user name not found".</summary>
    UserNotFound,

    /// <summary>"role name already exists".</summary>
    RoleExists,

    /// <summary>"role name not found".</summary>
    RoleNotFound,

    /// <summary>"role is not granted to the user".</summary>
    RoleNotGranted,

    /// <summary>"permission is not granted to the role".</summary>
    PermissionNotGranted,

    /// <summary>"authentication is not enabled".</summary>
    AuthNotEnabled,

    /// <summary>"not leader".</summary>
    NotLeader,

    /// <summary>"bad leader transferee".</summary>
    BadLeaderTransferee,

    /// <summary>"cluster has a downgrade job in progress".</summary>
    DowngradeInProgress,

    /// <summary>"no inflight downgrade job".</summary>
    NoInflightDowngrade,

    /// <summary>"not capable".</summary>
    NotCapable,

    /// <summary>"rpc not supported for learner".</summary>
    NotSupportedForLearner,

    /// <summary>"cluster version not found during downgrade".</summary>
    ClusterVersionUnavailable,

    /// <summary>"mvcc: required revision has been compacted".</summary>
    Compacted,

    /// <summary>"mvcc: required revision is a future revision".</summary>
    FutureRevision,

    /// <summary>"too large lease TTL".</summary>
    LeaseTtlTooLarge,

    /// <summary>"no leader".</summary>
    NoLeader,

    /// <summary>"leader changed".</summary>
    LeaderChanged,

    /// <summary>"server stopped".</summary>
    Stopped,

    /// <summary>"request timed out".</summary>
    Timeout,

    /// <summary>"request timed out, possibly due to previous leader failure".</summary>
    TimeoutLeaderFailure,

    /// <summary>"request timed out, possibly due to connection lost".</summary>
    TimeoutConnectionLost,

    /// <summary>"request timed out, waiting for the applied index took too long".</summary>
    TimeoutWaitingForApply,

    /// <summary>"request timed out, leader transfer took too long".</summary>
    TimeoutLeaderTransfer,

    /// <summary>"unhealthy cluster".</summary>
    UnhealthyCluster,

    /// <summary>"corrupt cluster".</summary>
    Corrupt,

    /// <summary>"invalid auth token".</summary>
    InvalidAuthToken,

    /// <summary>"auth: token signing attempted with verify-only key", without the usual prefix.</summary>
    TokenKeyVerifyOnly,

    /// <summary>"bcrypt: password length exceeds 72 bytes", without the usual prefix.</summary>
    PasswordTooLong,

    /// <summary>"request canceled".</summary>
    Canceled,

    /// <summary>"context deadline exceeded", without the usual prefix.</summary>
    DeadlineExceeded,

    /// <summary>"unknown method".</summary>
    UnknownMethod,

    /// <summary>RangeStream refuses to sort; answered as unimplemented.</summary>
    StreamSortUnsupported,

    /// <summary>RangeStream refuses filters by revision; answered as unimplemented.</summary>
    StreamFilterUnsupported,

    /// <summary>Healing proposes nothing of that key.</summary>
    HealNotProposed,

    /// <summary>This member's disk fails or is full, so that it can promise nothing; reads go on.</summary>
    DiskUnusable,
}
