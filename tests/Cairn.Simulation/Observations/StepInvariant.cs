using Cairn.Raft;
using Cairn.Server;
using Cairn.Server.Membership;

namespace Cairn.Simulation.Observations;

/// <summary>Something that must hold all the time, judged by what members send, make durable and show.</summary>
internal abstract class StepInvariant
{
    /// <summary>A member hands a message to the network.</summary>
    /// <param name="record">What is known.</param>
    /// <param name="message">The message.</param>
    /// <param name="log">What is durable of the sender's log; null if that is not known.</param>
    /// <returns>What is wrong; null if nothing is.</returns>
    public virtual string? OnSent(ClusterRecord record, Message message, DurableLog? log) => null;

    /// <summary>A member takes a message from a process that still runs.</summary>
    /// <param name="record">What is known.</param>
    /// <param name="receiver">Who takes it.</param>
    /// <param name="message">The message.</param>
    /// <param name="sender">The process that sent it.</param>
    /// <param name="log">What is durable of that one's log.</param>
    /// <returns>What is wrong; null if nothing is.</returns>
    public virtual string? OnHeard(ClusterRecord record, PeerSight receiver, Message message, PeerSight sender, DurableLog log) => null;

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
/// <param name="Log">What is durable of its log.</param>
/// <param name="Voters">Its voters, as it knows them.</param>
internal sealed record MemberSight(ulong Member, NodeStatus? Before, NodeStatus Now, DurableLog Log, Func<IReadOnlyList<ulong>> Voters);
