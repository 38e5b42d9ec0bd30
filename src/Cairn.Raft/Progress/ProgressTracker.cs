using Cairn.Raft.Membership;
using Cairn.Raft.Quorum;

namespace Cairn.Raft.Progress;

/// <summary>The active configuration, what is known of its members' logs, and the votes of the running election. Owned by the core; not thread-safe.</summary>
/// <remarks>Source: etcd-io/raft, tracker/tracker.go.</remarks>
internal sealed class ProgressTracker(int inflightMessagesMax, ulong inflightBytesMax)
{
    private readonly Ballot _votes = new();
    private readonly Ballot _activity = new();

    public MembershipConfig Config { get; private set; } = MembershipConfig.Empty;

    public ProgressMap Peers { get; private set; } = new();

    /// <summary>Whether the configuration has one voter, who then decides alone.</summary>
    public bool IsSingleton => Config.Voters.Incoming.Count == 1 && !Config.Voters.IsJoint;

    /// <summary>The highest index that a quorum has acknowledged.</summary>
    public ulong Committed => Config.Voters.CommittedIndex(Peers);

    public void Use(MembershipConfig config, ProgressMap peers)
    {
        Invariant.Holds(config.FindFlaw(peers) is null);
        Config = config;
        Peers = peers;
    }

    public PeerProgress NewPeer(ulong next, bool isLearner) => new()
    {
        Next = next,
        IsLearner = isLearner,
        Inflights = new Inflights(inflightMessagesMax, inflightBytesMax),

        // Otherwise a quorum check between adding the member and its first word would count it as silent.
        RecentlyActive = true,
    };

    public bool IsQuorumActive()
    {
        _activity.Clear();
        for (var i = 0; i < Peers.Count; i++)
        {
            var peer = Peers.At(i);
            if (!peer.IsLearner)
            {
                _activity.Record(Peers.IdAt(i), peer.RecentlyActive);
            }
        }

        return Config.Voters.Tally(_activity) == VoteResult.Won;
    }

    public void ResetVotes() => _votes.Clear();

    public void RecordVote(ulong id, bool granted) => _votes.Record(id, granted);

    /// <summary>Counts the votes of voters, and tells where the election stands.</summary>
    public (int Granted, int Rejected, VoteResult Result) TallyVotes()
    {
        var granted = 0;
        var rejected = 0;
        for (var i = 0; i < Peers.Count; i++)
        {
            if (Peers.At(i).IsLearner || _votes.VoteOf(Peers.IdAt(i)) is not { } vote)
            {
                continue;
            }

            granted += vote ? 1 : 0;
            rejected += vote ? 0 : 1;
        }

        return (granted, rejected, Config.Voters.Tally(_votes));
    }
}
