using Cairn.EndToEnd.Cluster;

namespace Cairn.EndToEnd.KillLoop;

/// <summary>A cluster of which something is killed in turns: everything, the leader, one that does not lead.</summary>
/// <param name="cluster">The cluster.</param>
/// <param name="prng">Says in which order the killed come back.</param>
internal sealed class ClusterTarget(LocalCluster cluster, Prng prng) : IKillTarget
{
    private int _round;
    private ClusterMember[] _killed = [];

    /// <inheritdoc/>
    public IReadOnlyList<string> Endpoints => [.. cluster.Members.Select(static member => member.Endpoint)];

    /// <inheritdoc/>
    public string Said => string.Join("\n---\n", cluster.Members.Select(static member => member.Run.Said));

    /// <inheritdoc/>
    public async Task KillAsync()
    {
        var leader = await cluster.LeaderAsync();
        _killed = (_round++ % 3) switch
        {
            0 => cluster.Members,
            1 => [leader],
            _ => [cluster.Members.First(member => member != leader)],
        };
        await Task.WhenAll(_killed.Select(static member => member.KillAsync()));
    }

    /// <summary>Starts what was killed, and waits until all members have the same history: what was under way has then happened on all of them or never will.</summary>
    /// <returns>When they have.</returns>
    public async Task HealAsync()
    {
        ClusterMember[] order = [.. _killed.OrderBy(_ => prng.Below(1000))];
        await cluster.LaunchAsync(order);
        await LocalCluster.AgreeAsync(cluster.Members);
    }
}
