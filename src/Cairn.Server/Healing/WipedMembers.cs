using Cairn.Protocol.Healing;
using Cairn.State.Healing;

namespace Cairn.Server.Healing;

/// <summary>Members whose process runs at their peer URL with another directory than the one that made their promises. Of one whose address was given up, that is the address at which nobody is expected.</summary>
/// <remarks>
/// A directory that was a member's and lost its data may have moved as well: it says whose place it asks for, from an address that is nobody's. That proves less than the member's own address,
/// where two processes cannot listen, and a copy of its disk could say the same; so it is believed only when the member has been gone for as long as a spare learner would wait.
/// </remarks>
internal static class WipedMembers
{
    /// <summary>Finds them.</summary>
    public static IEnumerable<HealCase> Find(ClusterView view, HealPolicy policy, TimeSpan now)
    {
        foreach (var sight in view.Sights.Where(sight => sight.Member.Id != view.Self && sight.IsCairn))
        {
            if (FindApplicant(sight, view, policy, now) is { } applicant)
            {
                yield return new HealCase($"wiped-{sight.Member.Id:x}", Describe(sight, applicant, view, policy, now), Obstacle(sight, applicant, view, policy, now));
            }
        }
    }

    /// <summary>Says why a member is not replaced now. The conditions are those under which its old promises can neither count nor be missed.</summary>
    /// <param name="sight">The member.</param>
    /// <param name="applicant">Who is to take its place.</param>
    /// <param name="view">What the leader knows.</param>
    /// <param name="policy">What counts as reachable and fresh.</param>
    /// <param name="now">The moment.</param>
    /// <returns>Null if it may be replaced.</returns>
    public static string? Obstacle(MemberSight sight, Applicant applicant, ClusterView view, HealPolicy policy, TimeSpan now)
    {
        if (!applicant.IsOfThisCluster)
        {
            return "what runs at its peer URL has another cluster token: it is not taken in";
        }

        if (Quorums.IsReachable(sight, view, policy, now))
        {
            return "its old process was heard of a moment ago: waiting until it is silent";
        }

        if (applicant.AnsweredAt is not { } answered || now - answered > policy.FreshWithin)
        {
            return $"{string.Join(',', applicant.PeerUrls)} does not answer with the new incarnation, so the old disk may still be there: waiting";
        }

        if (!IsAtPlaceOf(applicant, sight, view) && now - (sight.HeardAt ?? sight.KnownSince) < policy.ReplaceAfter)
        {
            return $"it has moved from {string.Join(',', sight.Member.PeerUrls)} to {string.Join(',', applicant.PeerUrls)}, or is a copy: waiting until the member has been gone for {policy.ReplaceAfter.TotalMinutes:F0} min";
        }

        var quorums = Quorums.Of(view, policy, now);
        if (!quorums.IsLive)
        {
            return $"{quorums.Reachable} of {quorums.Voters} voters can be reached without it, {quorums.Quorum} are needed";
        }

        if (!sight.Member.IsLearner && !quorums.Without(isReachable: false).IsLive)
        {
            return "the voters that would remain are no quorum";
        }

        return view.IsChangePending ? "another change of the membership is under way" : null;
    }

    /// <summary>Whether somebody asks from where it is nobody's place for that of a member which it says it was.</summary>
    /// <param name="applicant">Who asks.</param>
    /// <param name="view">What the leader knows.</param>
    /// <returns>True if so.</returns>
    public static bool HasMoved(Applicant applicant, ClusterView view) => applicant.OldMember != view.Self && view.Find(applicant.OldMember) is { IsCairn: true } && Displaced.IsNobodys(applicant.PeerUrls, view.Members, view.Healing);

    private static bool IsAtPlaceOf(Applicant applicant, MemberSight sight, ClusterView view) =>
        applicant.PeerUrls.Any(url => sight.Member.PeerUrls.Contains(url))
        || (Displaced.Is(sight.Member) && Displaced.IsUnexpected(applicant.Name, applicant.PeerUrls, view.Members, view.Healing, view.Listed));

    private static Applicant? FindApplicant(MemberSight sight, ClusterView view, HealPolicy policy, TimeSpan now)
    {
        var others = view.Applicants.Where(applicant => applicant.Incarnation != sight.Member.Incarnation && now - applicant.AskedAt <= policy.FreshWithin).ToList();
        return others.Find(applicant => IsAtPlaceOf(applicant, sight, view)) ?? others.Find(applicant => applicant.OldMember == sight.Member.Id && HasMoved(applicant, view));
    }

    private static HealRecord Describe(MemberSight sight, Applicant applicant, ClusterView view, HealPolicy policy, TimeSpan now)
    {
        var quorums = Quorums.Of(view, policy, now);
        var left = sight.Member.IsLearner ? quorums : quorums.Without(isReachable: false);
        return new HealRecord
        {
            Kind = HealKind.ReplaceWiped,
            OldMember = sight.Member.Id,
            Name = applicant.Name,
            PeerUrls = applicant.PeerUrls,
            Incarnation = applicant.Incarnation,
            IsStandby = sight.Member.IsStandby,
            Detected = $"member {sight.Member.Id:x} ({applicant.Name}) runs with another data directory",
            Evidence = $"recorded incarnation {sight.Member.Incarnation:x}, at {string.Join(',', applicant.PeerUrls)} answers {applicant.Incarnation:x}; "
                + $"{quorums.Reachable} of {quorums.Voters} voters can be reached without it",
            Decision = $"remove {sight.Member.Id:x}, add the new directory as a {(sight.Member.IsStandby ? "spare learner" : "learner, promote it when it is in sync")}",
            Safety = $"the old id never votes again; {left.Reachable} of {left.Voters} voters remain, quorum {left.Quorum}"
                + (left.HasReserve ? "" : "; until it is promoted, one more failure would stop the cluster"),
        };
    }
}
