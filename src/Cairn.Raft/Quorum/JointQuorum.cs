namespace Cairn.Raft.Quorum;

/// <summary>One or two sets of voters; with two, every decision needs a majority of each.</summary>
/// <param name="Incoming">The voters that stay.</param>
/// <param name="Outgoing">The voters of the configuration that is being left; empty unless joint.</param>
/// <remarks>Source: etcd-io/raft, quorum/joint.go; Raft dissertation, section 4.3.</remarks>
internal readonly record struct JointQuorum(MemberSet Incoming, MemberSet Outgoing)
{
    public bool IsJoint => !Outgoing.IsEmpty;

    public MemberSet All => Incoming.Union(Outgoing);

    public bool Contains(ulong id) => Incoming.Contains(id) || Outgoing.Contains(id);

    public ulong CommittedIndex(IAckedIndexes acked) =>
        Math.Min(Majority.CommittedIndex(Incoming, acked), Majority.CommittedIndex(Outgoing, acked));

    public VoteResult Tally(Ballot ballot)
    {
        var incoming = Majority.Tally(Incoming, ballot);
        var outgoing = Majority.Tally(Outgoing, ballot);
        if (incoming == outgoing)
        {
            return incoming;
        }

        return incoming == VoteResult.Lost || outgoing == VoteResult.Lost ? VoteResult.Lost : VoteResult.Pending;
    }

    /// <summary>Prints as traces do: <c>(1 2 3)&amp;&amp;(1 2)</c>.</summary>
    public override string ToString() => IsJoint ? $"{Incoming}&&{Outgoing}" : Incoming.ToString();
}
