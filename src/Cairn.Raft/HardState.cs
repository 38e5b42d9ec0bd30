namespace Cairn.Raft;

/// <summary>What a member must remember through a crash to keep its promises (Raft paper, figure 2, "persistent state").</summary>
/// <param name="Term">Latest term seen.</param>
/// <param name="Vote">Whom this member voted for in <paramref name="Term"/>; 0 is nobody.</param>
/// <param name="Commit">Highest index known to be committed; may lag, it is never needed for safety.</param>
public readonly record struct HardState(ulong Term, ulong Vote, ulong Commit)
{
    /// <summary>Whether nothing was ever remembered.</summary>
    public bool IsEmpty => this == default;
}
