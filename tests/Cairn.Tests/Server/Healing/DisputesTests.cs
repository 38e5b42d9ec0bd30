using Cairn.Protocol.Healing;
using Cairn.Server;
using Cairn.Server.Healing;
using Cairn.Server.Membership;
using Xunit;
using static Cairn.Tests.Server.Healing.HealScene;

namespace Cairn.Tests.Server.Healing;

/// <summary>What the leader decides about processes that some member does not hear.</summary>
public sealed class DisputesTests
{
    private static readonly ProcessIdentity Process = new(Incarnation: 103, StartCounter: 4, Nonce: 77);

    [Theory]
    [InlineData(true, false, true)] // One member contradicts, and cannot say that anything was forgotten.
    [InlineData(true, true, false)] // One saw a promise that it forgot.
    [InlineData(false, false, false)] // The leader contradicts.
    [InlineData(false, true, false)]
    public void A_process_speaks_if_the_leader_hears_it_and_nobody_saw_a_promise_that_it_forgot(bool isHeard, bool isBehind, bool speaks)
    {
        var verdict = Assert.IsType<HealStep.Judge>(new HealScene(3).Dispute(Asked with { IsHeard = isHeard, IsBehind = isBehind }).Step).Verdict;

        Assert.Equal((3UL, 77UL, speaks), (verdict.MemberId, verdict.Nonce, verdict.Speaks));
        Assert.Equal((HealKind.JudgeProcess, HealOutcome.Healed), (verdict.Heal.Kind, verdict.Heal.Outcome));
        Assert.All([verdict.Heal.Detected, verdict.Heal.Evidence, verdict.Heal.Decision, verdict.Heal.Safety], Assert.NotEmpty);
    }

    [Fact]
    public void It_goes_before_all_else_and_is_decided_once()
    {
        var scene = new HealScene(3).Silent(3).Apply(Empty(3, incarnation: 900)).Dispute(Asked);
        scene.Healing = scene.Healing with { Current = Heal(HealKind.TakeInRemoved, old: 9, next: 10, urlOf: 9, incarnation: 901) };
        var verdict = Assert.IsType<HealStep.Judge>(scene.Step).Verdict;

        scene.Healing = scene.Healing with { Verdicts = [verdict], Current = null };
        Assert.IsType<HealStep.Begin>(scene.Step);
    }

    [Fact]
    public void A_promise_that_comes_to_light_after_the_verdict_is_reason_for_another_one()
    {
        var scene = new HealScene(3).Dispute(Asked);
        var first = Assert.IsType<HealStep.Judge>(scene.Step).Verdict;
        scene.Healing = scene.Healing with { Verdicts = [first] };
        Assert.True(first.Speaks);
        Assert.Null(scene.Step);

        var second = Assert.IsType<HealStep.Judge>(scene.Dispute(Asked with { IsBehind = true }).Step).Verdict;
        scene.Healing = scene.Healing with { Verdicts = [first, second] };
        Assert.False(second.Speaks);
        Assert.Null(scene.Step);
    }

    [Fact]
    public void It_is_not_decided_about_strangers_by_what_was_asked_long_ago_beside_a_go_member_or_when_healing_is_off()
    {
        Assert.Null(new HealScene(3).Dispute(Asked with { MemberId = 9 }).Step);
        Assert.Null(new HealScene(3).Dispute(Asked with { AskedAt = Now - TimeSpan.FromSeconds(11) }).Step);
        Assert.Null(new HealScene(3).With(2, sight => sight with { Member = sight.Member with { Incarnation = 0 } }).Dispute(Asked).Step);
        Assert.Null(new HealScene(3) { Policy = new HealPolicy { Mode = HealMode.Off } }.Dispute(Asked).Step);
        Assert.IsType<HealStep.Judge>(new HealScene(3) { Policy = new HealPolicy { Mode = HealMode.Propose } }.Dispute(Asked).Step);
    }

    [Fact]
    public void A_process_that_asks_for_long_while_another_one_of_its_member_is_heard_does_not_speak()
    {
        var asked = Asked with { IsHeard = false, IsDeferred = true };
        Assert.Null(new HealScene(3).Dispute(asked with { Since = Now - TimeSpan.FromSeconds(9) }).Step);

        var verdict = Assert.IsType<HealStep.Judge>(new HealScene(3).Dispute(asked with { Since = Now - TimeSpan.FromSeconds(10) }).Step).Verdict;
        Assert.False(verdict.Speaks);
        Assert.Contains("another process", verdict.Heal.Safety, StringComparison.Ordinal);
    }

    private static DisputedProcess Asked => new() { MemberId = 3, Name = "m3", Process = Process, IsHeard = true, Evidence = "so says m2", AskedAt = Now };
}
