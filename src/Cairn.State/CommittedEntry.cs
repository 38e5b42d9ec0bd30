namespace Cairn.State;

/// <summary>What the payload of a <see cref="CommittedEntry"/> is.</summary>
/// <remarks>Source: raftpb.EntryType; the numbers are those of the log.</remarks>
public enum EntryKind
{
    /// <summary>A request (InternalRaftRequest, or a bare request of the v2 API), or nothing.</summary>
    Normal = 0,

    /// <summary>A change of one member (raftpb.ConfChange).</summary>
    ConfChange = 1,
}

/// <summary>One entry of the replicated log that a quorum has agreed on, as the state machine sees it.</summary>
/// <param name="Term">Term of the leader that appended it; at least 1.</param>
/// <param name="Index">Position in the log, from 1; entries are applied in this order without gaps.</param>
/// <param name="Kind">What <paramref name="Data"/> is.</param>
/// <param name="Data">Payload. Read during the call only: nothing of it is kept.</param>
public readonly record struct CommittedEntry(ulong Term, ulong Index, EntryKind Kind, ReadOnlyMemory<byte> Data);
