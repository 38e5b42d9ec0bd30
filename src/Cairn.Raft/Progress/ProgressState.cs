namespace Cairn.Raft.Progress;

/// <summary>How the leader sends to a peer.</summary>
/// <remarks>Source: etcd-io/raft, tracker/state.go.</remarks>
public enum ProgressState
{
    /// <summary>The end of the peer's log is unknown: one append at a time, until an answer shows it.</summary>
    Probe = 0,

    /// <summary>The logs match: appends are sent ahead of their acknowledgements, within the in-flight limits.</summary>
    Replicate = 1,

    /// <summary>A snapshot is on its way: no appends until it has arrived or failed.</summary>
    Snapshot = 2,
}
