using System.Collections.Immutable;

namespace Cairn.Raft;

/// <summary>What happens to a member.</summary>
/// <remarks>Source: raftpb.ConfChangeType; the numbers are in the log.</remarks>
public enum ConfChangeType
{
    /// <summary>Becomes a voter, be it new or a learner.</summary>
    AddNode = 0,

    /// <summary>Leaves the configuration.</summary>
    RemoveNode = 1,

    /// <summary>Changes attributes that Raft does not know; the configuration stays.</summary>
    UpdateNode = 2,

    /// <summary>Becomes a learner, be it new or a voter.</summary>
    AddLearnerNode = 3,
}

/// <summary>How a <see cref="ConfChangeV2"/> uses joint consensus.</summary>
/// <remarks>Source: raftpb.ConfChangeTransition; Raft dissertation, section 4.3.</remarks>
public enum ConfChangeTransition
{
    /// <summary>One change is simple; several go through a joint configuration, which the leader leaves by itself.</summary>
    Auto = 0,

    /// <summary>Always joint; the leader leaves the joint configuration by itself.</summary>
    JointImplicit = 1,

    /// <summary>Always joint; the proposer leaves it with an empty change.</summary>
    JointExplicit = 2,
}

/// <summary>One step of a configuration change.</summary>
/// <param name="Type">What happens.</param>
/// <param name="MemberId">To whom; 0 turns the step into nothing.</param>
/// <remarks>Source: raftpb.ConfChangeSingle.</remarks>
public readonly record struct ConfChangeSingle(ConfChangeType Type, ulong MemberId);

/// <summary>A change of one member, the form that etcd uses.</summary>
/// <param name="Id">The proposer's own number for the change, opaque here.</param>
/// <param name="Type">What happens.</param>
/// <param name="MemberId">To whom; 0 turns the change into nothing (an invalid change that was committed is applied that way).</param>
/// <param name="Context">Opaque bytes for the state machine.</param>
/// <remarks>Source: raftpb.ConfChange.</remarks>
public readonly record struct ConfChange(ulong Id, ConfChangeType Type, ulong MemberId, ReadOnlyMemory<byte> Context = default)
{
    /// <summary>Writes the same change in the newer form.</summary>
    /// <returns>A change with one step.</returns>
    public ConfChangeV2 AsV2() => new() { Changes = [new ConfChangeSingle(Type, MemberId)], Context = Context };

    /// <summary>Compares contents.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>Whether both are the same change.</returns>
    public bool Equals(ConfChange other) =>
        Id == other.Id && Type == other.Type && MemberId == other.MemberId && Context.Span.SequenceEqual(other.Context.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Id, Type, MemberId, Context.Length);
}

/// <summary>A change of any number of members. Without steps, and with <see cref="ConfChangeTransition.Auto"/>, it leaves a joint configuration.</summary>
/// <remarks>Source: raftpb.ConfChangeV2. etcd's own members stop on it: never propose one where they take part.</remarks>
public sealed record ConfChangeV2
{
    /// <summary>How joint consensus is used.</summary>
    public ConfChangeTransition Transition { get; init; }

    /// <summary>The steps, in order.</summary>
    public ImmutableArray<ConfChangeSingle> Changes { get; init; } = [];

    /// <summary>Opaque bytes for the state machine.</summary>
    public ReadOnlyMemory<byte> Context { get; init; }

    /// <summary>Whether this change ends a joint configuration.</summary>
    public bool LeavesJoint => Transition == ConfChangeTransition.Auto && Changes.IsEmpty;

    /// <summary>Whether this change begins a joint configuration.</summary>
    public bool EntersJoint => Transition != ConfChangeTransition.Auto || Changes.Length > 1;

    /// <summary>Whether the joint configuration that this change begins is left by the leader itself.</summary>
    public bool AutoLeave => EntersJoint && Transition != ConfChangeTransition.JointExplicit;

    /// <summary>Compares contents.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>Whether both are the same change.</returns>
    public bool Equals(ConfChangeV2? other) =>
        other is not null
        && Transition == other.Transition
        && Changes.AsSpan().SequenceEqual(other.Changes.AsSpan())
        && Context.Span.SequenceEqual(other.Context.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Transition, Changes.Length, Context.Length);
}
