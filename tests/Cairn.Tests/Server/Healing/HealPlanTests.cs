using Cairn.Protocol.Healing;
using Cairn.Server;
using Cairn.Server.Healing;
using Cairn.State.Healing;
using Xunit;
using static Cairn.Tests.Server.Healing.HealScene;

namespace Cairn.Tests.Server.Healing;

/// <summary>What healing decides, case by case.</summary>
public sealed class HealPlanTests
{
    [Fact]
    public void A_cluster_in_which_all_is_well_is_left_alone()
    {
        Assert.Equal(HealDecision.Nothing.Step, new HealScene(3).Step);
        Assert.Empty(new HealScene(3).Notices);
    }

    [Fact]
    public void The_intended_size_is_set_when_every_member_is_known_to_be_a_cairn()
    {
        var scene = new HealScene(3) { Healing = HealingTable.Empty };
        Assert.Equal(new HealStep.SetTargetSize(3), scene.Step);
        scene.Healing = HealingTable.Empty with { Vacancies = [new VacantPlace(4, "m4", [Url(4)]), new VacantPlace(5, "m5", [Url(5)], FilledBy: 3)] };
        Assert.Equal(new HealStep.SetTargetSize(4), scene.Step);

        scene.With(2, sight => sight with { Member = sight.Member with { Incarnation = 0 } });
        Assert.Null(scene.Step);
    }

    [Fact]
    public void A_wiped_member_is_replaced()
    {
        var begin = Assert.IsType<HealStep.Begin>(new HealScene(3).Silent(3).Apply(Empty(3, incarnation: 900)).Step);

        Assert.Equal((HealKind.ReplaceWiped, 3UL, 900UL), (begin.Heal.Kind, begin.Heal.OldMember, begin.Heal.Incarnation));
        Assert.Equal([Url(3)], begin.Heal.PeerUrls);
        Assert.Contains("one more failure would stop the cluster", begin.Heal.Safety, StringComparison.Ordinal);
        Assert.All([begin.Heal.Detected, begin.Heal.Evidence, begin.Heal.Decision], Assert.NotEmpty);
    }

    [Fact]
    public void With_five_members_two_wiped_ones_are_replaced_one_after_the_other()
    {
        var scene = new HealScene(5).Silent(3, 4).Apply(Empty(3, incarnation: 900)).Apply(Empty(4, incarnation: 901));
        Assert.Equal(3UL, Assert.IsType<HealStep.Begin>(scene.Step).Heal.OldMember);

        scene.Healing = scene.Healing with { Current = Heal(HealKind.ReplaceWiped, old: 3, next: 10, urlOf: 3, incarnation: 900) };
        Assert.Equal(new HealStep.Remove(3), scene.Step);
    }

    [Fact]
    public void A_wiped_member_is_not_replaced_while_its_old_process_is_heard() =>
        Waits(new HealScene(3).Apply(Empty(3, incarnation: 900)), "until it is silent");

    [Fact]
    public void A_wiped_member_is_not_replaced_while_its_address_does_not_answer_with_the_new_incarnation()
    {
        Waits(new HealScene(3).Silent(3).Apply(Empty(3, incarnation: 900) with { AnsweredAt = null }), "the old disk may still be there");
        Waits(new HealScene(3).Silent(3).Apply(Empty(3, incarnation: 900) with { AnsweredAt = Now - TimeSpan.FromSeconds(11) }), "the old disk may still be there");
    }

    [Fact]
    public void A_wiped_member_with_another_token_is_not_taken_in() =>
        Waits(new HealScene(3).Silent(3).Apply(Empty(3, incarnation: 900) with { IsOfThisCluster = false }), "another cluster token");

    [Fact]
    public void A_wiped_member_is_not_replaced_without_a_quorum_of_the_others() =>
        Waits(new HealScene(3).Silent(2, 3).Apply(Empty(3, incarnation: 900)), "1 of 3 voters can be reached without it, 2 are needed");

    [Fact]
    public void Nothing_begins_while_another_change_is_under_way()
    {
        var scene = new HealScene(3) { IsChangePending = true }.Silent(3).Apply(Empty(3, incarnation: 900));
        Waits(scene, "another change of the membership is under way");
    }

    [Fact]
    public void Who_asked_long_ago_is_not_waited_for() =>
        Assert.Null(new HealScene(3).Silent(3).Apply(Empty(3, incarnation: 900) with { AskedAt = Now - TimeSpan.FromSeconds(11) }).Step);

    [Fact]
    public void A_heal_under_way_goes_on_from_where_the_membership_is()
    {
        var scene = new HealScene(3).Silent(3).Apply(Empty(3, incarnation: 900));
        scene.Healing = scene.Healing with { Current = Heal(HealKind.ReplaceWiped, old: 3, next: 10, urlOf: 3, incarnation: 900) };
        Assert.Equal(new HealStep.Remove(3), scene.Step);

        scene.Removed(3);
        Assert.Equal(new HealStep.AddLearner(scene.Healing.Current!), scene.Step);

        scene.Learner(10).With(10, sight => sight with { LagEntries = 5000 });
        Waits(scene, "5000 entries to go");

        scene.With(10, sight => sight with { LagEntries = 3 });
        Assert.Equal(new HealStep.Promote(10), scene.Step);

        scene.With(10, sight => sight with { Member = sight.Member with { IsLearner = false } });
        Assert.Equal(new HealStep.End(50, HealOutcome.Healed, "member a votes"), scene.Step);
    }

    [Fact]
    public void A_learner_that_receives_a_snapshot_or_has_not_started_is_not_promoted()
    {
        var scene = new HealScene(2).Learner(10);
        scene.Healing = scene.Healing with { Current = Heal(HealKind.TakeInRemoved, old: 3, next: 10, urlOf: 10, incarnation: 900) };
        Assert.IsType<HealStep.Promote>(scene.Step);

        scene.With(10, sight => sight with { IsFollowing = false });
        Assert.Null(scene.Step);
        scene.With(10, sight => sight with { IsFollowing = true, Member = sight.Member with { Name = "" } });
        Assert.Null(scene.Step);
    }

    [Fact]
    public void The_old_member_is_not_removed_when_the_new_one_is_gone_or_the_old_one_is_back()
    {
        var scene = new HealScene(3);
        scene.Healing = scene.Healing with { Current = Heal(HealKind.ReplaceWiped, old: 3, next: 10, urlOf: 3, incarnation: 900) };
        Assert.Equal(HealOutcome.GivenUp, Assert.IsType<HealStep.End>(scene.Step).Outcome);

        scene.Apply(Empty(3, incarnation: 900));
        Waits(scene, "until it is silent");

        scene.Silent(3).Apply(Empty(3, incarnation: 900) with { AskedAt = Now - TimeSpan.FromMinutes(6) });
        Assert.Equal(HealOutcome.GivenUp, Assert.IsType<HealStep.End>(scene.Step).Outcome);
    }

    /// <remarks>Met by a simulated cluster (seed 4002763): a copy of the old one's disk began to speak for it elsewhere, and the heal that waited for its silence kept everybody else from being healed.</remarks>
    [Fact]
    public void The_place_of_a_member_that_lives_on_elsewhere_is_not_waited_for()
    {
        var scene = new HealScene(3).Apply(Empty(3, incarnation: 900));
        scene.Healing = scene.Healing with { Current = Heal(HealKind.ReplaceWiped, old: 3, next: 10, urlOf: 3, incarnation: 900) };
        scene.With(3, static sight => sight with { Member = sight.Member with { PeerUrls = [Url(4)] } });

        Assert.Equal(new HealStep.End(50, HealOutcome.GivenUp, $"member 3 lives on at {Url(4)}"), scene.Step);

        // Gone from there as well, the one who asks may have moved.
        Waits(scene.Silent(3), "or is a copy");
    }

    [Fact]
    public void A_new_leader_waits_until_everybody_had_time_to_ask()
    {
        var scene = new HealScene(3).With(1, sight => sight with { KnownSince = Now - TimeSpan.FromSeconds(5) });
        scene.Healing = scene.Healing with { Current = Heal(HealKind.ReplaceWiped, old: 3, next: 10, urlOf: 3, incarnation: 900) };

        Waits(scene, "waiting for it to ask again");

        // But for who lost its disk once more before it had a place, nobody has to wait.
        Assert.Contains("replaced again", Assert.IsType<HealStep.End>(scene.Silent(3).Apply(Empty(3, incarnation: 901)).Step).Result, StringComparison.Ordinal);
    }

    [Fact]
    public void A_heal_whose_new_member_was_removed_silenced_or_wiped_again_is_given_up()
    {
        var scene = new HealScene(2).Learner(10);
        scene.Healing = scene.Healing with { Current = Heal(HealKind.TakeInRemoved, old: 3, next: 10, urlOf: 10, incarnation: 900) };
        scene.With(10, sight => sight with { HeardAt = Now - TimeSpan.FromSeconds(20) });
        Waits(scene, "silent");

        scene.Apply(Empty(10, incarnation: 901));
        Assert.Contains("replaced again", Assert.IsType<HealStep.End>(scene.Step).Result, StringComparison.Ordinal);

        scene.Apply(Empty(10, incarnation: 901) with { AskedAt = TimeSpan.Zero }).With(10, sight => sight with { HeardAt = Now - TimeSpan.FromMinutes(6) });
        Assert.Contains("silent", Assert.IsType<HealStep.End>(scene.Step).Result, StringComparison.Ordinal);

        scene.Removed(10);
        Assert.Contains("removed by somebody else", Assert.IsType<HealStep.End>(scene.Step).Result, StringComparison.Ordinal);
    }

    [Fact]
    public void A_removed_member_that_comes_back_is_taken_in_while_there_is_a_place()
    {
        var scene = new HealScene(3).Removed(3).Apply(Empty(3, incarnation: 900) with { OldMember = 3 });
        scene.Healing = scene.Healing with { Vacancies = [new VacantPlace(3, "m3", [Url(3)])] };
        var heal = Assert.IsType<HealStep.Begin>(scene.Step).Heal;
        Assert.Equal((HealKind.TakeInRemoved, 3UL, 900UL), (heal.Kind, heal.OldMember, heal.Incarnation));

        scene.Healing = scene.Healing with { TargetSize = 2 };
        Waits(scene, "as many as it is meant to have");
    }

    [Fact]
    public void A_removed_member_is_not_taken_in_beside_one_that_has_its_address()
    {
        var scene = new HealScene(3).Removed(3).Apply(Empty(3, incarnation: 900) with { OldMember = 3 });
        scene.Healing = scene.Healing with { TargetSize = 4 };
        scene.With(10, sight => sight with { Member = sight.Member with { PeerUrls = [Url(3)], Incarnation = 900 } });

        Assert.Null(scene.Step);
    }

    [Fact]
    public void Who_was_sent_away_is_not_taken_in_but_told_how()
    {
        var scene = new HealScene(3).Removed(3).Apply(Empty(3, incarnation: 900) with { OldMember = 3 });
        scene.Healing = scene.Healing with { Evicted = [3] };

        Waits(scene, "cairn member rejoin");
    }

    [Fact]
    public void A_directory_that_was_taken_in_gets_no_second_place_by_its_old_application()
    {
        var scene = new HealScene(3).Removed(3).Apply(Empty(3, incarnation: 900));
        scene.Healing = scene.Healing with
        {
            Vacancies = [new VacantPlace(3, "m3", [Url(3)])],
            Finished = [Heal(HealKind.TakeInRemoved, old: 2, next: 3, urlOf: 3, incarnation: 900) with { Outcome = HealOutcome.Healed }],
        };

        Assert.Null(scene.Step);
    }

    [Fact]
    public void An_empty_directory_takes_a_vacant_place_only_at_its_address()
    {
        var scene = new HealScene(3).Removed(3).Apply(Empty(3, incarnation: 900));
        scene.Healing = scene.Healing with { Vacancies = [new VacantPlace(3, "m3", [Url(3)])] };
        Assert.IsType<HealStep.Begin>(scene.Step);

        scene.Healing = scene.Healing with { Vacancies = [new VacantPlace(3, "m3", [Url(7)])] };
        Assert.Null(scene.Step);
    }

    [Fact]
    public void A_member_that_never_started_is_cleared_after_a_day_and_sooner_if_it_costs_the_reserve()
    {
        Assert.Null(new HealScene(2).Unstarted(10, TimeSpan.FromHours(23)).Step);
        Assert.IsType<HealStep.Clear>(new HealScene(3).Unstarted(10, TimeSpan.FromHours(24)).Learner(10).Step);

        // Three that run and one that does not: one more failure stops four, and would not stop three.
        Assert.Null(new HealScene(3).Unstarted(10, TimeSpan.FromMinutes(4)).Step);
        Assert.Equal(10UL, Assert.IsType<HealStep.Clear>(new HealScene(3).Unstarted(10, TimeSpan.FromMinutes(5)).Step).Heal.OldMember);
        Assert.Null(new HealScene(3).Unstarted(10, TimeSpan.FromHours(2)).Learner(10).Step);

        // Two typos: without either of them alone one more failure would stop the cluster as well.
        Assert.Null(new HealScene(3).Unstarted(10, TimeSpan.FromMinutes(4)).Unstarted(11, TimeSpan.FromMinutes(4)).Step);
        Assert.Equal(10UL, Assert.IsType<HealStep.Clear>(new HealScene(3).Unstarted(10, TimeSpan.FromMinutes(5)).Unstarted(11, TimeSpan.FromMinutes(4)).Step).Heal.OldMember);
    }

    [Fact]
    public void What_a_given_up_heal_added_is_cleared_at_once()
    {
        var scene = new HealScene(3).Unstarted(10, TimeSpan.FromMinutes(1)).Learner(10);
        scene.Healing = scene.Healing with
        {
            Finished = [Heal(HealKind.TakeInRemoved, old: 4, next: 10, urlOf: 10, incarnation: 900) with { Outcome = HealOutcome.GivenUp }],
        };

        Assert.IsType<HealStep.Clear>(scene.Step);
    }

    [Fact]
    public void A_member_with_a_typo_in_its_url_does_not_keep_a_wiped_one_from_being_replaced()
    {
        // Its incarnation is not known, so nothing is recorded until it is gone; it is waited for no longer than for one that costs the quorum its reserve.
        var scene = new HealScene(4).Unstarted(10, TimeSpan.FromMinutes(4)).Learner(10).Silent(4).Apply(Empty(4, incarnation: 900));
        Waits(scene, "was added and has not started");

        scene.Unstarted(10, TimeSpan.FromMinutes(5)).Learner(10);
        Assert.Equal(10UL, Assert.IsType<HealStep.Clear>(scene.Step).Heal.OldMember);

        Assert.Equal(4UL, Assert.IsType<HealStep.Begin>(scene.Removed(10).Step).Heal.OldMember);
    }

    [Fact]
    public void In_propose_mode_nothing_begins_that_nobody_approved()
    {
        var scene = new HealScene(3) { Policy = new HealPolicy { Mode = HealMode.Propose } }.Silent(3).Apply(Empty(3, incarnation: 900));
        var notice = Assert.Single(scene.Decide().Notices);
        Assert.Null(scene.Step);
        Assert.Equal(HealKind.ReplaceWiped, notice.Proposal!.Kind);

        scene.Approved = [notice.Key];
        Assert.IsType<HealStep.Begin>(scene.Step);
    }

    [Fact]
    public void With_a_go_member_healing_only_proposes()
    {
        var scene = new HealScene(3).Silent(3).With(2, sight => sight with { Member = sight.Member with { Incarnation = 0 } }).Apply(Empty(3, incarnation: 900));

        Waits(scene, "is not known to be a Cairn");
        Waits(scene, $"`etcdctl member remove 3`, then `etcdctl member add m3 --peer-urls={Url(3)}`");
    }

    [Fact]
    public void Switched_off_it_does_and_says_nothing()
    {
        var scene = new HealScene(3) { Policy = new HealPolicy { Mode = HealMode.Off } }.Silent(3).Apply(Empty(3, incarnation: 900));

        Assert.Null(scene.Step);
        Assert.Empty(scene.Notices);
    }

    [Fact]
    public void Between_heals_there_is_a_pause_that_grows_with_each_that_comes_to_nothing()
    {
        var scene = new HealScene(3).Silent(3).Apply(Empty(3, incarnation: 900));
        scene.LastHealEndedAt = Now - TimeSpan.FromMilliseconds(900);
        Waits(scene, "the last heal has only just ended");

        scene.LastHealEndedAt = Now - TimeSpan.FromSeconds(30);
        Assert.IsType<HealStep.Begin>(scene.Step);
        scene.GivenUpInARow = 3;
        Assert.Null(scene.Step);
        scene.GivenUpInARow = 100;
        scene.LastHealEndedAt = Now - TimeSpan.FromMinutes(10);
        Assert.IsType<HealStep.Begin>(scene.Step);
    }

    private static void Waits(HealScene scene, string reason)
    {
        Assert.Null(scene.Step);
        Assert.Contains(reason, scene.Notices, StringComparison.Ordinal);
    }
}
