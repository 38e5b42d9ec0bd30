namespace Cairn.Server.Healing;

/// <summary>What a change of the voters would leave.</summary>
/// <remarks>The rule of all healing: no step lowers the number of voters that run and can be reached below the quorum of the configuration that it creates.</remarks>
/// <param name="Voters">Voters of the configuration.</param>
/// <param name="Reachable">Those of them that run and were heard of.</param>
internal readonly record struct Quorums(int Voters, int Reachable)
{
    /// <summary>Voters that a decision needs.</summary>
    public int Quorum => (Voters / 2) + 1;

    /// <summary>Whether decisions can be made.</summary>
    public bool IsLive => Voters > 0 && Reachable >= Quorum;

    /// <summary>Whether decisions could be made after one more failure.</summary>
    public bool HasReserve => Reachable - 1 >= Quorum;

    /// <summary>Counts.</summary>
    /// <param name="view">What the leader knows.</param>
    /// <param name="policy">What counts as reachable.</param>
    /// <param name="now">The moment.</param>
    /// <returns>The configuration as it is.</returns>
    public static Quorums Of(ClusterView view, HealPolicy policy, TimeSpan now)
    {
        var voters = view.Sights.Where(sight => !sight.Member.IsLearner).ToList();
        return new Quorums(voters.Count, voters.Count(sight => IsReachable(sight, view, policy, now)));
    }

    /// <summary>Whether a member runs, as far as the leader heard.</summary>
    /// <param name="sight">The member.</param>
    /// <param name="view">What the leader knows.</param>
    /// <param name="policy">What counts as reachable.</param>
    /// <param name="now">The moment.</param>
    /// <returns>True if so.</returns>
    public static bool IsReachable(MemberSight sight, ClusterView view, HealPolicy policy, TimeSpan now) =>
        sight.Member.Id == view.Self || (sight.HeardAt is { } heard && now - heard <= policy.ReachableWithin);

    /// <summary>Counts what a removal leaves.</summary>
    /// <param name="isReachable">Whether the voter that leaves is reachable.</param>
    /// <returns>The configuration without it.</returns>
    public Quorums Without(bool isReachable) => new(Voters - 1, isReachable ? Reachable - 1 : Reachable);

    /// <summary>Counts what a promotion leaves.</summary>
    /// <returns>The configuration with one more voter, which is reachable.</returns>
    public Quorums WithOneMore() => new(Voters + 1, Reachable + 1);
}
