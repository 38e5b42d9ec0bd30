using System.Collections.Immutable;

namespace Cairn.Raft;

/// <summary>What members say to each other, and a member to its own workers. Immutable.</summary>
/// <remarks>Source: raftpb.Message. Which fields matter depends on <see cref="Type"/>; the others are zero.</remarks>
public sealed record Message
{
    /// <summary>What the message says.</summary>
    public required MessageType Type { get; init; }

    /// <summary>Addressee: a member id or one of <see cref="LocalTarget"/>.</summary>
    public ulong To { get; init; }

    /// <summary>Sender: a member id or one of <see cref="LocalTarget"/>.</summary>
    public ulong From { get; init; }

    /// <summary>The sender's term; 0 in local messages, proposals and read requests.</summary>
    public ulong Term { get; init; }

    /// <summary>Term of the entry at <see cref="Index"/>, or of the entry that a rejection hints at.</summary>
    public ulong LogTerm { get; init; }

    /// <summary>A log index; its meaning depends on <see cref="Type"/>.</summary>
    public ulong Index { get; init; }

    /// <summary>Entries, consecutive and ascending. Shared with the log: nobody changes them.</summary>
    public ReadOnlyMemory<Entry> Entries { get; init; }

    /// <summary>The sender's commit index.</summary>
    public ulong Commit { get; init; }

    /// <summary>In <see cref="MessageType.StorageAppend"/>: the vote to persist.</summary>
    public ulong Vote { get; init; }

    /// <summary>A snapshot, or null.</summary>
    public Snapshot? Snapshot { get; init; }

    /// <summary>Whether the answer is no.</summary>
    public bool Reject { get; init; }

    /// <summary>In a rejected append: where the sender should try next.</summary>
    public ulong RejectHint { get; init; }

    /// <summary>Opaque bytes that come back in the answer (reads), or the kind of campaign (votes).</summary>
    public ReadOnlyMemory<byte> Context { get; init; }

    /// <summary>In messages to local workers: what to deliver when the work is done, in this order.</summary>
    public ImmutableArray<Message> Responses { get; init; } = [];

    /// <summary>In <see cref="MessageType.StorageAppend"/>: the hard state to persist; empty when there is none.</summary>
    public HardState HardState => new(Term, Vote, Commit);

    /// <summary>Compares contents, entries, bytes and responses included.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>Whether both say the same.</returns>
    public bool Equals(Message? other) =>
        other is not null
        && (Type, To, From, Term, LogTerm, Index) == (other.Type, other.To, other.From, other.Term, other.LogTerm, other.Index)
        && (Commit, Vote, Reject, RejectHint) == (other.Commit, other.Vote, other.Reject, other.RejectHint)
        && Snapshot == other.Snapshot
        && Entries.Span.SequenceEqual(other.Entries.Span)
        && Context.Span.SequenceEqual(other.Context.Span)
        && Responses.AsSpan().SequenceEqual(other.Responses.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Type, To, From, Term, LogTerm, Index, Entries.Length, Commit);
}
