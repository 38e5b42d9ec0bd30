using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>While a process lives, neither its term nor what it has committed, applied or shown goes back.</summary>
/// <remarks>Source: the Raft paper, figure 2, "increases monotonically"; etcd api guarantees: a revision is never less than one shown before.</remarks>
internal sealed class NothingGoesBack : StepInvariant
{
    public override string? OnStep(ClusterRecord record, MemberSight sight)
    {
        if (sight.Before is not { } before)
        {
            return null;
        }

        var now = sight.Now;
        var isOrdered = now.Term >= before.Term && now.CommittedIndex >= before.CommittedIndex && now.AppliedIndex >= before.AppliedIndex
            && now.Revision >= before.Revision && now.CompactedRevision >= before.CompactedRevision;
        return isOrdered ? null : $"{sight.Member:x} went back from {before} to {now}";
    }
}
