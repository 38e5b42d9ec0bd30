using Cairn.Simulation.Invariants;

namespace Cairn.Simulation.Observations;

/// <summary>The cluster of a run, and the epoch that takes its place when a majority is gone for good: each has a record of its own, since members, terms and promises begin anew with it.</summary>
/// <param name="world">Where a violation is reported.</param>
/// <param name="founders">Members of the new cluster: its first entries name them.</param>
internal sealed class Lineage(World world, int founders)
{
    private readonly Dictionary<ulong, ClusterRecord> _records = [];
    private readonly OneCluster _one = new();

    /// <summary>The cluster that was founded last; 0 before the first is.</summary>
    public ulong NewestId { get; private set; }

    /// <summary>The first member of it that opened a log.</summary>
    public ulong NewestFounder { get; private set; }

    /// <summary>Its record.</summary>
    public ClusterRecord Newest { get; private set; } = new(world, Enumerable.Repeat(1UL, founders));

    /// <summary>The record of a cluster; before the first was founded, that of the one that will be.</summary>
    public ClusterRecord Of(ulong cluster) => _records.GetValueOrDefault(cluster, Newest);

    /// <summary>Tells that a majority is gone for good, and that somebody may decide to go on without it.</summary>
    public void MayBeReplaced() => _one.MayBeReplaced();

    /// <summary>Tells of a log that a process has opened.</summary>
    public void Opened(ulong cluster, ulong member, int place, DurableLog log)
    {
        if (_one.Seen(cluster) is { } failure)
        {
            world.Fail($"{nameof(OneCluster)}: {member:x} opens its log, and {failure}");
        }

        if (!_records.ContainsKey(cluster))
        {
            // The state of an epoch begins with all that its founder held; nobody has those entries one by one.
            Newest = _records.Count == 0 ? Newest : new ClusterRecord(world, Enumerable.Repeat(0UL, (int)log.Begin));
            (NewestId, NewestFounder) = (cluster, member);
            _records.Add(cluster, Newest);
        }

        Of(cluster).Opened(member, place, log);
    }
}
