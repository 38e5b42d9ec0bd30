namespace Cairn.Simulation.Invariants;

/// <summary>Whatever happens to disks, in whatever order processes start, there is one cluster: nobody founds another beside it, and when a majority is gone for good, one epoch takes its place.</summary>
/// <remarks>Source: docs/decisions/0009 and 0013.</remarks>
internal sealed class OneCluster
{
    private readonly HashSet<ulong> _seen = [];
    private int _clustersMax = 1;

    /// <summary>Tells that somebody may decide to go on without a majority.</summary>
    public void MayBeReplaced() => _clustersMax++;

    /// <summary>Tells of a process of a cluster.</summary>
    /// <returns>What is wrong; null if nothing is.</returns>
    public string? Seen(ulong cluster) =>
        _seen.Add(cluster) && _seen.Count > _clustersMax ? $"it is of cluster {cluster:x}, beside {string.Join(", ", _seen.Where(other => other != cluster).Select(other => $"{other:x}"))}" : null;
}
