using Cairn.Protocol;
using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Invariants;

/// <summary>Nothing happens by itself, twice, in part, or after it was refused: every revision is one operation that a client called, or the end of a lease.</summary>
/// <remarks>Source: Raft, "State Machine Safety"; etcd api guarantees, "atomicity" and "durability".</remarks>
internal static class EveryChangeHasACause
{
    public static string? Check(Chronicle chronicle, History history)
    {
        var byValue = new Dictionary<string, Operation>();
        foreach (var operation in history.Operations)
        {
            foreach (var put in operation.Puts)
            {
                byValue.Add(put.Value, operation);
            }
        }

        var done = new HashSet<Operation>();
        foreach (var (revision, events) in chronicle.Events)
        {
            var failure = events.Exists(change => change.Type == Event.Types.EventType.Put)
                ? CheckPuts(events, byValue, done)
                : CheckDeletions(revision, events, history, chronicle.SeenAt(revision));
            if (failure is not null)
            {
                return $"revision {revision}: {failure}";
            }
        }

        return null;
    }

    private static string? CheckPuts(List<Event> events, Dictionary<string, Operation> byValue, HashSet<Operation> done)
    {
        var puts = events.Where(change => change.Type == Event.Types.EventType.Put).ToList();
        if (!byValue.TryGetValue(puts[0].Kv.Value.ToStringUtf8(), out var operation))
        {
            return "nobody ever put that value";
        }

        if (!operation.Puts.SequenceEqual(puts.Select(put => (put.Kv.Key.ToStringUtf8(), put.Kv.Value.ToStringUtf8()))))
        {
            return $"{operation} happened in part, or together with another";
        }

        if (operation.End == OperationEnd.Refused || (operation.End == OperationEnd.Done && !operation.Wrote))
        {
            return $"{operation} happened though it was refused";
        }

        return done.Add(operation) ? null : $"{operation} happened twice";
    }

    private static string? CheckDeletions(long revision, List<Event> events, History history, long seenAt)
    {
        var keys = events.Select(change => change.Kv.Key.ToStringUtf8()).ToList();
        if (keys is [var single] && single.StartsWith("lease/", StringComparison.Ordinal))
        {
            return history.Leases.Exists(lease => lease.Key == single) ? null : $"{single} was deleted, by nobody";
        }

        var isExplained = history.Operations.Exists(operation =>
            operation.Deletes.Count > 0
            && operation.Invoked < seenAt
            && (operation.End == OperationEnd.Done ? operation.Wrote && operation.Revision == revision : operation.End == OperationEnd.Unknown)
            && keys.TrueForAll(key => operation.Deletes.Exists(range => Chronicle.Contains(range.Key, range.End, key))));
        return isExplained ? null : $"{string.Join(", ", keys)} deleted, by nobody";
    }
}
