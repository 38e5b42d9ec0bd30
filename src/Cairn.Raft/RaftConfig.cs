namespace Cairn.Raft;

/// <summary>How a linearizable read finds out that its leader still leads.</summary>
public enum ReadOnlyMode
{
    /// <summary>By a round of heartbeats to a quorum. Needs no clock.</summary>
    Safe = 0,

    /// <summary>By trusting that a leader within its election timeout has no successor. Wrong if clocks drift without bound; needs <see cref="RaftConfig.CheckQuorum"/>.</summary>
    LeaseBased = 1,
}

/// <summary>What a core is started with. The defaults are those of etcd.</summary>
/// <remarks>Source: etcd-io/raft, raft.go (Config); etcd, server/etcdserver/raft.go.</remarks>
public sealed record RaftConfig
{
    /// <summary>This member's id; not 0 and not a <see cref="LocalTarget"/>.</summary>
    public required ulong Id { get; init; }

    /// <summary>The durable log, as the core reads it.</summary>
    public required IRaftLog Log { get; init; }

    /// <summary>Seed of the core's chance: randomized election timeouts. Members should differ.</summary>
    public required ulong Seed { get; init; }

    /// <summary>Ticks without a word of the leader after which an election starts; each time between this and twice this. Above <see cref="HeartbeatTicks"/>.</summary>
    public int ElectionTicks { get; init; } = 10;

    /// <summary>Ticks between heartbeats, at least 1.</summary>
    public int HeartbeatTicks { get; init; } = 1;

    /// <summary>Index up to which the state machine has applied already; 0 is what the log's snapshot covers.</summary>
    public ulong Applied { get; init; }

    /// <summary>Whether the log and the state machine are written by workers that are told by messages, instead of by the owner between Ready and Advance.</summary>
    public bool AsyncStorageWrites { get; init; }

    /// <summary>
    /// Whether committed entries are handed out that this member's own disk has not synced, because a quorum has. Only with <see cref="AsyncStorageWrites"/>.
    /// An addition to etcd-io/raft.
    /// </summary>
    public bool ApplyUnstable { get; init; }

    /// <summary>
    /// Payload bytes that may wait for a member's own disk while <see cref="ApplyUnstable"/> is on: above it nothing unsynced is handed out, and a leader's proposals that
    /// would cross it are refused with <see cref="RaftError.DiskBehind"/>. At least 1.
    /// </summary>
    public ulong ApplyUnstableBytesMax { get; init; } = 64 << 20;

    /// <summary>Encoded bytes of entries in one append message; <see cref="ulong.MaxValue"/> is no limit, 0 is one entry a message.</summary>
    public ulong MessageBytesMax { get; init; } = 1 << 20;

    /// <summary>Encoded bytes of entries handed out for applying and not yet applied; 0 is the same as <see cref="MessageBytesMax"/>.</summary>
    public ulong ApplyingBytesMax { get; init; }

    /// <summary>Payload bytes of entries that a leader has appended and not yet applied, above which proposals are refused; 0 is no limit.</summary>
    public ulong UncommittedBytesMax { get; init; }

    /// <summary>Append messages in flight to one peer, at least 1.</summary>
    public int InflightMessagesMax { get; init; } = 512;

    /// <summary>Payload bytes in flight to one peer; not below <see cref="MessageBytesMax"/>; 0 is no limit.</summary>
    public ulong InflightBytesMax { get; init; }

    /// <summary>Whether a leader that does not hear from a quorum for an election timeout steps down.</summary>
    public bool CheckQuorum { get; init; } = true;

    /// <summary>Whether an election begins by asking, without a new term, whether it could be won. Source: Raft dissertation, section 9.6.</summary>
    public bool PreVote { get; init; } = true;

    /// <summary>How reads find out that the leader still leads.</summary>
    public ReadOnlyMode ReadOnlyMode { get; init; }

    /// <summary>Whether a follower passes proposals on to its leader, instead of refusing them.</summary>
    public bool ForwardProposals { get; init; } = true;

    /// <summary>Whether a leader refuses to append configuration changes that cannot follow from what it has applied.</summary>
    public bool ValidateConfChanges { get; init; } = true;

    /// <summary>Whether a leader that is removed or becomes a learner steps down at once.</summary>
    public bool StepDownOnRemoval { get; init; }

    /// <summary>Receives what the core narrates, or null.</summary>
    public IRaftTrace? Trace { get; init; }

    /// <summary>Looks for a contradiction.</summary>
    /// <returns>What is wrong, in words for an operator, or null.</returns>
    public string? FindFlaw() => this switch
    {
        { Id: LocalTarget.None } => "the member id is 0",
        _ when LocalTarget.Includes(Id) => "the member id is reserved",
        { HeartbeatTicks: < 1 } => "heartbeat ticks must be at least 1",
        _ when ElectionTicks <= HeartbeatTicks => "election ticks must exceed heartbeat ticks",
        { InflightMessagesMax: < 1 } => "at least one message must be allowed in flight",
        _ when InflightBytesMax != 0 && InflightBytesMax < MessageBytesMax => "in-flight bytes must allow at least one message",
        { ReadOnlyMode: ReadOnlyMode.LeaseBased, CheckQuorum: false } => "lease-based reads need the quorum check",
        { ApplyUnstable: true, AsyncStorageWrites: false } => "applying unsynced entries needs asynchronous storage writes",
        { ApplyUnstable: true, ApplyUnstableBytesMax: 0 } => "applying unsynced entries needs a limit in bytes",
        _ => null,
    };
}
