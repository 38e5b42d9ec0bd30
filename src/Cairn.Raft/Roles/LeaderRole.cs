using Cairn.Raft.Log;
using Cairn.Raft.Progress;

namespace Cairn.Raft.Roles;

/// <summary>What a leader does with each message.</summary>
/// <remarks>Source: etcd-io/raft, raft.go (stepLeader, tickHeartbeat); Raft paper, section 5.3.</remarks>
internal sealed class LeaderRole
{
    private readonly RaftCore _core;
    private int _heartbeatElapsed;

    public LeaderRole(RaftCore core)
    {
        _core = core;
        Replication = new Replication(core);
        Proposals = new Proposals(core);
        Reads = new Reads(core);
        Transfer = new LeadershipTransfer(core);
    }

    public Replication Replication { get; }

    public Proposals Proposals { get; }

    public Reads Reads { get; }

    public LeadershipTransfer Transfer { get; }

    /// <summary>Forgets what belonged to another term or role.</summary>
    public void Reset()
    {
        _heartbeatElapsed = 0;
        Transfer.Abort();
        Proposals.Reset();
        Reads.Reset();
    }

    /// <summary>Begins a term with an entry of its own, since only entries of its own term are committed by counting (Raft paper, section 5.4.2).</summary>
    public void BeginTerm()
    {
        var self = _core.Tracker.Peers[_core.Id];
        self.BecomeReplicate();
        self.RecentlyActive = true;
        Proposals.BeginTerm();
    }

    public void Tick()
    {
        _heartbeatElapsed++;
        _core.ElectionElapsed++;
        if (_core.ElectionElapsed >= _core.Config.ElectionTicks)
        {
            _core.ElectionElapsed = 0;
            if (_core.Config.CheckQuorum)
            {
                _core.Step(new Message { Type = MessageType.CheckQuorum, From = _core.Id });
            }

            if (_core.IsLeader)
            {
                Transfer.Abort();
            }
        }

        if (_core.IsLeader && _heartbeatElapsed >= _core.Config.HeartbeatTicks)
        {
            _heartbeatElapsed = 0;
            _core.Step(new Message { Type = MessageType.Beat, From = _core.Id });
        }
    }

    public RaftError Step(Message message)
    {
        switch (message.Type)
        {
            case MessageType.Beat:
                Replication.BroadcastHeartbeat(Reads.LastPendingContext);
                return RaftError.None;
            case MessageType.CheckQuorum:
                CheckQuorum();
                return RaftError.None;
            case MessageType.Prop:
                return Proposals.Propose(message.Entries.Span);
            case MessageType.ReadIndex:
                Reads.Ask(message);
                return RaftError.None;
            case MessageType.ForgetLeader:
                return RaftError.None;
            default:
                StepOfPeer(message);
                return RaftError.None;
        }
    }

    /// <summary>Commits what a quorum has; true if the commit index moved.</summary>
    public bool TryCommit() => _core.Log.TryCommit(new EntryId(_core.Term, _core.Tracker.Committed));

    private void StepOfPeer(Message message)
    {
        if (_core.Tracker.Peers.Find(message.From) is not { } peer)
        {
            _core.Trace?.Write(RaftTraceLevel.Debug, $"{_core.Id:x} no progress available for {message.From:x}");
            return;
        }

        switch (message.Type)
        {
            case MessageType.AppResp when message.Reject:
                AppendRejected(message, peer);
                break;
            case MessageType.AppResp:
                Appended(message, peer);
                break;
            case MessageType.HeartbeatResp:
                HeartbeatResp(message, peer);
                break;
            case MessageType.SnapStatus:
                SnapStatus(message, peer);
                break;
            case MessageType.Unreachable:
                Unreachable(message, peer);
                break;
            case MessageType.TransferLeader:
                Transfer.Begin(message.From, peer);
                break;
            default:
                break;
        }
    }

    private void CheckQuorum()
    {
        if (!_core.Tracker.IsQuorumActive())
        {
            _core.Trace?.Write(RaftTraceLevel.Warning, $"{_core.Id:x} stepped down to follower since quorum is not active");
            _core.BecomeFollower(_core.Term, LocalTarget.None);
        }

        var peers = _core.Tracker.Peers;
        for (var i = 0; i < peers.Count; i++)
        {
            if (peers.IdAt(i) != _core.Id)
            {
                peers.At(i).RecentlyActive = false;
            }
        }
    }

    /// <summary>Steps back to where the logs may match, and tries again from there.</summary>
    /// <remarks>
    /// The rejection names an entry of the follower, index and term. Where our terms are above that term our entries cannot match, so they are skipped:
    /// <code>
    ///   index        1 2 3 4 5 6 7 8 9
    ///   term, ours   1 3 3 3 5 5 5 5 5
    ///   theirs       1 1 1 1 2 2           hint (6, 2): the next probe is at 1, not at 6, 5, 4, 3, 2
    /// </code>
    /// The follower skips likewise (<see cref="LogReceiver"/>), so there is at most one probe for each term.
    /// </remarks>
    private void AppendRejected(Message message, PeerProgress peer)
    {
        peer.RecentlyActive = true;
        _core.Trace?.Write(
            RaftTraceLevel.Debug,
            $"{_core.Id:x} received MsgAppResp(rejected, hint: (index {message.RejectHint}, term {message.LogTerm})) "
            + $"from {message.From:x} for index {message.Index}");
        var hint = message.LogTerm > 0 ? _core.Log.FindConflictByTerm(message.RejectHint, message.LogTerm).Index : message.RejectHint;
        if (!peer.TryStepBack(message.Index, hint))
        {
            return;
        }

        _core.Trace?.Write(RaftTraceLevel.Debug, $"{_core.Id:x} decreased progress of {message.From:x} to [{peer}]");
        if (peer.State == ProgressState.Replicate)
        {
            peer.BecomeProbe();
        }

        Replication.SendAppend(message.From);
    }

    private void Appended(Message message, PeerProgress peer)
    {
        peer.RecentlyActive = true;

        // An answer that tells nothing new still ends a probe: the peer is there and its log matches.
        if (!peer.TryAdvance(message.Index) && !(peer.Match == message.Index && peer.State == ProgressState.Probe))
        {
            return;
        }

        Resume(message, peer);
        if (TryCommit())
        {
            Reads.ReleasePostponed();
            Replication.BroadcastAppend();
        }
        else if (message.From != _core.Id && peer.CanBumpCommit(_core.Log.Committed))
        {
            Replication.SendAppend(message.From);
        }

        // The answer may have freed room for several messages.
        while (message.From != _core.Id && Replication.TrySendAppend(message.From, sendIfEmpty: false))
        {
        }

        Transfer.PeerAdvanced(message.From, peer);
    }

    private void Resume(Message message, PeerProgress peer)
    {
        switch (peer.State)
        {
            case ProgressState.Probe:
                peer.BecomeReplicate();
                break;
            case ProgressState.Snapshot when peer.Match + 1 >= _core.Log.FirstIndex:
                // Whatever snapshot the peer got, and from whom: it can go on with entries.
                _core.Trace?.Write(
                    RaftTraceLevel.Debug,
                    $"{_core.Id:x} recovered from needing snapshot, resumed sending replication messages to {message.From:x} [{peer}]");
                peer.BecomeProbe();
                peer.BecomeReplicate();
                break;
            case ProgressState.Replicate:
                peer.Inflights.FreeUpTo(message.Index);
                break;
            default:
                break;
        }
    }

    private void HeartbeatResp(Message message, PeerProgress peer)
    {
        peer.RecentlyActive = true;
        peer.AppendsPaused = false;

        // Also when the window is full, or the peer has everything but is being probed: the append is empty then, and its answer gets things going.
        if (peer.Match < _core.Log.LastIndex || peer.State == ProgressState.Probe)
        {
            Replication.SendAppend(message.From);
        }

        Reads.Acknowledged(message);
    }

    private void SnapStatus(Message message, PeerProgress peer)
    {
        if (peer.State != ProgressState.Snapshot)
        {
            return;
        }

        if (message.Reject)
        {
            // Otherwise the probe would begin behind a snapshot that never arrived.
            peer.PendingSnapshot = 0;
        }

        peer.BecomeProbe();
        _core.Trace?.Write(
            RaftTraceLevel.Debug,
            $"{_core.Id:x} snapshot {(message.Reject ? "failed" : "succeeded")}, resumed sending replication messages to {message.From:x} [{peer}]");

        // The peer's own answer, or the next heartbeat's, says when to go on.
        peer.AppendsPaused = true;
    }

    private void Unreachable(Message message, PeerProgress peer)
    {
        // Appends that were sent ahead are probably lost.
        if (peer.State == ProgressState.Replicate)
        {
            peer.BecomeProbe();
        }

        _core.Trace?.Write(RaftTraceLevel.Debug, $"{_core.Id:x} failed to send message to {message.From:x} because it is unreachable [{peer}]");
    }
}
