namespace Cairn.Raft;

/// <summary>What a <see cref="Message"/> says.</summary>
/// <remarks>Source: raftpb.MessageType; the numbers are on the wire. The names are raftpb's without their prefix, so that traces read alike.</remarks>
public enum MessageType
{
    /// <summary>Local: start an election.</summary>
    Hup = 0,

    /// <summary>Local: the leader sends heartbeats.</summary>
    Beat = 1,

    /// <summary>Entries to append; a follower forwards it to its leader.</summary>
    Prop = 2,

    /// <summary>Leader to follower: entries after (Index, LogTerm), and the commit index.</summary>
    App = 3,

    /// <summary>Follower to leader: appended up to Index, or rejected with a hint.</summary>
    AppResp = 4,

    /// <summary>Candidate asks for a vote.</summary>
    Vote = 5,

    /// <summary>Answer to <see cref="Vote"/>.</summary>
    VoteResp = 6,

    /// <summary>Leader to follower: a snapshot, because the entries that the follower needs are gone.</summary>
    Snap = 7,

    /// <summary>Leader to follower: the leader lives; carries a commit index and the context of a pending read.</summary>
    Heartbeat = 8,

    /// <summary>Answer to <see cref="Heartbeat"/>.</summary>
    HeartbeatResp = 9,

    /// <summary>Local: the transport failed to send to From.</summary>
    Unreachable = 10,

    /// <summary>Local: how the sending of a snapshot to From ended.</summary>
    SnapStatus = 11,

    /// <summary>Local: the leader checks that a quorum was heard from.</summary>
    CheckQuorum = 12,

    /// <summary>Hand leadership to From; a follower forwards it to its leader.</summary>
    TransferLeader = 13,

    /// <summary>Leader to its successor: campaign now.</summary>
    TimeoutNow = 14,

    /// <summary>Asks for an index at which a read is linearizable; a follower forwards it to its leader.</summary>
    ReadIndex = 15,

    /// <summary>Answer to <see cref="ReadIndex"/>.</summary>
    ReadIndexResp = 16,

    /// <summary>Asks whether a vote would be granted, without changing anybody's term.</summary>
    PreVote = 17,

    /// <summary>Answer to <see cref="PreVote"/>.</summary>
    PreVoteResp = 18,

    /// <summary>Local, to the log writer: persist entries, hard state and snapshot, then deliver the responses.</summary>
    StorageAppend = 19,

    /// <summary>Local, from the log writer: what was handed out up to Index is durable.</summary>
    StorageAppendResp = 20,

    /// <summary>Local, to the state machine: apply committed entries, then deliver the responses.</summary>
    StorageApply = 21,

    /// <summary>Local, from the state machine: the entries were applied.</summary>
    StorageApplyResp = 22,

    /// <summary>Local: a follower forgets its leader, so that it may grant pre-votes at once.</summary>
    ForgetLeader = 23,
}
