using Cairn.Protocol;
using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Invariants;

/// <summary>Nothing acknowledged is lost: every write that was answered happened, whole, at the revision of its answer, and there alone.</summary>
/// <remarks>Source: the Raft paper, "Leader Completeness" and "State Machine Safety".</remarks>
internal static class AcknowledgedWrites
{
    public static string? Check(Chronicle chronicle, History history)
    {
        foreach (var operation in history.Operations.Where(operation => operation is { End: OperationEnd.Done, Wrote: true }))
        {
            if (!chronicle.Events.TryGetValue(operation.Revision, out var events))
            {
                return $"{operation} is lost: nothing happened at its revision, the last is {chronicle.Last}";
            }

            if (!IsThere(operation, events))
            {
                return $"{operation} is lost: at its revision there is {string.Join(" ", events.Select(change => $"{change.Type} {change.Kv.Key.ToStringUtf8()}"))}";
            }
        }

        return null;
    }

    /// <summary>Maps every value that was ever put to its revision.</summary>
    internal static Dictionary<string, long> RevisionsOfValues(Chronicle chronicle)
    {
        var revisions = new Dictionary<string, long>();
        foreach (var (revision, events) in chronicle.Events)
        {
            foreach (var change in events.Where(change => change.Type == Event.Types.EventType.Put))
            {
                revisions[change.Kv.Value.ToStringUtf8()] = revision;
            }
        }

        return revisions;
    }

    private static bool IsThere(Operation operation, List<Event> events)
    {
        var puts = events.Where(change => change.Type == Event.Types.EventType.Put).ToList();
        var deletions = events.Where(change => change.Type == Event.Types.EventType.Delete);
        return operation.Puts.SequenceEqual(puts.Select(change => (change.Kv.Key.ToStringUtf8(), change.Kv.Value.ToStringUtf8())))
            && deletions.All(change => operation.Deletes.Exists(range => Chronicle.Contains(range.Key, range.End, change.Kv.Key.ToStringUtf8())));
    }
}
