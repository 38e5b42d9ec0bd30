using Cairn.Raft.Log;

namespace Cairn.Raft.Roles;

/// <summary>Compares a message's term with ours before anything else is done with it (Raft paper, section 5.1).</summary>
/// <remarks>Source: etcd-io/raft, raft.go (Step); Raft dissertation, sections 4.2.3 and 9.6.</remarks>
internal sealed class TermGate(RaftCore core)
{
    /// <summary>Follows a higher term, answers a lower one; false if the message is thereby done with.</summary>
    public bool Admits(Message message)
    {
        if (message.Term == 0 || message.Term == core.Term)
        {
            return true;
        }

        if (message.Term < core.Term)
        {
            AnswerLower(message);
            return false;
        }

        if (MessageTypes.IsVoteRequest(message.Type) && IsHeldOffByLeader(message))
        {
            return false;
        }

        FollowHigher(message);
        return true;
    }

    /// <summary>A member that hears from its leader neither votes nor changes its term, unless that leader itself wants to be succeeded.</summary>
    private bool IsHeldOffByLeader(Message message)
    {
        var inLease = core.Config.CheckQuorum && core.Leader != LocalTarget.None && core.ElectionElapsed < core.Config.ElectionTicks;
        if (!inLease || CampaignContext.IsTransfer(message.Context))
        {
            return false;
        }

        var last = core.Log.LastId;
        core.Trace?.Write(
            RaftTraceLevel.Info,
            $"{core.Id:x} [logterm: {last.Term}, index: {last.Index}, vote: {core.Vote:x}] ignored Msg{message.Type} from {message.From:x} "
            + $"[logterm: {message.LogTerm}, index: {message.Index}] at term {core.Term}: lease is not expired "
            + $"(remaining ticks: {core.Config.ElectionTicks - core.ElectionElapsed})");
        return true;
    }

    private void FollowHigher(Message message)
    {
        // A pre-vote asks about a term that nobody has entered, and a granted one speaks of it.
        if (message.Type == MessageType.PreVote || (message.Type == MessageType.PreVoteResp && !message.Reject))
        {
            return;
        }

        core.Trace?.Write(
            RaftTraceLevel.Info,
            $"{core.Id:x} [term: {core.Term}] received a Msg{message.Type} message with higher term from {message.From:x} [term: {message.Term}]");
        core.BecomeFollower(message.Term, MessageTypes.IsFromLeader(message.Type) ? message.From : LocalTarget.None);
    }

    private void AnswerLower(Message message)
    {
        if ((core.Config.CheckQuorum || core.Config.PreVote) && message.Type is MessageType.Heartbeat or MessageType.App)
        {
            // A member that advanced its term while it was cut off cannot join its leader's older term, and its vote requests are held off:
            // this answer makes the leader step down, so that a new election frees the member. With pre-votes that hardly happens.
            core.Outbox.Send(new Message { Type = MessageType.AppResp, To = message.From, From = core.Id, Term = core.Term });
        }
        else if (message.Type == MessageType.PreVote)
        {
            // Without an answer, a member with the higher term but the shorter log and its peers could wait for each other forever.
            RejectPreVote(message);
        }
        else if (message.Type == MessageType.StorageAppendResp)
        {
            AcceptLateAppend(message);
        }
        else
        {
            core.Trace?.Write(
                RaftTraceLevel.Info,
                $"{core.Id:x} [term: {core.Term}] ignored a Msg{message.Type} message with lower term from {message.From:x} [term: {message.Term}]");
        }
    }

    private void RejectPreVote(Message message)
    {
        core.Election.TraceVote("rejected", message, core.Log.LastId, new EntryId(message.LogTerm, message.Index));
        core.Outbox.Send(new Message { Type = MessageType.PreVoteResp, To = message.From, From = core.Id, Term = core.Term, Reject = true });
    }

    /// <summary>Entries written in an older term may be replaced by a write under way, so they do not count as durable; a snapshot does.</summary>
    private void AcceptLateAppend(Message message)
    {
        if (message.Index != 0)
        {
            core.Trace?.Write(
                RaftTraceLevel.Info,
                $"{core.Id:x} [term: {core.Term}] ignored entry appends from a Msg{message.Type} message with lower term [term: {message.Term}]");
        }

        if (message.Snapshot is { } snapshot)
        {
            core.AppliedSnapshot(snapshot);
        }
    }
}
