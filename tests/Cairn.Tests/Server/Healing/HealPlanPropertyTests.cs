using Cairn.Protocol.Healing;
using Cairn.Server;
using Cairn.Server.Healing;
using Cairn.State.Healing;
using Xunit;
using static Cairn.Tests.Server.Healing.HealScene;

namespace Cairn.Tests.Server.Healing;

/// <summary>What healing never decides, whatever the leader sees.</summary>
public sealed class HealPlanPropertyTests
{
    private const int Rounds = 40_000;

    [Fact]
    public void No_step_leaves_fewer_reachable_voters_than_the_quorum_that_it_creates() => ForRandomScenes((scene, decision) =>
    {
        var view = scene.View();
        var voters = view.Sights.Where(sight => !sight.Member.IsLearner).Select(sight => sight.Member.Id).ToHashSet();
        switch (decision.Step)
        {
            case HealStep.Remove remove:
                voters.Remove(remove.MemberId);
                break;
            case HealStep.Clear clear:
                voters.Remove(clear.Heal.OldMember);
                break;
            case HealStep.Promote promote:
                voters.Add(promote.MemberId);
                break;
            default:
                return;
        }

        var reachable = voters.Count(id => id == 1 || Now - view.Find(id)!.HeardAt <= scene.Policy.ReachableWithin);
        Assert.True(reachable >= (voters.Count / 2) + 1, $"{decision.Step}: {reachable} of {voters.Count}");
    });

    [Fact]
    public void No_second_heal_begins_and_nothing_is_changed_while_a_change_is_under_way() => ForRandomScenes((scene, decision) =>
    {
        Assert.False(decision.Step is HealStep.Begin && scene.Healing.Current is not null);
        Assert.False(decision.Step is not (null or HealStep.SetTargetSize or HealStep.End) && scene.IsChangePending);
    });

    [Fact]
    public void A_member_is_replaced_if_and_only_if_the_conditions_hold() => ForRandomScenes((scene, decision) =>
    {
        var view = scene.View();
        if (scene.Healing.Current is not null || !scene.Healing.IsCounting)
        {
            return;
        }

        var replaceable = view.Sights.Where(sight => sight.Member.Id != 1 && view.Applicants.Any(applicant => MayReplace(scene, view, sight, applicant))).ToList();
        var replaced = decision.Step is HealStep.Begin { Heal: { Kind: HealKind.ReplaceWiped } heal } ? heal.OldMember : 0;
        Assert.True(replaced == 0 || replaceable.Any(sight => sight.Member.Id == replaced), $"replaced {replaced:x}");

        var mayBegin = scene.Policy.Mode == HealMode.Auto && view.Sights.All(sight => sight.IsCairn) && scene.LastHealEndedAt is null;
        Assert.True(!mayBegin || replaceable.Count == 0 || replaced != 0, "a member that can be replaced was not");
    });

    [Fact]
    public void With_a_go_member_or_without_approval_no_heal_begins() => ForRandomScenes((scene, decision) =>
    {
        var isCairnOnly = scene.View().Sights.All(sight => sight.IsCairn);
        Assert.False(decision.Step is HealStep.Begin or HealStep.SetTargetSize && !isCairnOnly);
        Assert.False(decision.Step is HealStep.Begin or HealStep.Clear && scene.Policy.Mode != HealMode.Auto);
    });

    [Fact]
    public void The_leader_never_removes_itself_and_the_same_view_gives_the_same_step() => ForRandomScenes((scene, decision) =>
    {
        Assert.False(decision.Step is HealStep.Remove { MemberId: 1 } or HealStep.Clear { Heal.OldMember: 1 });
        Assert.Equal(decision.Step?.ToString(), scene.Decide().Step?.ToString());
    });

    /// <summary>The conditions, said once more, from the catalogue of failures.</summary>
    private static bool MayReplace(HealScene scene, ClusterView view, MemberSight sight, Applicant applicant)
    {
        var others = view.Sights.Where(other => other.Member.Id != sight.Member.Id && !other.Member.IsLearner).ToList();
        var reachable = others.Count(other => other.Member.Id == 1 || Now - other.HeardAt <= scene.Policy.ReachableWithin);
        var voters = others.Count + (sight.Member.IsLearner ? 0 : 1);
        return sight.IsCairn
            && applicant.PeerUrls.SequenceEqual(sight.Member.PeerUrls) && applicant.Incarnation != sight.Member.Incarnation && Now - applicant.AskedAt <= scene.Policy.FreshWithin
            && !(Now - sight.HeardAt <= scene.Policy.ReachableWithin)
            && reachable >= (voters / 2) + 1
            && Now - applicant.AnsweredAt <= scene.Policy.FreshWithin
            && applicant.IsOfThisCluster
            && !scene.IsChangePending
            && (sight.Member.IsLearner || reachable >= ((voters - 1) / 2) + 1);
    }

    private static void ForRandomScenes(Action<HealScene, HealDecision> check)
    {
        var random = new Prng(7);
        for (var round = 0; round < Rounds; round++)
        {
            var scene = MakeScene(ref random);
            check(scene, scene.Decide());
        }
    }

    private static HealScene MakeScene(ref Prng random)
    {
        var voters = 1 + random.Below(6);
        var scene = new HealScene(voters) { IsChangePending = random.Below(6) == 0, LastHealEndedAt = random.Below(6) == 0 ? Now : null };
        for (var id = 2UL; id <= (ulong)voters + 1; id++)
        {
            Disturb(scene, id, ref random, isExtra: id > (ulong)voters);
        }

        var removed = (ulong)random.Below(voters + 2);
        if (removed > 1)
        {
            scene.Removed(removed);
        }

        scene.Policy = scene.Policy with { Mode = random.Below(5) == 0 ? HealMode.Propose : HealMode.Auto };
        scene.Healing = MakeTable(voters, removed, ref random);
        return scene;
    }

    private static void Disturb(HealScene scene, ulong id, ref Prng random, bool isExtra)
    {
        var silentFor = random.Below(4) == 0 ? TimeSpan.FromMinutes(random.Below(9)) : TimeSpan.FromSeconds(random.Below(5));
        var age = TimeSpan.FromMinutes(random.Below(3000));
        switch (random.Below(6))
        {
            case 0:
                scene.Unstarted(id, age);
                break;
            case 1:
                scene.Learner(id).With(id, sight => sight with { LagEntries = 5000 });
                break;
            case 2:
                scene.Learner(id);
                break;
            case 3 when random.Below(2) == 0:
                scene.Spare(id);
                break;
            case var other when isExtra && other < 5:
                return;
            default:
                break;
        }

        scene.With(id, sight => sight with { HeardAt = sight.HeardAt is null ? null : Now - silentFor });
        if (random.Below(2) == 0)
        {
            var answered = random.Below(3) == 0 ? (TimeSpan?)null : Now - TimeSpan.FromSeconds(random.Below(14));
            scene.Apply(Empty(id, incarnation: 900 + id) with
            {
                IsOfThisCluster = random.Below(6) != 0,
                AnsweredAt = answered,
                AskedAt = Now - TimeSpan.FromSeconds(random.Below(14)),
                OldMember = random.Below(2) == 0 ? id : 0,
            });
        }

        if (random.Below(40) == 0)
        {
            scene.With(id, sight => sight with { Member = sight.Member with { Incarnation = 0 } });
        }
    }

    private static HealingTable MakeTable(int voters, ulong removed, ref Prng random)
    {
        var old = 2 + (ulong)random.Below(voters);
        var current = random.Below(3) != 0
            ? null
            : Heal((HealKind)(1 + random.Below(3)), old, next: (ulong)voters + 1, urlOf: old, incarnation: 900 + old);
        return new HealingTable
        {
            TargetSize = 1 + random.Below(7),
            Current = current,
            Vacancies = removed > 1 && random.Below(2) == 0 ? [new VacantPlace(removed, $"m{removed}", [Url(removed)])] : [],
        };
    }
}
