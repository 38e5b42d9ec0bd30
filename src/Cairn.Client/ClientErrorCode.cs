namespace Cairn.Client;

/// <summary>How a call failed. The numbers are those of gRPC.</summary>
/// <remarks>Source: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md.</remarks>
public enum ClientErrorCode
{
    /// <summary>The call was cancelled by the server.</summary>
    Canceled = 1,

    /// <summary>The server gave no better code.</summary>
    Unknown = 2,

    /// <summary>The request is wrong whatever the state of the store.</summary>
    InvalidArgument = 3,

    /// <summary>Time ran out; whether the call took effect is not known.</summary>
    DeadlineExceeded = 4,

    /// <summary>What was asked for does not exist.</summary>
    NotFound = 5,

    /// <summary>What was to be created exists.</summary>
    AlreadyExists = 6,

    /// <summary>The user may not do this.</summary>
    PermissionDenied = 7,

    /// <summary>A quota or a limit was reached.</summary>
    ResourceExhausted = 8,

    /// <summary>The store is not in the state that the call needs.</summary>
    FailedPrecondition = 9,

    /// <summary>A conflict ended the call.</summary>
    Aborted = 10,

    /// <summary>The revision is compacted or in the future, or another number is out of its range.</summary>
    OutOfRange = 11,

    /// <summary>The server does not have this method.</summary>
    Unimplemented = 12,

    /// <summary>The protocol was broken.</summary>
    Internal = 13,

    /// <summary>No endpoint can answer now; whether a write took effect is not known unless <see cref="ClientException.NeverSent"/> says so.</summary>
    Unavailable = 14,

    /// <summary>Data was lost or is corrupt.</summary>
    DataLoss = 15,

    /// <summary>The token is not valid.</summary>
    Unauthenticated = 16,
}
