using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>Only what is committed is applied, and everywhere the same entry with the same result.</summary>
/// <remarks>
/// A state that was received counts as applied before the log has its mark, so that an entry of the log which the state takes the place of is judged once something else is durable.
/// Source: the Raft paper, figure 3, "State Machine Safety".
/// </remarks>
internal sealed class StateMachineSafety : StepInvariant
{
    private readonly Dictionary<ulong, long> _revisions = [];
    private readonly Dictionary<ulong, ulong> _suspects = [];

    public override string? OnDurable(ClusterRecord record, ulong member, DurableLog log) => Judge(record, member, log);

    public override string? OnOpened(ClusterRecord record, ulong member, DurableLog before, DurableLog now) => Judge(record, member, now);

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

        if (!sight.Now.IsLeader && IsOther(record, record.Logs[sight.Member], applied))
        {
            _suspects[sight.Member] = applied;
        }

        return _revisions.TryAdd(applied, sight.Now.Revision) || _revisions[applied] == sight.Now.Revision
            ? null
            : $"{sight.Member:x} is at revision {sight.Now.Revision} after entry {applied}, another member was at {_revisions[applied]}";
    }

    private static bool IsOther(ClusterRecord record, DurableLog log, ulong index) => log.TermOf(index) is var term && term != 0 && term != record.Committed[(int)index - 1];

    private string? Judge(ClusterRecord record, ulong member, DurableLog log) =>
        _suspects.Remove(member, out var applied) && IsOther(record, log, applied)
            ? $"{member:x} has applied entry {applied} of term {log.TermOf(applied)}, that of {record.Committed[(int)applied - 1]} is committed"
            : null;
}
