using System.Collections.Immutable;

namespace Cairn.Raft;

/// <summary>What the owner of the core has to do next. Everything in it is read-only and stays valid.</summary>
/// <remarks>
/// Without asynchronous storage writes, in this order:
/// <list type="number">
/// <item>persist <see cref="Snapshot"/>, then <see cref="Entries"/>, which follow it, and <see cref="HardState"/>; durably if <see cref="MustSync"/>;</item>
/// <item>send <see cref="Messages"/>; after a <see cref="MessageType.Snap"/>, report how it ended;</item>
/// <item>apply <see cref="Snapshot"/>, then <see cref="CommittedEntries"/>; for configuration changes call ApplyConfChange;</item>
/// <item>call Advance.</item>
/// </list>
/// With asynchronous storage writes <see cref="Messages"/> may be sent at once, and Advance is not called. The first three fields come again in a message to
/// <see cref="LocalTarget.AppendThread"/>, the committed entries in one to <see cref="LocalTarget.ApplyThread"/>. Each worker takes its messages in order, none lost;
/// when the work is done (durably, for the append worker, if there are responses), it delivers the responses, in order, to their addressees, this member included.
/// Source: etcd-io/raft, node.go (Ready).
/// </remarks>
public sealed class Ready
{
    /// <summary>Leader and role, if they changed.</summary>
    public SoftState? SoftState { get; init; }

    /// <summary>To be persisted before messages are sent; empty if unchanged.</summary>
    public HardState HardState { get; init; }

    /// <summary>Reads that may be served once their index is applied.</summary>
    public ImmutableArray<ReadState> ReadStates { get; init; } = [];

    /// <summary>To be persisted before messages are sent. Replaces what the log has from the first of them on.</summary>
    public ReadOnlyMemory<Entry> Entries { get; init; }

    /// <summary>To be persisted and applied in place of log and state; or null. If there are entries too, they follow it.</summary>
    public Snapshot? Snapshot { get; init; }

    /// <summary>To be applied, in order.</summary>
    public ReadOnlyMemory<Entry> CommittedEntries { get; init; }

    /// <summary>To be sent, in order.</summary>
    public ImmutableArray<Message> Messages { get; init; } = [];

    /// <summary>Whether what is persisted must be durable before messages are sent: entries, term or vote changed.</summary>
    public bool MustSync { get; init; }
}
