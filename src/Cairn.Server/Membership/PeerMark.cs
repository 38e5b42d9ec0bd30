namespace Cairn.Server.Membership;

/// <summary>The furthest that another member was seen to have promised, and the process that was seen.</summary>
/// <remarks>
/// <para>A disk that holds less than this was rolled back, or lies. What it may lawfully have lost is told apart exactly:</para>
/// <code>
///   durable term below Term              it forgot a vote or an acknowledgement
///   durable term = Term, end below Index it forgot an acknowledgement: within a term a leader takes nothing back
///   end below CommittedIndex             it forgot an acknowledgement of what is committed, which nobody ever takes back
/// </code>
/// <para>An end below Index alone proves nothing, once the term is higher: a later leader may have cut off what was not committed.</para>
/// </remarks>
public sealed record PeerMark
{
    /// <summary>The process that was accepted last.</summary>
    public required ProcessIdentity Process { get; init; }

    /// <summary>Highest term in which it promised something.</summary>
    public ulong Term { get; init; }

    /// <summary>Highest index that it acknowledged in that term.</summary>
    public ulong Index { get; init; }

    /// <summary>Highest committed index that it acknowledged.</summary>
    public ulong CommittedIndex { get; init; }

    /// <summary>Index of the verdict by which the process was accepted; 0 if it was by what was remembered.</summary>
    public ulong JudgedAt { get; init; }

    /// <summary>Whether a log holds all that was promised.</summary>
    /// <param name="end">Its end.</param>
    /// <returns>False if something is missing.</returns>
    public bool IsHeldBy(in LogEnd end) =>
        end.Term >= Term && (end.Term > Term || end.LastIndex >= Index) && end.LastIndex >= CommittedIndex;
}
