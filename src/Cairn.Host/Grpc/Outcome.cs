using Cairn.Grpc;

namespace Cairn.Host.Grpc;

/// <summary>What a unary call came to: an answer, or the status that refuses it.</summary>
/// <typeparam name="T">Type of the answer.</typeparam>
internal readonly struct Outcome<T>
    where T : class
{
    private Outcome(T? value, GrpcStatus status)
    {
        Value = value;
        Status = status;
    }

    /// <summary>The answer; null exactly if the call was refused.</summary>
    public T? Value { get; }

    /// <summary>The status; OK exactly if there is an answer.</summary>
    public GrpcStatus Status { get; }

    /// <summary>Answers.</summary>
    public static implicit operator Outcome<T>(T value) => new(value, GrpcStatus.Ok);

    /// <summary>Refuses.</summary>
    public static implicit operator Outcome<T>(GrpcStatus status)
    {
        Invariant.Holds(!status.IsOk);
        return new(null, status);
    }
}
