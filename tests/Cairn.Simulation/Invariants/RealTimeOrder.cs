using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Invariants;

/// <summary>Linearizability, the half about time: what was called after something was seen is not of an earlier state.</summary>
/// <remarks>
/// Revisions order all writes, and a read shows the state of the revision in its header (<see cref="AnswersMatchState"/>). So the history is linearizable if
/// that one order agrees with real time, and no search for another is needed: of all that was seen before a call began, the highest revision is a lower bound
/// for a read, and one that a write must exceed. A write without an answer is bound by its call as well, if it happened; it has no upper bound.
/// Source: Herlihy and Wing, "Linearizability" (1990); etcd api guarantees, "strict serializability".
/// </remarks>
internal static class RealTimeOrder
{
    public static string? Check(Chronicle chronicle, History history)
    {
        var seen = Sightings(history).OrderBy(sighting => sighting.At).ToList();
        var next = 0;
        long bound = 0;
        var by = "";
        var happened = AcknowledgedWrites.RevisionsOfValues(chronicle);
        foreach (var operation in history.Operations.OrderBy(operation => operation.Invoked))
        {
            for (; next < seen.Count && seen[next].At < operation.Invoked; next++)
            {
                if (seen[next].Revision > bound)
                {
                    (_, bound, by) = seen[next];
                }
            }

            var (revision, isWrite) = Place(operation, happened);
            if (revision != 0 && (isWrite ? revision <= bound : revision < bound))
            {
                return $"{operation} is of revision {revision}, but {bound} had been seen before by {by}";
            }
        }

        return null;
    }

    private static IEnumerable<(long At, long Revision, string By)> Sightings(History history)
    {
        foreach (var operation in history.Operations.Where(operation => operation.End == OperationEnd.Done))
        {
            yield return (operation.Returned, operation.Revision, operation.ToString());
        }

        foreach (var watch in history.Watches)
        {
            foreach (var message in watch.Messages)
            {
                var revision = message.Events.Count > 0 ? message.Events[^1].Kv.ModRevision : message.Revision;
                yield return (message.At, revision, $"watch {watch.Name}");
            }
        }
    }

    private static (long Revision, bool IsWrite) Place(Operation operation, Dictionary<string, long> happened)
    {
        if (operation.End == OperationEnd.Done)
        {
            return operation.IsLinearizable ? (operation.Revision, operation.Wrote) : default;
        }

        return operation.Puts.Count > 0 && happened.TryGetValue(operation.Puts[0].Value, out var revision) ? (revision, true) : default;
    }
}
