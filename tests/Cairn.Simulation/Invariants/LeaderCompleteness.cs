using Cairn.Raft;
using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>Who begins to lead has every entry that was committed before.</summary>
/// <remarks>
/// Source: the Raft paper, figure 3, "Leader Completeness". 
/// Judged where the log is seen: whoever is elected by the others alone, while its own disk hangs, leads with a log that only its memory has.
/// </remarks>
internal sealed class LeaderCompleteness : StepInvariant
{
    private ulong _term;

    public override string? OnSent(ClusterRecord record, Message message, DurableLog? log)
    {
        if (message.Type is not (MessageType.App or MessageType.Heartbeat) || message.Term <= _term || log is null)
        {
            return null;
        }

        _term = message.Term;
        if (log.State.Term < message.Term)
        {
            return null;
        }

        for (var index = (ulong)record.Committed.Count; index > 0 && !log.IsBelow(index); index--)
        {
            if (log.TermOf(index) != record.Committed[(int)index - 1])
            {
                return $"{message.From:x} leads in term {_term} with entry {index} of term {log.TermOf(index)}, that of {record.Committed[(int)index - 1]} is committed";
            }
        }

        return null;
    }
}
