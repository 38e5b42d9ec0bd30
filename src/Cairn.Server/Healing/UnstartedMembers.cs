using Cairn.Protocol.Healing;
using Cairn.State.Healing;

namespace Cairn.Server.Healing;

/// <summary>Members that were added and never started: a typo in a URL, a script that stopped half way. They count in every quorum, and nobody answers for them.</summary>
internal static class UnstartedMembers
{
    /// <summary>Finds those that have been waited for long enough.</summary>
    /// <param name="view">What the leader knows.</param>
    /// <param name="policy">How long that is.</param>
    /// <param name="now">The moment.</param>
    /// <param name="areInTheWay">Whether something is to be healed that cannot be recorded while one is listed of whom it is not known that it understands records.</param>
    /// <returns>They.</returns>
    public static IEnumerable<HealCase> Find(ClusterView view, HealPolicy policy, TimeSpan now, bool areInTheWay)
    {
        var quorums = Quorums.Of(view, policy, now);
        var unstarted = view.Sights.Where(sight => !sight.IsStarted && sight.Member.Id != view.Self && !Quorums.IsReachable(sight, view, policy, now)).ToList();

        // Of several each may be the one too many, so they are judged together.
        var without = quorums with { Voters = quorums.Voters - unstarted.Count(static sight => !sight.Member.IsLearner) };
        var costReserve = !quorums.HasReserve && without.HasReserve;
        foreach (var sight in unstarted)
        {
            var left = sight.Member.IsLearner ? quorums : quorums.Without(isReachable: false);
            var age = now - sight.KnownSince;
            var limit = LimitOf(sight, costReserve, view.Healing, policy, areInTheWay);
            if (age >= limit)
            {
                var obstacle = left.IsLive ? null : "the voters that would remain are no quorum";
                yield return new HealCase($"unstarted-{sight.Member.Id:x}", Describe(sight, age, left), obstacle, NeedsRecord: false);
            }
        }
    }

    private static TimeSpan LimitOf(MemberSight sight, bool costReserve, HealingTable healing, HealPolicy policy, bool areInTheWay)
    {
        if (healing.Finished.Any(heal => heal.NewMember == sight.Member.Id && heal.Outcome == HealOutcome.GivenUp))
        {
            // Healing itself added it, and gave up.
            return TimeSpan.Zero;
        }

        return (costReserve && !sight.Member.IsLearner) || (areInTheWay && !sight.IsCairn) ? policy.ReplaceAfter : policy.ClearAfter;
    }

    private static HealRecord Describe(MemberSight sight, TimeSpan age, Quorums left) => new()
    {
        Kind = HealKind.ClearUnstarted,
        OldMember = sight.Member.Id,
        PeerUrls = sight.Member.PeerUrls,
        Detected = $"member {sight.Member.Id:x} ({string.Join(',', sight.Member.PeerUrls)}) was added and never started",
        Evidence = $"not heard of for {age.TotalMinutes:F0} min, since this leader knows of it",
        Decision = $"remove {sight.Member.Id:x}",
        Safety = $"it never acknowledged anything; {left.Reachable} of {left.Voters} voters remain, quorum {left.Quorum}",
    };
}
