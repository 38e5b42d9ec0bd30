using Cairn.Protocol;
using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Invariants;

/// <summary>Watches are ordered, unique, reliable, atomic, resumable and bookmarkable.</summary>
/// <remarks>
/// What a watcher saw through all its connections is held against what happened: the same events in the same order, none twice and none missing, whole
/// revisions in one message, and a message that tells a revision only when every event up to there has come.
/// Source: etcd api guarantees, "watch APIs".
/// </remarks>
internal static class WatchGuarantees
{
    public static string? Check(Chronicle chronicle, History history)
    {
        foreach (var watch in history.Watches)
        {
            if (Check(watch, chronicle) is { } failure)
            {
                return $"watch {watch.Name}: {failure}";
            }
        }

        return null;
    }

    private static string? Check(WatchRecord watch, Chronicle chronicle)
    {
        var expected = Expected(watch, chronicle).ToList();
        var at = 0;
        foreach (var message in watch.Messages)
        {
            foreach (var change in message.Events)
            {
                if (at == expected.Count || !IsSame(change, expected[at]))
                {
                    return $"event {at} is {Describe(change)}, but {(at == expected.Count ? "there is no other" : $"{Describe(expected[at])} was due")}";
                }

                at++;
                if (watch.WantsPrevious && CheckPrevious(change, chronicle, watch) is { } failure)
                {
                    return failure;
                }
            }

            // Every event of a revision comes in one message; one that tells a revision comes after all of them.
            var told = message.Events.Count > 0 ? message.Events[^1].Kv.ModRevision : message.Revision;
            if (at < expected.Count && expected[at].Kv.ModRevision <= told)
            {
                return $"revision {told} was told, but {Describe(expected[at])} had not come";
            }

            if (message.Revision < told)
            {
                return $"a message of revision {message.Revision} tells of {told}";
            }
        }

        return at == expected.Count ? null : $"{expected.Count - at} events never came, the first is {Describe(expected[at])}";
    }

    private static IEnumerable<Event> Expected(WatchRecord watch, Chronicle chronicle) =>
        from revision in chronicle.Events
        where !watch.Gaps.Exists(gap => gap.First <= revision.Key && revision.Key <= gap.Last)
        from change in revision.Value
        where Chronicle.Contains(watch.Key, watch.End, change.Kv.Key.ToStringUtf8())
        where !(change.Type == Event.Types.EventType.Put ? watch.NoPut : watch.NoDelete)
        select change;

    private static bool IsSame(Event left, Event right) => left.Type == right.Type && left.Kv.Equals(right.Kv);

    /// <summary>The row before may be gone with history; a wrong one must never be shown.</summary>
    private static string? CheckPrevious(Event change, Chronicle chronicle, WatchRecord watch)
    {
        var before = chronicle.Find(change.Kv.Key.ToStringUtf8(), change.Kv.ModRevision - 1);
        return change.PrevKv is null || change.PrevKv.Equals(before) ? null : $"{watch.Name}: the row before {Describe(change)} is {before}";
    }

    private static string Describe(Event change) => $"{change.Type} {change.Kv.Key.ToStringUtf8()}@{change.Kv.ModRevision}";
}
