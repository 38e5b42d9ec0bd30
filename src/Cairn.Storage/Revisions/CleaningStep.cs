namespace Cairn.Storage.Revisions;

/// <summary>What one step of the cleaner did. The owner of the log hands it to <see cref="RevisionLog.Complete"/>, every step once, in order.</summary>
public sealed class CleaningStep
{
    internal CleaningStep(CleaningRound round, IReadOnlyList<RecordMove> moves, long outputEnd, long bytesRead, bool isLast)
    {
        Round = round;
        Moves = moves;
        OutputEnd = outputEnd;
        BytesRead = bytesRead;
        IsLast = isLast;
    }

    /// <summary>Records that now lie in two places. Durable.</summary>
    public IReadOnlyList<RecordMove> Moves { get; }

    /// <summary>Bytes of records looked at.</summary>
    public long BytesRead { get; }

    /// <summary>Whether the round ends with it.</summary>
    public bool IsLast { get; }

    internal CleaningRound Round { get; }

    internal long OutputEnd { get; }
}
