namespace Cairn.Grpc;

/// <summary>How a call ended. The numbers are those on the wire.</summary>
/// <remarks>Source: https://github.com/grpc/grpc/blob/master/doc/statuscodes.md.</remarks>
public enum GrpcStatusCode
{
    /// <summary>The call succeeded.</summary>
    Ok = 0,

    /// <summary>The caller gave up.</summary>
    Canceled = 1,

    /// <summary>The server gave no better code.</summary>
    Unknown = 2,

    /// <summary>The request is wrong whatever the state of the server.</summary>
    InvalidArgument = 3,

    /// <summary>Time ran out before the call ended; whether it took effect is not known.</summary>
    DeadlineExceeded = 4,

    /// <summary>What was asked for does not exist.</summary>
    NotFound = 5,

    /// <summary>What was to be created exists.</summary>
    AlreadyExists = 6,

    /// <summary>The caller is known and may not do this.</summary>
    PermissionDenied = 7,

    /// <summary>A quota or a limit was reached.</summary>
    ResourceExhausted = 8,

    /// <summary>The server is not in the state that the call needs.</summary>
    FailedPrecondition = 9,

    /// <summary>A conflict ended the call; it may be tried again from its start.</summary>
    Aborted = 10,

    /// <summary>The request lies past the valid range.</summary>
    OutOfRange = 11,

    /// <summary>The server does not have this method.</summary>
    Unimplemented = 12,

    /// <summary>The protocol was broken, or the server is wrong.</summary>
    Internal = 13,

    /// <summary>The server cannot answer now; try again.</summary>
    Unavailable = 14,

    /// <summary>Data was lost or is corrupt.</summary>
    DataLoss = 15,

    /// <summary>The caller is not known.</summary>
    Unauthenticated = 16,
}
