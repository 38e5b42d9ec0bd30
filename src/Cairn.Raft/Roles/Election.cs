using Cairn.Raft.Log;
using Cairn.Raft.Quorum;

namespace Cairn.Raft.Roles;

/// <summary>Campaigns, votes and counts votes.</summary>
/// <remarks>Source: etcd-io/raft, raft.go (hup, campaign, poll, Step); Raft paper, sections 5.2 and 5.4.1.</remarks>
internal sealed class Election(RaftCore core)
{
    /// <summary>Campaigns, if this member may.</summary>
    public void Start(CampaignKind kind)
    {
        if (core.IsLeader)
        {
            core.Trace?.Write(RaftTraceLevel.Debug, $"{core.Id:x} ignoring MsgHup because already leader");
            return;
        }

        if (!core.IsPromotable)
        {
            core.Trace?.Write(RaftTraceLevel.Warning, $"{core.Id:x} is unpromotable and can not campaign");
            return;
        }

        if (HasUnappliedConfChange())
        {
            core.Trace?.Write(
                RaftTraceLevel.Warning,
                $"{core.Id:x} cannot campaign at term {core.Term} since there are still pending configuration changes to apply");
            return;
        }

        core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} is starting a new election at term {core.Term}");
        Campaign(kind);
    }

    /// <summary>Votes for a candidate whose log is at least as complete as ours, once a term; says beforehand whether it would.</summary>
    /// <remarks>
    /// Learners vote too: one that was promoted may not know it yet, and its vote can be the one that lets the rest go on.
    /// The answer carries the request's term, not ours: a pre-vote's is ahead of ours, and the asker ignores older ones.
    /// </remarks>
    public void AnswerVoteRequest(Message request)
    {
        var last = core.Log.LastId;
        var theirs = new EntryId(request.LogTerm, request.Index);
        var response = MessageTypes.VoteResponseTo(request.Type);
        if (!MayVoteFor(request) || !core.Log.IsUpToDate(theirs))
        {
            TraceVote("rejected", request, last, theirs);
            core.Outbox.Send(new Message { Type = response, To = request.From, From = core.Id, Term = core.Term, Reject = true });
            return;
        }

        TraceVote("cast", request, last, theirs);
        core.Outbox.Send(new Message { Type = response, To = request.From, From = core.Id, Term = request.Term });
        if (request.Type == MessageType.Vote)
        {
            Invariant.Holds(request.Term == core.Term);
            Invariant.Holds(core.Vote == LocalTarget.None || core.Vote == request.From);
            core.ElectionElapsed = 0;
            core.Vote = request.From;
        }
    }

    /// <summary>Counts a vote and acts on the result.</summary>
    public void Count(Message vote)
    {
        core.Trace?.Write(
            RaftTraceLevel.Info,
            $"{core.Id:x} received Msg{vote.Type}{(vote.Reject ? " rejection" : string.Empty)} from {vote.From:x} at term {core.Term}");
        core.Tracker.RecordVote(vote.From, !vote.Reject);
        var (granted, rejected, result) = core.Tracker.TallyVotes();
        core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} has received {granted} Msg{vote.Type} votes and {rejected} vote rejections");
        switch (result)
        {
            case VoteResult.Won when core.Role == RaftRole.PreCandidate:
                Campaign(CampaignKind.Election);
                break;
            case VoteResult.Won:
                core.BecomeLeader();
                core.LeaderRole.Replication.BroadcastAppend();
                break;
            case VoteResult.Lost:
                core.BecomeFollower(core.Term, LocalTarget.None);
                break;
            default:
                break;
        }
    }

    public void TraceVote(string verdict, Message request, EntryId last, EntryId theirs)
    {
        var preposition = verdict == "cast" ? "for" : "from";
        core.Trace?.Write(
            RaftTraceLevel.Info,
            $"{core.Id:x} [logterm: {last.Term}, index: {last.Index}, vote: {core.Vote:x}] {verdict} Msg{request.Type} {preposition} {request.From:x} "
            + $"[logterm: {theirs.Term}, index: {theirs.Index}] at term {core.Term}");
    }

    private bool MayVoteFor(Message request) =>
        core.Vote == request.From
        || (core.Vote == LocalTarget.None && core.Leader == LocalTarget.None)
        || (request.Type == MessageType.PreVote && request.Term > core.Term);

    private void Campaign(CampaignKind kind)
    {
        Invariant.Holds(core.IsPromotable);
        var isAsking = kind == CampaignKind.PreElection;
        if (isAsking)
        {
            core.BecomePreCandidate();
        }
        else
        {
            core.BecomeCandidate();
        }

        var type = isAsking ? MessageType.PreVote : MessageType.Vote;
        var term = isAsking ? core.Term + 1 : core.Term;
        foreach (var id in core.Tracker.Config.Voters.All.Ids)
        {
            if (id == core.Id)
            {
                // Our own vote counts once it is durable, like everybody's.
                core.Outbox.Send(new Message { Type = MessageTypes.VoteResponseTo(type), To = id, From = id, Term = term });
                continue;
            }

            RequestVote(id, type, term, CampaignContext.Of(kind));
        }
    }

    private void RequestVote(ulong id, MessageType type, ulong term, ReadOnlyMemory<byte> context)
    {
        var last = core.Log.LastId;
        core.Trace?.Write(
            RaftTraceLevel.Info,
            $"{core.Id:x} [logterm: {last.Term}, index: {last.Index}] sent Msg{type} request to {id:x} at term {core.Term}");
        core.Outbox.Send(new Message
        {
            Type = type,
            To = id,
            From = core.Id,
            Term = term,
            Index = last.Index,
            LogTerm = last.Term,
            Context = context,
        });
    }

    /// <summary>Whether a committed configuration change waits to be applied: who votes is then not known.</summary>
    private bool HasUnappliedConfChange()
    {
        var log = core.Log;
        for (var low = log.Applied + 1; low <= log.Committed;)
        {
            // In pages, so that a long tail does not come into memory at once.
            var found = log.TrySlice(low, log.Committed + 1, log.ApplyingBytesMax, out var page);
            Invariant.Holds(found == LogResult.Found && page.Length > 0, $"unapplied entries from {low}: {found}");
            foreach (ref readonly var entry in page.Span)
            {
                if (entry.Type != EntryType.Normal)
                {
                    return true;
                }
            }

            low += (ulong)page.Length;
        }

        return false;
    }
}
