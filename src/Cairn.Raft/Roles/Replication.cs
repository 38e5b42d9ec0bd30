using Cairn.Raft.Log;
using Cairn.Raft.Progress;

namespace Cairn.Raft.Roles;

/// <summary>Sends a leader's log to its peers.</summary>
/// <remarks>Source: etcd-io/raft, raft.go (maybeSendAppend, maybeSendSnapshot, sendHeartbeat, bcastAppend).</remarks>
internal sealed class Replication(RaftCore core)
{
    public void BroadcastAppend()
    {
        var peers = core.Tracker.Peers;
        for (var i = 0; i < peers.Count; i++)
        {
            if (peers.IdAt(i) != core.Id)
            {
                SendAppend(peers.IdAt(i));
            }
        }
    }

    public void BroadcastHeartbeat(ReadOnlyMemory<byte> context)
    {
        var peers = core.Tracker.Peers;
        for (var i = 0; i < peers.Count; i++)
        {
            if (peers.IdAt(i) != core.Id)
            {
                SendHeartbeat(peers.IdAt(i), peers.At(i), context);
            }
        }
    }

    /// <summary>Sends new entries, or at least the commit index, unless the peer is paused.</summary>
    public void SendAppend(ulong to) => TrySendAppend(to, sendIfEmpty: true);

    /// <summary>Sends one append, or a snapshot where entries are missing.</summary>
    /// <param name="to">A member.</param>
    /// <param name="sendIfEmpty">Whether a message without entries, which carries only the commit index, is worth sending.</param>
    /// <returns>Whether a message was sent.</returns>
    public bool TrySendAppend(ulong to, bool sendIfEmpty)
    {
        var peer = core.Tracker.Peers[to];
        if (peer.IsPaused)
        {
            return false;
        }

        var previous = peer.Next - 1;
        if (core.Log.TryGetTerm(previous, out var previousTerm) != LogResult.Found)
        {
            return TrySendSnapshot(to, peer);
        }

        // Over a full window only empty appends go, and not many: if everything in the window was lost, their answers show it.
        ReadOnlyMemory<Entry> entries = default;
        var found = LogResult.Found;
        if (peer.State != ProgressState.Replicate || !peer.Inflights.IsFull)
        {
            found = core.Log.TryGetEntries(peer.Next, core.Config.MessageBytesMax, out entries);
        }

        if (entries.IsEmpty && !sendIfEmpty)
        {
            return false;
        }

        if (found != LogResult.Found)
        {
            return TrySendSnapshot(to, peer);
        }

        core.Outbox.Send(new Message
        {
            Type = MessageType.App,
            To = to,
            From = core.Id,
            Term = core.Term,
            Index = previous,
            LogTerm = previousTerm,
            Entries = entries,
            Commit = core.Log.Committed,
        });
        peer.NoteSent(entries.Length, EntryLimits.PayloadBytes(entries.Span));
        peer.SentCommit = core.Log.Committed;
        return true;
    }

    public void SendTimeoutNow(ulong to) =>
        core.Outbox.Send(new Message { Type = MessageType.TimeoutNow, To = to, From = core.Id, Term = core.Term });

    private void SendHeartbeat(ulong to, PeerProgress peer, ReadOnlyMemory<byte> context)
    {
        // Never beyond what the peer is known to have: its entries there may be others.
        var commit = Math.Min(peer.Match, core.Log.Committed);
        core.Outbox.Send(new Message
        {
            Type = MessageType.Heartbeat,
            To = to,
            From = core.Id,
            Term = core.Term,
            Commit = commit,
            Context = context,
        });
        peer.SentCommit = commit;
    }

    private bool TrySendSnapshot(ulong to, PeerProgress peer)
    {
        if (!peer.RecentlyActive)
        {
            core.Trace?.Write(RaftTraceLevel.Debug, $"ignore sending snapshot to {to:x} since it is not recently active");
            return false;
        }

        if (core.Log.TryGetSnapshot() is not { } snapshot)
        {
            core.Trace?.Write(
                RaftTraceLevel.Debug,
                $"{core.Id:x} failed to send snapshot to {to:x} because snapshot is temporarily unavailable");
            return false;
        }

        Invariant.Holds(!snapshot.IsEmpty);
        core.Trace?.Write(
            RaftTraceLevel.Debug,
            $"{core.Id:x} [firstindex: {core.Log.FirstIndex}, commit: {core.Log.Committed}] sent snapshot[index: {snapshot.Index}, term: {snapshot.Term}] "
            + $"to {to:x} [{peer}]");
        peer.BecomeSnapshot(snapshot.Index);
        core.Trace?.Write(RaftTraceLevel.Debug, $"{core.Id:x} paused sending replication messages to {to:x} [{peer}]");
        core.Outbox.Send(new Message { Type = MessageType.Snap, To = to, From = core.Id, Term = core.Term, Snapshot = snapshot });
        return true;
    }
}
