using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>What was durable before a crash is there after it: term, vote, and the log, unless the batch under way replaced its end.</summary>
/// <remarks>Source: the Raft paper, 5.1, "persistent state"; etcd server/storage/wal.</remarks>
internal sealed class DurableSurvives : StepInvariant
{
    public override string? OnOpened(ClusterRecord record, ulong member, DurableLog before, DurableLog now)
    {
        if (now.State.Term < before.State.Term || (now.State.Term == before.State.Term && before.State.Vote != 0 && now.State.Vote != before.State.Vote))
        {
            return $"{member:x} opens its log at {now.State}, {before.State} was durable";
        }

        var isShorter = now.LastTerm < before.LastTerm || (now.LastTerm == before.LastTerm && now.LastIndex < before.LastIndex);
        return isShorter && !now.IsBelow(now.LastIndex)
            ? $"{member:x} opens its log at entry {now.LastIndex} of term {now.LastTerm}, {before.LastIndex} of term {before.LastTerm} was durable"
            : null;
    }
}
