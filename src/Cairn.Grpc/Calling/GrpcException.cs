namespace Cairn.Grpc.Calling;

/// <summary>A call ended with another status than success.</summary>
public sealed class GrpcException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="status">How the call ended.</param>
    /// <param name="neverSent">Whether it is certain that no server saw the request.</param>
    /// <param name="inner">What failed beneath, if the status was not the server's.</param>
    public GrpcException(GrpcStatus status, bool neverSent = false, Exception? inner = null)
        : base($"{status.Code}: {status.Message}", inner)
    {
        Status = status;
        NeverSent = neverSent;
    }

    /// <summary>How the call ended.</summary>
    public GrpcStatus Status { get; }

    /// <summary>The code of <see cref="Status"/>.</summary>
    public GrpcStatusCode Code => Status.Code;

    /// <summary>Whether it is certain that no server saw the request: only then may a write be tried again without the risk of doing it twice.</summary>
    public bool NeverSent { get; }
}
