using Cairn.Grpc.Calling;

namespace Cairn.Client;

/// <summary>A call to the store failed, after what could be tried again was tried again.</summary>
public sealed class ClientException : Exception
{
    internal ClientException(GrpcException cause)
        : base(cause.Status.Message, cause)
    {
        Code = (ClientErrorCode)cause.Code;
        NeverSent = cause.NeverSent;
    }

    internal ClientException(ClientErrorCode code, string message)
        : base(message)
    {
        Code = code;
    }

    /// <summary>How the call failed; <see cref="Exception.Message"/> is the server's text, which is more precise.</summary>
    public ClientErrorCode Code { get; }

    /// <summary>Whether it is certain that no server saw the request, so that it took no effect.</summary>
    public bool NeverSent { get; }
}
