using Cairn.Raft;
using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>At most one member leads in a term.</summary>
/// <remarks>Source: the Raft paper, figure 3, "Election Safety".</remarks>
internal sealed class ElectionSafety : StepInvariant
{
    private readonly Dictionary<ulong, ulong> _leaders = [];

    public override string? OnSent(ClusterRecord record, Message message, DurableLog? log) =>
        message.Type is MessageType.App or MessageType.Heartbeat or MessageType.Snap ? Lead(message.From, message.Term) : null;

    public override string? OnStep(ClusterRecord record, MemberSight sight) => sight.Now.IsLeader ? Lead(sight.Member, sight.Now.Term) : null;

    private string? Lead(ulong member, ulong term)
    {
        if (_leaders.TryAdd(term, member) || _leaders[term] == member)
        {
            return null;
        }

        return $"{member:x} leads in term {term}, in which {_leaders[term]:x} does";
    }
}
