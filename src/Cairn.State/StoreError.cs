namespace Cairn.State;

/// <summary>Every refusal that follows from the state and the request alone; the same on each member.</summary>
/// <remarks>Source: etcd api/v3rpc/rpctypes/error.go; the names follow the texts, which clients match.</remarks>
public enum StoreError
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

    /// <summary>"invalid sort option".</summary>
    InvalidSortOption,

    /// <summary>An alarm action or kind that does not exist.</summary>
    InvalidAlarm,

    /// <summary>"mvcc: required revision has been compacted".</summary>
    Compacted,

    /// <summary>"mvcc: required revision is a future revision".</summary>
    FutureRevision,

    /// <summary>"mvcc: database space exceeded".</summary>
    NoSpace,

    /// <summary>"corrupt cluster".</summary>
    Corrupt,

    /// <summary>"requested lease not found".</summary>
    LeaseNotFound,

    /// <summary>"lease already exists".</summary>
    LeaseExists,

    /// <summary>"too large lease TTL".</summary>
    LeaseTtlTooLarge,

    /// <summary>"member not found"; also for an id that was removed and can never come back.</summary>
    MemberNotFound,

    /// <summary>"member ID already exist".</summary>
    MemberExists,

    /// <summary>"Peer URLs already exists".</summary>
    PeerUrlExists,

    /// <summary>"can only promote a learner member".</summary>
    MemberNotLearner,

    /// <summary>"too many learner members in cluster".</summary>
    TooManyLearners,

    /// <summary>"re-configuration failed due to not enough started members": nobody would be left to vote.</summary>
    NotEnoughStartedMembers,

    /// <summary>"user name is empty".</summary>
    UserNameEmpty,

    /// <summary>"role name is empty".</summary>
    RoleNameEmpty,

    /// <summary>"authentication failed, invalid user ID or password".</summary>
    AuthenticationFailed,

    /// <summary>"authentication failed, password was given for no password user".</summary>
    NoPasswordUser,

    /// <summary>"permission not given".</summary>
    PermissionNotGiven,

    /// <summary>"invalid auth management".</summary>
    InvalidAuthManagement,

    /// <summary>"revision of auth store is old".</summary>
    AuthRevisionOld,

    /// <summary>"permission denied".</summary>
    PermissionDenied,

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
}
