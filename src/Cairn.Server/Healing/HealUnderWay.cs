using Cairn.Protocol.Healing;
using Cairn.State.Healing;

namespace Cairn.Server.Healing;

/// <summary>Goes on with the heal that is recorded, whoever began it: how far it is, the membership tells.</summary>
/// <remarks>
/// <code>
///   old one is a member         remove it, if that is still safe
///   new one is no member        add it as a learner
///   new one is a learner        wait until it is in sync, promote it, unless it is to be a spare one
///   new one is a voter          done
/// </code>
/// </remarks>
internal static class HealUnderWay
{
    /// <summary>Decides.</summary>
    public static HealDecision Continue(HealRecord heal, ClusterView view, HealPolicy policy, TimeSpan now)
    {
        if (view.Members.Removed.Contains(heal.NewMember))
        {
            return End(heal, HealOutcome.GivenUp, $"member {heal.NewMember:x} was removed by somebody else");
        }

        if (view.Find(heal.NewMember) is { } joined)
        {
            return !joined.Member.IsLearner ? End(heal, HealOutcome.Healed, $"member {heal.NewMember:x} votes")
                : heal.Kind == HealKind.ReplaceLost && view.Find(heal.OldMember) is { } lost ? LostVoters.Continue(heal, lost, joined, view, policy, now)
                : Feed(heal, joined, view, policy, now);
        }

        if (FindSuccessor(heal, view, policy, now) is { AnsweredAt: { } answered } replaced && now - answered <= policy.FreshWithin)
        {
            // At its address answers another directory, and it has no place that it could speak from.
            return End(heal, HealOutcome.GivenUp, $"its directory was replaced again, by {replaced.Incarnation:x}");
        }

        var applicant = view.Applicants.FirstOrDefault(applicant => applicant.Incarnation == heal.Incarnation);
        if (applicant is null || now - applicant.AskedAt > policy.GiveUpAfter)
        {
            return IsYoung(view, policy, now) ? Wait(heal, "waiting for it to ask again") : End(heal, HealOutcome.GivenUp, "it does not ask any more");
        }

        var old = heal.Kind == HealKind.ReplaceWiped ? view.Find(heal.OldMember) : null;
        return old is not null ? Remove(heal, old, applicant, view, policy, now) : Add(heal, applicant, view, policy, now);
    }

    private static HealDecision Remove(HealRecord heal, MemberSight old, Applicant applicant, ClusterView view, HealPolicy policy, TimeSpan now)
    {
        if (Quorums.IsReachable(old, view, policy, now) && !applicant.PeerUrls.Any(url => old.Member.PeerUrls.Contains(url)))
        {
            // A copy of its disk, perhaps, at another address, which is its own now. Who asks may be wanted in the place of somebody else.
            return End(heal, HealOutcome.GivenUp, $"member {old.Member.Id:x} lives on at {string.Join(',', old.Member.PeerUrls)}");
        }

        return WipedMembers.Obstacle(old, applicant, view, policy, now) is { } obstacle
            ? Wait(heal, obstacle)
            : new HealDecision(new HealStep.Remove(old.Member.Id), []);
    }

    private static HealDecision Add(HealRecord heal, Applicant applicant, ClusterView view, HealPolicy policy, TimeSpan now)
    {
        if (view.Members.Members.FirstOrDefault(member => member.PeerUrls.Any(url => heal.PeerUrls.Contains(url))) is { } other)
        {
            return End(heal, HealOutcome.GivenUp, $"member {other.Id:x} has its peer URL");
        }

        return now - applicant.AskedAt > policy.FreshWithin ? Wait(heal, "waiting for it to ask again") : new HealDecision(new HealStep.AddLearner(heal), []);
    }

    private static HealDecision Feed(HealRecord heal, MemberSight learner, ClusterView view, HealPolicy policy, TimeSpan now)
    {
        if (FindSuccessor(heal, view, policy, now) is { } successor && !Quorums.IsReachable(learner, view, policy, now))
        {
            return End(heal, HealOutcome.GivenUp, $"its directory was replaced again, by {successor.Incarnation:x}");
        }

        if (!Quorums.IsReachable(learner, view, policy, now))
        {
            return now - (learner.HeardAt ?? learner.KnownSince) > policy.GiveUpAfter
                ? End(heal, HealOutcome.GivenUp, $"learner {heal.NewMember:x} is silent")
                : Wait(heal, $"waiting for learner {heal.NewMember:x}, which is silent");
        }

        if (!IsInSync(learner, policy))
        {
            return Wait(heal, $"learner {heal.NewMember:x} is being fed, {learner.LagEntries} entries to go");
        }

        if (heal.IsStandby)
        {
            return End(heal, HealOutcome.Healed, $"member {heal.NewMember:x} is a spare learner");
        }

        return Quorums.Of(view, policy, now).WithOneMore().IsLive
            ? new HealDecision(new HealStep.Promote(heal.NewMember), [])
            : Wait(heal, "the quorum with one more voter could not be reached");
    }

    /// <summary>Whether a learner that can be reached has what the leader has.</summary>
    internal static bool IsInSync(MemberSight learner, HealPolicy policy) => learner.IsStarted && learner.IsFollowing && learner.LagEntries <= policy.InSyncEntries;

    /// <summary>Another directory that asks at the peer URLs of the one that joins.</summary>
    private static Applicant? FindSuccessor(HealRecord heal, ClusterView view, HealPolicy policy, TimeSpan now) => view.Applicants.FirstOrDefault(
        applicant => applicant.Incarnation != heal.Incarnation
            && now - applicant.AskedAt <= policy.FreshWithin && applicant.PeerUrls.Any(url => heal.PeerUrls.Contains(url)));

    /// <summary>Whether this leader has not led for long enough that everybody who asks was heard.</summary>
    private static bool IsYoung(ClusterView view, HealPolicy policy, TimeSpan now) => now - view.Find(view.Self)?.KnownSince < policy.GiveUpAfter;

    internal static HealDecision Wait(HealRecord heal, string reason) => new(null, [new HealNotice($"heal-{heal.Id}", $"{heal.Detected}; {reason}", heal.Incarnation)]);

    internal static HealDecision End(HealRecord heal, HealOutcome outcome, string result) => new(new HealStep.End(heal.Id, outcome, result), []);
}
