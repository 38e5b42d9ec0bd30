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
/// <para>Ends are those of a start. A process that made the last promise itself holds it, and held those before when it was accepted: it may come back after a copy of its disk was heard in its place.</para>
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

    /// <summary>Nonce of the process that was seen to make the last of these promises; 0 if none was.</summary>
    public ulong PromisedBy { get; init; }

    /// <summary>Whether a process holds all that was promised.</summary>
    /// <param name="process">The process.</param>
    /// <param name="end">The end of the log that it found when it started.</param>
    /// <returns>False if something is missing.</returns>
    public bool IsHeldBy(ProcessIdentity process, in LogEnd end) =>
        (PromisedBy != 0 && PromisedBy == process.Nonce) || (end.Term >= Term && (end.Term > Term || end.LastIndex >= Index) && end.LastIndex >= CommittedIndex);
}
