using System.Collections.Immutable;
using Cairn.Raft.Progress;

namespace Cairn.Raft;

/// <summary>What a member is in its term.</summary>
/// <remarks>Source: Raft paper, figure 4; the pre-candidate is from the dissertation, section 9.6.</remarks>
public enum RaftRole
{
    /// <summary>Takes entries from a leader, or waits for one.</summary>
    Follower = 0,

    /// <summary>Asks for votes.</summary>
    Candidate = 1,

    /// <summary>Decides the order of entries.</summary>
    Leader = 2,

    /// <summary>Asks whether it would get votes.</summary>
    PreCandidate = 3,
}

/// <summary>What a member may forget in a crash.</summary>
/// <param name="Leader">The known leader; 0 is none.</param>
/// <param name="Role">What this member is.</param>
public readonly record struct SoftState(ulong Leader, RaftRole Role);

/// <summary>The answer to a read: wait until this index is applied, then read.</summary>
/// <param name="Index">The index.</param>
/// <param name="Context">The bytes that the read was asked with.</param>
public readonly record struct ReadState(ulong Index, ReadOnlyMemory<byte> Context);

/// <summary>The core at a glance.</summary>
/// <param name="Id">This member.</param>
/// <param name="HardState">Term, vote and commit index, durable or about to be.</param>
/// <param name="SoftState">Leader and role.</param>
/// <param name="Applied">The highest applied index.</param>
/// <param name="Transferee">To whom leadership is being handed over; 0 is nobody.</param>
public readonly record struct BasicStatus(ulong Id, HardState HardState, SoftState SoftState, ulong Applied, ulong Transferee);

/// <summary>What a leader knows of a member.</summary>
/// <param name="Id">The member.</param>
/// <param name="Match">Up to here its log is the leader's.</param>
/// <param name="Next">The next index to send.</param>
/// <param name="State">How it is sent to.</param>
/// <param name="IsLearner">Whether it does not vote.</param>
/// <param name="IsPaused">Whether nothing is sent until it answers.</param>
/// <param name="RecentlyActive">Whether it was heard from since the last quorum check.</param>
/// <param name="PendingSnapshot">The index of the snapshot on its way; 0 is none.</param>
/// <param name="InflightMessages">Appends sent and not acknowledged.</param>
public readonly record struct PeerStatus(
    ulong Id,
    ulong Match,
    ulong Next,
    ProgressState State,
    bool IsLearner,
    bool IsPaused,
    bool RecentlyActive,
    ulong PendingSnapshot,
    int InflightMessages);

/// <summary>The core in full.</summary>
/// <param name="Basic">The core at a glance.</param>
/// <param name="ConfState">The active configuration.</param>
/// <param name="Peers">On a leader: every member, itself included, by ascending id. Empty otherwise.</param>
public sealed record RaftStatus(BasicStatus Basic, ConfState ConfState, ImmutableArray<PeerStatus> Peers)
{
    /// <summary>On a leader: whether a change of the configuration is in the log, or may be, and is not applied.</summary>
    public bool IsChangePending { get; init; }
}
