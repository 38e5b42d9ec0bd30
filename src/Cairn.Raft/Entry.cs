namespace Cairn.Raft;

/// <summary>What the payload of an <see cref="Entry"/> is.</summary>
/// <remarks>Source: raftpb.EntryType; the numbers are on disk and on the wire.</remarks>
public enum EntryType
{
    /// <summary>A request for the state machine, or nothing (the entry with which a leader begins its term).</summary>
    Normal = 0,

    /// <summary>A change of one member (raftpb.ConfChange).</summary>
    ConfChange = 1,

    /// <summary>A change of several members at once (raftpb.ConfChangeV2).</summary>
    ConfChangeV2 = 2,
}

/// <summary>One entry of the replicated log.</summary>
/// <param name="Term">Term of the leader that appended it; at least 1 for a real entry.</param>
/// <param name="Index">Position in the log, from 1.</param>
/// <param name="Type">What <paramref name="Data"/> is.</param>
/// <param name="Data">Payload, opaque here. Owned by the entry: whoever made it must not change it afterwards.</param>
public readonly record struct Entry(ulong Term, ulong Index, EntryType Type, ReadOnlyMemory<byte> Data)
{
    /// <summary>Compares contents: equal payload bytes are equal, wherever they lie.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>Whether both are the same entry.</returns>
    public bool Equals(Entry other) =>
        Term == other.Term && Index == other.Index && Type == other.Type && Data.Span.SequenceEqual(other.Data.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Term, Index, Type, Data.Length);
}
