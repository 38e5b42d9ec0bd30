using Cairn.Raft.Log;

namespace Cairn.Raft.Roles;

/// <summary>Takes entries, commit indexes and snapshots from a leader.</summary>
/// <remarks>Source: etcd-io/raft, raft.go (handleAppendEntries, handleHeartbeat, handleSnapshot, restore); Raft paper, sections 5.3 and 7.</remarks>
internal sealed class LogReceiver(RaftCore core)
{
    public void Append(Message message)
    {
        var previous = new EntryId(message.LogTerm, message.Index);
        if (previous.Index < core.Log.Committed)
        {
            Acknowledge(message.From, core.Log.Committed);
            return;
        }

        if (core.Log.TryAppend(previous, message.Entries.Span, message.Commit, out var lastNew))
        {
            Acknowledge(message.From, lastNew);
            return;
        }

        Reject(message);
    }

    public RaftError Heartbeat(Message message)
    {
        // The leader sends no higher index than what this member acknowledged.
        if (message.Commit > core.Log.LastIndex)
        {
            return RaftError.LogLost;
        }

        core.Log.CommitTo(message.Commit);
        core.Outbox.Send(new Message
        {
            Type = MessageType.HeartbeatResp,
            To = message.From,
            From = core.Id,
            Term = core.Term,
            Context = message.Context,
        });
        return RaftError.None;
    }

    public void InstallSnapshot(Message message)
    {
        var snapshot = message.Snapshot ?? Snapshot.Empty;
        var restored = TryRestore(snapshot);
        core.Trace?.Write(
            RaftTraceLevel.Info,
            $"{core.Id:x} [commit: {core.Log.Committed}] {(restored ? "restored" : "ignored")} snapshot [index: {snapshot.Index}, term: {snapshot.Term}]");
        Acknowledge(message.From, restored ? core.Log.LastIndex : core.Log.Committed);
    }

    private void Acknowledge(ulong to, ulong index) =>
        core.Outbox.Send(new Message { Type = MessageType.AppResp, To = to, From = core.Id, Term = core.Term, Index = index });

    /// <summary>Refuses, with the highest (index, term) at which the logs may match: it skips all our entries of terms above the leader's.</summary>
    private void Reject(Message message)
    {
        core.Trace?.Write(
            RaftTraceLevel.Debug,
            $"{core.Id:x} [logterm: {core.Log.TermOrZero(message.Index)}, index: {message.Index}] rejected MsgApp "
            + $"[logterm: {message.LogTerm}, index: {message.Index}] from {message.From:x}");
        var hint = core.Log.FindConflictByTerm(Math.Min(message.Index, core.Log.LastIndex), message.LogTerm);
        core.Outbox.Send(new Message
        {
            Type = MessageType.AppResp,
            To = message.From,
            From = core.Id,
            Term = core.Term,
            Index = message.Index,
            Reject = true,
            RejectHint = hint.Index,
            LogTerm = hint.Term,
        });
    }

    /// <summary>Takes a snapshot in place of the log; false if there is no need, or it is not for this member.</summary>
    private bool TryRestore(Snapshot snapshot)
    {
        if (snapshot.Index <= core.Log.Committed)
        {
            return false;
        }

        Invariant.Holds(core.Role == RaftRole.Follower);
        if (!Includes(snapshot.Metadata.ConfState, core.Id))
        {
            core.Trace?.Write(
                RaftTraceLevel.Warning,
                $"{core.Id:x} attempted to restore snapshot but it is not in the ConfState {snapshot.Metadata.ConfState}; should never happen");
            return false;
        }

        if (core.Log.Matches(new EntryId(snapshot.Term, snapshot.Index)))
        {
            TraceLog(snapshot, "fast-forwarded commit to");
            core.Log.CommitTo(snapshot.Index);
            return false;
        }

        core.Log.Restore(snapshot);
        core.UseTracker(core.NewTracker());
        core.Configuration.Restore(snapshot.Metadata.ConfState);
        TraceLog(snapshot, "restored");
        return true;
    }

    private void TraceLog(Snapshot snapshot, string what)
    {
        var last = core.Log.LastId;
        core.Trace?.Write(
            RaftTraceLevel.Info,
            $"{core.Id:x} [commit: {core.Log.Committed}, lastindex: {last.Index}, lastterm: {last.Term}] {what} snapshot "
            + $"[index: {snapshot.Index}, term: {snapshot.Term}]");
    }

    // Learners to come need no look: they are outgoing voters.
    private static bool Includes(ConfState state, ulong id) =>
        state.Voters.Contains(id) || state.Learners.Contains(id) || state.VotersOutgoing.Contains(id);
}
