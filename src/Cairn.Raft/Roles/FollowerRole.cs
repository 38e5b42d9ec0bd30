namespace Cairn.Raft.Roles;

/// <summary>What a follower does with each message.</summary>
/// <remarks>Source: etcd-io/raft, raft.go (stepFollower).</remarks>
internal sealed class FollowerRole(RaftCore core)
{
    public RaftError Step(Message message)
    {
        switch (message.Type)
        {
            case MessageType.Prop:
                return Propose(message);
            case MessageType.App:
                HearLeader(message);
                core.Receiver.Append(message);
                return RaftError.None;
            case MessageType.Heartbeat:
                HearLeader(message);
                return core.Receiver.Heartbeat(message);
            case MessageType.Snap:
                HearLeader(message);
                core.Receiver.InstallSnapshot(message);
                return RaftError.None;
            case MessageType.TransferLeader:
                TransferLeader(message);
                return RaftError.None;
            case MessageType.ForgetLeader:
                ForgetLeader();
                return RaftError.None;
            case MessageType.TimeoutNow:
                TimeoutNow(message);
                return RaftError.None;
            case MessageType.ReadIndex:
                ReadIndex(message);
                return RaftError.None;
            case MessageType.ReadIndexResp:
                ReadIndexResp(message);
                return RaftError.None;
            default:
                return RaftError.None;
        }
    }

    private void HearLeader(Message message)
    {
        core.ElectionElapsed = 0;
        core.Leader = message.From;
    }

    private RaftError Propose(Message message)
    {
        if (core.Leader == LocalTarget.None)
        {
            core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} no leader at term {core.Term}; dropping proposal");
            return RaftError.ProposalDropped;
        }

        if (!core.Config.ForwardProposals)
        {
            core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} not forwarding to leader {core.Leader:x} at term {core.Term}; dropping proposal");
            return RaftError.ProposalDropped;
        }

        core.Outbox.Send(message with { To = core.Leader, From = message.From == LocalTarget.None ? core.Id : message.From });
        return RaftError.None;
    }

    private void TransferLeader(Message message)
    {
        if (core.Leader == LocalTarget.None)
        {
            core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} no leader at term {core.Term}; dropping leader transfer msg");
            return;
        }

        core.Outbox.Send(message with { To = core.Leader, Term = core.Term });
    }

    private void ForgetLeader()
    {
        if (core.Config.ReadOnlyMode == ReadOnlyMode.LeaseBased)
        {
            core.Trace?.Write(RaftTraceLevel.Error, "ignoring MsgForgetLeader due to ReadOnlyLeaseBased");
            return;
        }

        if (core.Leader != LocalTarget.None)
        {
            core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} forgetting leader {core.Leader:x} at term {core.Term}");
            core.Leader = LocalTarget.None;
        }
    }

    /// <summary>The leader wants this member to succeed it; it would win, so there is nothing to ask beforehand.</summary>
    private void TimeoutNow(Message message)
    {
        core.Trace?.Write(
            RaftTraceLevel.Info,
            $"{core.Id:x} [term {core.Term}] received MsgTimeoutNow from {message.From:x} and starts an election to get leadership.");
        core.Election.Start(CampaignKind.Transfer);
    }

    private void ReadIndex(Message message)
    {
        if (core.Leader == LocalTarget.None)
        {
            core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} no leader at term {core.Term}; dropping index reading msg");
            return;
        }

        core.Outbox.Send(message with { To = core.Leader, From = message.From == LocalTarget.None ? core.Id : message.From });
    }

    private void ReadIndexResp(Message message)
    {
        if (message.Entries.Length != 1)
        {
            core.Trace?.Write(
                RaftTraceLevel.Error,
                $"{core.Id:x} invalid format of MsgReadIndexResp from {message.From:x}, entries count: {message.Entries.Length}");
            return;
        }

        core.Outbox.AddReadState(new ReadState(message.Index, message.Entries.Span[0].Data));
    }
}
