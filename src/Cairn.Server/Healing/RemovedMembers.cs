using Cairn.Protocol.Healing;
using Cairn.Protocol.Peers;
using Cairn.State.Healing;
using Cairn.State.Members;

namespace Cairn.Server.Healing;

/// <summary>Members that were removed and ask to come back, and empty directories at the peer URL of one: taken in while the cluster is smaller than it is meant to be.</summary>
internal static class RemovedMembers
{
    /// <summary>Finds them.</summary>
    public static IEnumerable<HealCase> Find(ClusterView view, HealPolicy policy, TimeSpan now)
    {
        foreach (var applicant in view.Applicants.Where(applicant => now - applicant.AskedAt <= policy.FreshWithin))
        {
            var place = FindPlace(applicant, view);
            var wasMember = applicant.OldMember != 0 && view.Members.Removed.Contains(applicant.OldMember);
            if (!view.Members.Members.Any(member => member.PeerUrls.Any(url => applicant.PeerUrls.Contains(url)) || (place is null && IsToReplace(applicant, member, view)))
                && (place is not null || !WipedMembers.HasMoved(applicant, view)))
            {
                var obstacle = place is not null || wasMember
                    ? Obstacle(applicant, place, view, policy, now)
                    : "its peer URL is that of no member, and of no removed one: add it first, with `member add`";
                yield return new HealCase($"applicant-{applicant.Incarnation:x}", Describe(applicant, place, view), obstacle);
            }
        }
    }

    /// <summary>Says why there is no place for a member that was removed and still holds its data.</summary>
    /// <param name="speaker">Who asks.</param>
    /// <param name="members">The membership.</param>
    /// <param name="healing">What the cluster is meant to be.</param>
    /// <returns>Null if there is one.</returns>
    public static string? ObstacleOf(Handshake speaker, MemberTable members, HealingTable healing)
    {
        if (!members.Removed.Contains(speaker.MemberId) && !healing.FormerEpochs.Contains(speaker.ClusterId))
        {
            return $"this cluster removed no member {speaker.MemberId:x}";
        }

        if (healing.Evicted.Contains(speaker.MemberId))
        {
            return "it was sent away for good";
        }

        if (members.Members.FirstOrDefault(member => member.PeerUrls.Any(url => speaker.PeerUrls.Contains(url))) is { } holder)
        {
            return $"member {holder.Id:x} has its peer URL";
        }

        return !healing.IsCounting ? "the cluster does not know how large it is meant to be"
            : members.Members.Any(member => member.Incarnation == 0) ? "there are members that are not known to be Cairn"
            : members.Members.Length >= healing.TargetSize ? $"the cluster has {members.Members.Length} members, as many as it is meant to have"
            : null;
    }

    private static VacantPlace? FindPlace(Applicant applicant, ClusterView view) =>
        view.Healing.FindVacancy(applicant.OldMember)
        ?? view.Healing.Vacancies.FirstOrDefault(place => place.FilledBy == 0 && place.PeerUrls.Any(url => applicant.PeerUrls.Contains(url)))
        ?? (Displaced.IsUnexpected(applicant.Name, applicant.PeerUrls, view.Members, view.Healing, view.Listed)
            ? view.Healing.Vacancies.FirstOrDefault(place => Displaced.Is(place, view.Members))
            : null);

    private static bool IsToReplace(Applicant applicant, MemberRecord member, ClusterView view) =>
        Displaced.Is(member) && Displaced.IsUnexpected(applicant.Name, applicant.PeerUrls, view.Members, view.Healing, view.Listed);

    private static string? Obstacle(Applicant applicant, VacantPlace? place, ClusterView view, HealPolicy policy, TimeSpan now)
    {
        if (!applicant.IsOfThisCluster)
        {
            return "it has another cluster token: it is not taken in";
        }

        if (place is null && view.Healing.Evicted.Contains(applicant.OldMember))
        {
            return "it was sent away for good; `cairn member rejoin` on its machine takes it in again";
        }

        if (view.Members.Members.Length >= view.Healing.TargetSize)
        {
            return $"the cluster has {view.Members.Members.Length} members, as many as it is meant to have";
        }

        return applicant.AnsweredAt is not { } answered || now - answered > policy.FreshWithin
            ? $"it asks, and does not answer at {string.Join(',', applicant.PeerUrls)}: waiting until it can be reached there"
            : view.IsChangePending ? "another change of the membership is under way" : null;
    }

    private static HealRecord Describe(Applicant applicant, VacantPlace? place, ClusterView view) => new()
    {
        Kind = HealKind.TakeInRemoved,
        OldMember = place?.MemberId ?? applicant.OldMember,
        Name = applicant.Name,
        PeerUrls = applicant.PeerUrls,
        Incarnation = applicant.Incarnation,
        IsStandby = place?.IsStandby ?? false,
        Detected = view.Members.Find(applicant.OldMember) is not null ? $"a directory ({applicant.Name}) that was member {applicant.OldMember:x} asks to be taken in"
            : applicant.OldMember != 0 ? $"member {applicant.OldMember:x} ({applicant.Name}) was removed, and asks to come back"
            : $"an empty directory ({applicant.Name}) asks to be taken in",
        Evidence = $"{view.Members.Members.Length} members, {view.Healing.TargetSize} intended; at {string.Join(',', applicant.PeerUrls)} answers {applicant.Incarnation:x}",
        Decision = place is { IsStandby: true } ? "add it as a spare learner under a new id" : "add it as a learner under a new id, promote it when it is in sync",
        Safety = "a learner counts in no quorum; its removal was committed, so nothing that its old id promised matters",
    };
}
