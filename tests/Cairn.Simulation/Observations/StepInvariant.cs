using Cairn.Raft;
using Cairn.Server;
using Cairn.Server.Membership;

namespace Cairn.Simulation.Observations;

/// <summary>Something that must hold all the time, judged by what members send, make durable and show.</summary>
internal abstract class StepInvariant
{
    /// <summary>A member hands a message to the network.</summary>
    /// <returns>What is wrong; null if nothing is.</returns>
    public virtual string? OnSent(ClusterRecord record, Message message) => null;

    /// <summary>A member takes a message from a process that still runs.</summary>
    /// <returns>What is wrong; null if nothing is.</returns>
    public virtual string? OnHeard(ClusterRecord record, PeerSight receiver, Message message, PeerSight sender) => null;

    /// <summary>A sync of a member's log has returned.</summary>
    /// <returns>What is wrong; null if nothing is.</returns>
    public virtual string? OnDurable(ClusterRecord record, ulong member, DurableLog log) => null;

    /// <summary>A process has opened a member's log.</summary>
    /// <returns>What is wrong; null if nothing is.</returns>
    public virtual string? OnOpened(ClusterRecord record, ulong member, DurableLog before, DurableLog now) => null;

    /// <summary>A member has done a step.</summary>
    /// <returns>What is wrong; null if nothing is.</returns>
    public virtual string? OnStep(ClusterRecord record, MemberSight sight) => null;
}

/// <summary>What a member shows after a step, and what the same process showed before.</summary>
/// <param name="Member">The member.</param>
/// <param name="Before">What it showed before; null at first.</param>
/// <param name="Now">What it shows.</param>
/// <param name="Voters">Its voters, as it knows them.</param>
internal sealed record MemberSight(ulong Member, NodeStatus? Before, NodeStatus Now, Func<IReadOnlyList<ulong>> Voters);
