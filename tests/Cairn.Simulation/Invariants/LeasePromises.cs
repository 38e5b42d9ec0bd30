using Cairn.Protocol;
using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Invariants;

/// <summary>A lease may live longer than its time to live, never shorter; without renewals it ends.</summary>
/// <remarks>
/// Time counts from the moment at which the client asked for the last renewal that was acknowledged: the earliest at which it can have been processed. It is
/// taken as short as the fastest clock makes it. Source: etcd issues 15247 and 13932.
/// </remarks>
internal static class LeasePromises
{
    public static string? Check(Chronicle chronicle, History history)
    {
        var leases = history.Leases.ToDictionary(lease => lease.Key);
        foreach (var (revision, events) in chronicle.Events)
        {
            foreach (var change in events.Where(change => change.Type == Event.Types.EventType.Delete))
            {
                if (leases.TryGetValue(change.Kv.Key.ToStringUtf8(), out var lease) && IsEarly(lease, chronicle.SeenAt(revision)))
                {
                    var early = TimeSpan.FromTicks(lease.Deadline - chronicle.SeenAt(revision));
                    return $"lease {lease.Id} ended at revision {revision}, {early.TotalSeconds:F3} s before its time";
                }
            }
        }

        var left = history.Leases.Find(lease => chronicle.Find(lease.Key, chronicle.Last) is not null);
        return left is null ? null : $"lease {left.Id} never ended";
    }

    private static bool IsEarly(LeaseRecord lease, long seenAt) => seenAt < lease.Deadline && seenAt < lease.Revoked;
}
