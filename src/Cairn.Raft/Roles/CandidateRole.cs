namespace Cairn.Raft.Roles;

/// <summary>What a candidate or pre-candidate does with each message.</summary>
/// <remarks>Source: etcd-io/raft, raft.go (stepCandidate).</remarks>
internal sealed class CandidateRole(RaftCore core)
{
    public RaftError Step(Message message)
    {
        switch (message.Type)
        {
            case MessageType.Prop:
                core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} no leader at term {core.Term}; dropping proposal");
                return RaftError.ProposalDropped;
            case MessageType.App:
                YieldTo(message);
                core.Receiver.Append(message);
                return RaftError.None;
            case MessageType.Heartbeat:
                YieldTo(message);
                return core.Receiver.Heartbeat(message);
            case MessageType.Snap:
                YieldTo(message);
                core.Receiver.InstallSnapshot(message);
                return RaftError.None;
            case MessageType.VoteResp when core.Role == RaftRole.Candidate:
            case MessageType.PreVoteResp when core.Role == RaftRole.PreCandidate:
                core.Election.Count(message);
                return RaftError.None;
            case MessageType.TimeoutNow:
                core.Trace?.Write(
                    RaftTraceLevel.Debug,
                    $"{core.Id:x} [term {core.Term} state State{core.Role}] ignored MsgTimeoutNow from {message.From:x}");
                return RaftError.None;
            default:
                return RaftError.None;
        }
    }

    /// <summary>Somebody else leads this term.</summary>
    private void YieldTo(Message message)
    {
        Invariant.Holds(message.Term == core.Term);
        core.BecomeFollower(message.Term, message.From);
    }
}
