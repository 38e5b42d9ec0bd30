namespace Cairn.Raft;

/// <summary>Why the core refused an input. Nothing changed, unless stated.</summary>
public enum RaftError
{
    /// <summary>It did not.</summary>
    None = 0,

    /// <summary>No leader, a transfer of leadership is under way, too much is uncommitted, or this leader was removed: try again later or elsewhere.</summary>
    ProposalDropped,

    /// <summary>As <see cref="ProposalDropped"/>, because this leader's own disk is too far behind (<see cref="RaftConfig.ApplyUnstableBytesMax"/>): it should hand over.</summary>
    DiskBehind,

    /// <summary>A message of a kind that never travels.</summary>
    LocalMessage,

    /// <summary>An answer from somebody who is not a member.</summary>
    PeerNotFound,

    /// <summary>A message that no correct sender sends.</summary>
    InvalidMessage,

    /// <summary>The leader knows entries as acknowledged by this member that its log does not have: the log was cut off or rolled back, and the member must be replaced.</summary>
    LogLost,
}
