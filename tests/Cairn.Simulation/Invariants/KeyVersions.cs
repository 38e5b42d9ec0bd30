using Cairn.Protocol;
using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Invariants;

/// <summary>Revisions follow each other without a gap, and each key counts its versions within one generation.</summary>
/// <remarks>Source: etcd server/storage/mvcc/key_index.go.</remarks>
internal static class KeyVersions
{
    public static string? Check(Chronicle chronicle)
    {
        var expected = chronicle.Begin + 1;
        foreach (var (revision, events) in chronicle.Events)
        {
            if (revision != expected++)
            {
                return $"revision {expected - 1} is missing, {revision} follows";
            }

            if (events.Select(change => change.Kv.Key).Distinct().Count() != events.Count)
            {
                return $"a key changed twice in revision {revision}";
            }

            foreach (var change in events)
            {
                var before = chronicle.Find(change.Kv.Key.ToStringUtf8(), revision - 1);
                if (!Follows(change, before))
                {
                    return $"{change} does not follow {before}";
                }
            }
        }

        return null;
    }

    private static bool Follows(Event change, KeyValue? before)
    {
        if (change.Type == Event.Types.EventType.Delete)
        {
            return before is not null;
        }

        return change.Kv.Version == (before?.Version ?? 0) + 1
            && change.Kv.CreateRevision == (before?.CreateRevision ?? change.Kv.ModRevision);
    }
}
