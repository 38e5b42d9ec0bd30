namespace Cairn.Raft.Quorum;

/// <summary>Tells up to where each voter's log is known to match.</summary>
internal interface IAckedIndexes
{
    bool TryGetAckedIndex(ulong voter, out ulong index);
}

/// <summary>Decisions of one set of voters by majority.</summary>
/// <remarks>Source: etcd-io/raft, quorum/majority.go; Raft paper, sections 5.2 and 5.3.</remarks>
internal static class Majority
{
    // More voters than anybody runs; beyond it the sort allocates.
    private const int OnStackMax = 16;

    /// <summary>The highest index that a majority has; for no voters at all everything, so that the other half of a joint quorum decides alone.</summary>
    /// <example>Voters 1, 2, 3 at 5, 9, 7: sorted 5 7 9, and two of three have 7.</example>
    public static ulong CommittedIndex(MemberSet voters, IAckedIndexes acked)
    {
        var count = voters.Count;
        if (count == 0)
        {
            return ulong.MaxValue;
        }

        Span<ulong> indexes = count <= OnStackMax ? stackalloc ulong[OnStackMax] : new ulong[count];
        indexes = indexes[..count];
        for (var i = 0; i < count; i++)
        {
            indexes[i] = acked.TryGetAckedIndex(voters.Ids[i], out var index) ? index : 0;
        }

        indexes.Sort();
        return indexes[count - Size(voters)];
    }

    /// <summary>Where a vote stands; no voters at all have won, so that the other half of a joint quorum decides alone.</summary>
    public static VoteResult Tally(MemberSet voters, Ballot ballot)
    {
        var granted = 0;
        var missing = 0;
        foreach (var id in voters.Ids)
        {
            var vote = ballot.VoteOf(id);
            granted += vote == true ? 1 : 0;
            missing += vote is null ? 1 : 0;
        }

        if (voters.IsEmpty || granted >= Size(voters))
        {
            return VoteResult.Won;
        }

        return granted + missing >= Size(voters) ? VoteResult.Pending : VoteResult.Lost;
    }

    private static int Size(MemberSet voters) => (voters.Count / 2) + 1;
}
