using Cairn.Protocol.Healing;
using Cairn.State.Healing;

namespace Cairn.Server.Healing;

/// <summary>Voters that ran and have been gone for long, and the places of removed ones that nobody took: a spare learner gets the vote, if there is one that is in sync.</summary>
/// <remarks>
/// The lost one is removed first, since between the two steps the cluster bears as many failures as before the first, and since who comes back before the first step simply stays.
/// Its place becomes that of the spare: when it comes back, it is fed and waits in turn.
/// </remarks>
internal static class LostVoters
{
    /// <summary>Finds them.</summary>
    public static IEnumerable<HealCase> Find(ClusterView view, HealPolicy policy, TimeSpan now)
    {
        var spare = view.Sights.FirstOrDefault(spare => spare.Member.IsStandby && IsReady(spare, view, policy, now));
        foreach (var sight in view.Sights.Where(sight => sight.IsStarted && !sight.Member.IsLearner && !Quorums.IsReachable(sight, view, policy, now)))
        {
            var gone = now - (sight.HeardAt ?? sight.KnownSince);
            if (gone >= policy.ReplaceAfter)
            {
                var left = Quorums.Of(view, policy, now).Without(isReachable: false);
                var heal = Describe(sight.Member.Id, sight.Member.Name, "is gone", gone, spare) with
                {
                    Decision = $"remove {sight.Member.Id:x}, promote {spare?.Member.Id ?? 0:x}",
                    Safety = $"{left.Reachable} of {left.Voters} voters remain, quorum {left.Quorum}; the spare learner holds what they hold"
                        + (left.HasReserve ? "" : "; until it is promoted, one more failure would stop the cluster, as before"),
                };
                yield return new HealCase($"lost-{sight.Member.Id:x}", heal, Obstacle(spare, left, view));
            }
        }

        foreach (var place in view.Healing.Vacancies.Where(place => spare is not null && place is { FilledBy: 0, IsStandby: false }))
        {
            var vacant = now - view.VacantSince.GetValueOrDefault(place.MemberId, now);
            if (vacant >= policy.ReplaceAfter)
            {
                yield return new HealCase($"lost-{place.MemberId:x}", Describe(place.MemberId, place.Name, "was removed and did not come back", vacant, spare) with
                {
                    Decision = $"promote {spare!.Member.Id:x}", // Asked for above.
                    Safety = "its removal was committed; the spare learner holds what the voters hold",
                }, Obstacle: null);
            }
        }
    }

    /// <summary>Decides how a replacement that is recorded goes on while the lost voter is still a member.</summary>
    /// <param name="heal">The heal under way.</param>
    /// <param name="lost">The lost voter.</param>
    /// <param name="spare">The spare learner.</param>
    /// <param name="view">What the leader knows.</param>
    /// <param name="policy">What counts as reachable.</param>
    /// <param name="now">The moment.</param>
    /// <returns>One step, or what is waited for.</returns>
    public static HealDecision Continue(HealRecord heal, MemberSight lost, MemberSight spare, ClusterView view, HealPolicy policy, TimeSpan now)
    {
        if (Quorums.IsReachable(lost, view, policy, now))
        {
            return HealUnderWay.End(heal, HealOutcome.GivenUp, $"member {lost.Member.Id:x} is back");
        }

        var quorums = Quorums.Of(view, policy, now);
        return !IsReady(spare, view, policy, now)
            ? HealUnderWay.End(heal, HealOutcome.GivenUp, $"spare learner {spare.Member.Id:x} is not in sync any more")
            : (lost.Member.IsLearner ? quorums : quorums.Without(isReachable: false)).IsLive
            ? new HealDecision(new HealStep.Remove(lost.Member.Id), [])
            : HealUnderWay.Wait(heal, "the voters that would remain are no quorum");
    }

    private static bool IsReady(MemberSight spare, ClusterView view, HealPolicy policy, TimeSpan now) =>
        Quorums.IsReachable(spare, view, policy, now) && HealUnderWay.IsInSync(spare, policy);

    private static string? Obstacle(MemberSight? spare, Quorums left, ClusterView view)
    {
        if (spare is null)
        {
            return view.Sights.Any(static sight => sight.Member.IsStandby)
                ? "no spare learner is in sync: waiting"
                : "there is no spare learner (`--standby`) to take its place: start it again, or remove it with `member remove`";
        }

        return left.IsLive ? null : "the voters that would remain are no quorum";
    }

    private static HealRecord Describe(ulong id, string name, string fate, TimeSpan gone, MemberSight? spare) => new()
    {
        Kind = HealKind.ReplaceLost,
        OldMember = id,
        NewMember = spare?.Member.Id ?? 0,
        Name = spare?.Member.Name ?? "",
        PeerUrls = spare?.Member.PeerUrls ?? [],
        Incarnation = spare?.Member.Incarnation ?? 0,
        Detected = $"voter {id:x} ({name}) {fate}",
        Evidence = $"for {gone.TotalMinutes:F0} min, since this leader knows of it; "
            + (spare is null ? "no spare learner is in sync" : $"spare learner {spare.Member.Id:x} ({spare.Member.Name}) lacks {spare.LagEntries} entries"),
    };
}
