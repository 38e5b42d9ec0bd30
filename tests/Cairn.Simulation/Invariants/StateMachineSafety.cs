using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>Only what is committed is applied, and everywhere the same entry with the same result.</summary>
/// <remarks>Source: the Raft paper, figure 3, "State Machine Safety".</remarks>
internal sealed class StateMachineSafety : StepInvariant
{
    private readonly Dictionary<ulong, long> _revisions = [];

    public override string? OnStep(ClusterRecord record, MemberSight sight)
    {
        var applied = sight.Now.AppliedIndex;
        if (applied == 0 || applied == sight.Before?.AppliedIndex)
        {
            return null;
        }

        if (applied > (ulong)record.Committed.Count)
        {
            return $"{sight.Member:x} has applied {applied}, only {record.Committed.Count} is committed";
        }

        // Of what the state of a new epoch begins with no term is known.
        if (record.Committed[(int)applied - 1] is not 0 and var term && sight.Now.AppliedTerm != term)
        {
            return $"{sight.Member:x} has applied entry {applied} of term {sight.Now.AppliedTerm}, that of {record.Committed[(int)applied - 1]} is committed";
        }

        return _revisions.TryAdd(applied, sight.Now.Revision) || _revisions[applied] == sight.Now.Revision
            ? null
            : $"{sight.Member:x} is at revision {sight.Now.Revision} after entry {applied}, another member was at {_revisions[applied]}";
    }
}
