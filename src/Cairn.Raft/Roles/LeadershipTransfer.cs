using Cairn.Raft.Progress;

namespace Cairn.Raft.Roles;

/// <summary>Hands leadership over: bring the successor's log up to date, then tell it to campaign. Proposals are refused meanwhile.</summary>
/// <remarks>Given up after an election timeout. Source: etcd-io/raft, raft.go; Raft dissertation, section 3.10.</remarks>
internal sealed class LeadershipTransfer(RaftCore core)
{
    /// <summary>The successor; 0 when no transfer is under way.</summary>
    public ulong Transferee { get; private set; }

    public void Abort() => Transferee = LocalTarget.None;

    public void Begin(ulong successor, PeerProgress peer)
    {
        if (peer.IsLearner)
        {
            core.Trace?.Write(RaftTraceLevel.Debug, $"{core.Id:x} is learner. Ignored transferring leadership");
            return;
        }

        if (Transferee == successor)
        {
            core.Trace?.Write(
                RaftTraceLevel.Info,
                $"{core.Id:x} [term {core.Term}] transfer leadership to {successor:x} is in progress, ignores request to same node {successor:x}");
            return;
        }

        if (Transferee != LocalTarget.None)
        {
            core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} [term {core.Term}] abort previous transferring leadership to {Transferee:x}");
            Abort();
        }

        if (successor == core.Id)
        {
            core.Trace?.Write(RaftTraceLevel.Debug, $"{core.Id:x} is already leader. Ignored transferring leadership to self");
            return;
        }

        core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} [term {core.Term}] starts to transfer leadership to {successor:x}");
        Start(successor, peer);
    }

    /// <summary>A peer has acknowledged: if it is the successor and has everything, it may campaign.</summary>
    public void PeerAdvanced(ulong id, PeerProgress peer)
    {
        if (id == Transferee && peer.Match == core.Log.LastIndex)
        {
            core.Trace?.Write(RaftTraceLevel.Info, $"{core.Id:x} sent MsgTimeoutNow to {id:x} after received MsgAppResp");
            core.LeaderRole.Replication.SendTimeoutNow(id);
        }
    }

    private void Start(ulong successor, PeerProgress peer)
    {
        core.ElectionElapsed = 0;
        Transferee = successor;
        if (peer.Match != core.Log.LastIndex)
        {
            core.LeaderRole.Replication.SendAppend(successor);
            return;
        }

        core.LeaderRole.Replication.SendTimeoutNow(successor);
        core.Trace?.Write(
            RaftTraceLevel.Info,
            $"{core.Id:x} sends MsgTimeoutNow to {successor:x} immediately as {successor:x} already has up-to-date log");
    }
}
