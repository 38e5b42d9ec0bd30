namespace Cairn.Grpc.Calling;

/// <summary>What belongs to one call besides its messages.</summary>
public readonly record struct GrpcCallOptions
{
    /// <summary>
    /// How long the call may take, told to the server too; null for no limit. When it has passed the call ends with
    /// <see cref="GrpcStatusCode.DeadlineExceeded"/>, and whether it took effect is not known.
    /// </summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Names, in lower case, and values that are sent as headers; null for none.</summary>
    public IReadOnlyList<KeyValuePair<string, string>>? Metadata { get; init; }

    /// <summary>Ends the call from the caller's side: it then throws <see cref="OperationCanceledException"/>.</summary>
    public CancellationToken Cancelled { get; init; }
}
