using Cairn.Protocol.Healing;
using Cairn.Server;
using Cairn.Server.Healing;
using Cairn.State.Healing;
using Xunit;
using static Cairn.Tests.Server.Healing.HealScene;

namespace Cairn.Tests.Server.Healing;

/// <summary>What healing decides about voters that are gone for long, with spare learners and without.</summary>
public sealed class LostVoterTests
{
    [Fact]
    public void A_spare_learner_takes_the_place_of_a_voter_that_is_gone_for_long()
    {
        var scene = new HealScene(3).Spare(10).Gone(3, TimeSpan.FromMinutes(5));

        var heal = Assert.IsType<HealStep.Begin>(scene.Step).Heal;
        Assert.Equal((HealKind.ReplaceLost, 3UL, 10UL, 110UL), (heal.Kind, heal.OldMember, heal.NewMember, heal.Incarnation));
        Assert.All([heal.Detected, heal.Evidence, heal.Decision, heal.Safety], Assert.NotEmpty);

        scene.Healing = scene.Healing with { Current = heal with { Id = 50 } };
        Assert.Equal(new HealStep.Remove(3), scene.Step);

        scene.Removed(3);
        Assert.Equal(new HealStep.Promote(10), scene.Step);

        scene.With(10, sight => sight with { Member = sight.Member with { IsLearner = false, IsStandby = false } });
        Assert.Equal(new HealStep.End(50, HealOutcome.Healed, "member a votes"), scene.Step);
    }

    [Fact]
    public void Who_is_gone_for_less_is_waited_for()
    {
        Assert.Null(new HealScene(3).Spare(10).Gone(3, TimeSpan.FromMinutes(4)).Step);
        Assert.Empty(new HealScene(3).Spare(10).Gone(3, TimeSpan.FromMinutes(4)).Notices);
    }

    [Fact]
    public void Without_a_spare_learner_in_sync_it_says_what_a_person_can_do()
    {
        Waits(new HealScene(3).Gone(3, TimeSpan.FromMinutes(5)), "there is no spare learner");
        Waits(new HealScene(3).Learner(10).Gone(3, TimeSpan.FromMinutes(5)), "there is no spare learner");
        Waits(new HealScene(3).Spare(10).With(10, sight => sight with { LagEntries = 5000 }).Gone(3, TimeSpan.FromMinutes(5)), "no spare learner is in sync");
        Waits(new HealScene(3).Spare(10).Silent(10).Gone(3, TimeSpan.FromMinutes(5)), "no spare learner is in sync");
    }

    [Fact]
    public void Nobody_is_removed_below_a_majority()
    {
        Waits(new HealScene(3).Spare(10).Gone(3, TimeSpan.FromMinutes(5)).Gone(2, TimeSpan.FromMinutes(5)), "no quorum");
        Assert.IsType<HealStep.Begin>(new HealScene(5).Spare(10).Gone(3, TimeSpan.FromMinutes(5)).Gone(2, TimeSpan.FromMinutes(5)).Step);
    }

    [Fact]
    public void A_replacement_is_given_up_when_the_voter_is_back_or_the_spare_falls_behind()
    {
        var scene = new HealScene(3).Spare(10);
        scene.Healing = scene.Healing with { Current = Heal(HealKind.ReplaceLost, old: 3, next: 10, urlOf: 10, incarnation: 110) };
        Assert.Equal(new HealStep.End(50, HealOutcome.GivenUp, "member 3 is back"), scene.Step);

        scene.Silent(3).With(10, sight => sight with { IsFollowing = false });
        Assert.Equal(new HealStep.End(50, HealOutcome.GivenUp, "spare learner a is not in sync any more"), scene.Step);
    }

    [Fact]
    public void A_spare_learner_takes_the_place_of_a_voter_that_was_removed_and_stays_away()
    {
        var scene = new HealScene(3).Spare(10).Removed(3);
        scene.Healing = scene.Healing with { TargetSize = 4, Vacancies = [new VacantPlace(3, "m3", [Url(3)])] };
        Assert.Null(scene.Vacant(3, TimeSpan.FromMinutes(4)).Step);
        var heal = Assert.IsType<HealStep.Begin>(scene.Vacant(3, TimeSpan.FromMinutes(5)).Step).Heal;
        Assert.Equal((HealKind.ReplaceLost, 3UL, 10UL), (heal.Kind, heal.OldMember, heal.NewMember));

        scene.Healing = scene.Healing with { Current = heal with { Id = 50 } };
        Assert.Equal(new HealStep.Promote(10), scene.Step);

        // What a spare learner left is no voter's place.
        scene.Healing = scene.Healing with { Current = null, Vacancies = [new VacantPlace(3, "m3", [Url(3)], IsStandby: true)] };
        Assert.Null(scene.Step);
    }

    [Fact]
    public void Who_comes_back_to_the_place_of_a_spare_learner_gets_no_vote()
    {
        var scene = new HealScene(3).Removed(3).Learner(4).Apply(Empty(3, incarnation: 900) with { OldMember = 3 });
        scene.Healing = scene.Healing with { TargetSize = 4, Vacancies = [new VacantPlace(3, "m3", [Url(3)], IsStandby: true)] };
        var heal = Assert.IsType<HealStep.Begin>(scene.Step).Heal;
        Assert.True(heal.IsStandby);

        scene.Healing = scene.Healing with { Current = heal with { Id = 50, NewMember = 10 } };
        scene.Spare(10).With(10, sight => sight with { LagEntries = 5000 });
        Waits(scene, "5000 entries to go");
        scene.With(10, sight => sight with { LagEntries = 0 });
        Assert.Equal(new HealStep.End(50, HealOutcome.Healed, "member a is a spare learner"), scene.Step);
    }

    [Fact]
    public void A_spare_learner_whose_disk_was_wiped_comes_back_as_one()
    {
        var scene = new HealScene(3).Spare(10).Silent(10).Apply(Empty(10, incarnation: 900));

        Assert.True(Assert.IsType<HealStep.Begin>(scene.Step).Heal is { Kind: HealKind.ReplaceWiped, IsStandby: true });
    }

    [Fact]
    public void With_a_go_member_and_without_approval_nobody_is_replaced()
    {
        Waits(new HealScene(3).Spare(10).With(2, sight => sight with { Member = sight.Member with { Incarnation = 0 } }).Gone(3, TimeSpan.FromMinutes(5)), "is not known to be a Cairn");

        var scene = new HealScene(3) { Policy = new HealPolicy { Mode = HealMode.Propose } }.Spare(10).Gone(3, TimeSpan.FromMinutes(5));
        Waits(scene, "waits for approval");
        scene.Approved = ["lost-3"];
        Assert.IsType<HealStep.Begin>(scene.Step);
    }

    [Fact]
    public void A_learner_that_does_not_catch_up_is_reported_and_left_alone()
    {
        var scene = new HealScene(3).Learner(10).With(10, sight => sight with { IsFollowing = false, InSyncAt = Now - TimeSpan.FromMinutes(9) });
        Assert.Empty(scene.Notices);

        Waits(scene.With(10, sight => sight with { InSyncAt = Now - TimeSpan.FromMinutes(10) }), "has not caught up for 10 min");
    }

    private static void Waits(HealScene scene, string reason)
    {
        Assert.Null(scene.Step);
        Assert.Contains(reason, scene.Notices, StringComparison.Ordinal);
    }
}
