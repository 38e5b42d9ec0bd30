using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>Two logs that hold an entry of the same index and term hold the same entry there, and the same before it.</summary>
/// <remarks>Source: the Raft paper, figure 3, "Log Matching". That the entry before has the same term, wherever this one is, carries the rest.</remarks>
internal sealed class LogMatching : StepInvariant
{
    private readonly Dictionary<(ulong Index, ulong Term), (uint Digest, ulong TermBefore)> _entries = [];

    public override string? OnDurable(ClusterRecord record, ulong member, DurableLog log)
    {
        for (var index = log.BatchFirst; index <= log.LastIndex; index++)
        {
            var entry = (log.DigestOf(index), log.TermOf(index - 1));
            var place = (index, log.TermOf(index));
            if (_entries.TryAdd(place, entry))
            {
                continue;
            }

            var known = _entries[place];
            if (known.Digest != entry.Item1 || (known.TermBefore != entry.Item2 && known.TermBefore != 0 && entry.Item2 != 0))
            {
                return $"{member:x} has another entry {place.index} of term {place.Item2}, or another before it, than a member had";
            }
        }

        return null;
    }
}
