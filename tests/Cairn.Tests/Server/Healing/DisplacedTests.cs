using Cairn.Protocol.Healing;
using Cairn.Server.Healing;
using Cairn.State.Healing;
using Xunit;
using static Cairn.Tests.Server.Healing.HealScene;

namespace Cairn.Tests.Server.Healing;

/// <summary>Members whose address was given up, or taken by another, when disks were exchanged or copied: who stands where nobody is expected comes back as them.</summary>
public sealed class DisplacedTests
{
    [Fact]
    public void A_member_whose_address_was_given_up_is_replaced_by_who_stands_where_nobody_is_expected()
    {
        var begin = Assert.IsType<HealStep.Begin>(GivenUp().Silent(3).Apply(Empty(9, incarnation: 900)).Step);

        Assert.Equal((HealKind.ReplaceWiped, 3UL, 900UL), (begin.Heal.Kind, begin.Heal.OldMember, begin.Heal.Incarnation));
        Assert.Equal([Url(9)], begin.Heal.PeerUrls);
    }

    [Fact]
    public void It_is_not_while_it_is_heard()
    {
        var scene = GivenUp().Apply(Empty(9, incarnation: 900));

        Assert.Null(scene.Step);
        Assert.Contains("until it is silent", scene.Notices, StringComparison.Ordinal);
    }

    [Fact]
    public void It_is_not_by_who_stands_at_an_address_that_is_none_of_the_cluster()
    {
        var scene = GivenUp().Silent(3).Apply(Empty(10, incarnation: 900));

        Assert.Null(scene.Step);
        Assert.Contains("its peer URL is that of no member", scene.Notices, StringComparison.Ordinal);
    }

    [Fact]
    public void It_is_not_by_who_stands_at_the_address_of_another_member()
    {
        var begin = Assert.IsType<HealStep.Begin>(GivenUp().Silent(2).Apply(Empty(2, incarnation: 900)).Step);

        Assert.Equal(2UL, begin.Heal.OldMember);
    }

    [Fact]
    public void The_place_of_a_removed_member_that_another_member_stands_at_is_for_who_stands_where_nobody_is_expected()
    {
        var scene = new HealScene(3) { Listed = [Url(1), Url(2), Url(9)] }.Removed(3).Apply(Empty(9, incarnation: 900));
        scene.Healing = scene.Healing with { Vacancies = [new VacantPlace(3, "m3", [Url(2)])] };

        var begin = Assert.IsType<HealStep.Begin>(scene.Step);

        Assert.Equal((HealKind.TakeInRemoved, 3UL, 900UL), (begin.Heal.Kind, begin.Heal.OldMember, begin.Heal.Incarnation));
    }

    [Fact]
    public void It_is_by_who_has_moved_from_an_address_at_which_nobody_is_expected()
    {
        var begin = Assert.IsType<HealStep.Begin>(GivenUp().Silent(3).Apply(Empty(10, incarnation: 900) with { Name = "m9" }).Step);

        Assert.Equal((3UL, 900UL), (begin.Heal.OldMember, begin.Heal.Incarnation));
        Assert.Null(GivenUp().Silent(3).Apply(Empty(10, incarnation: 900) with { Name = "m2" }).Step);
    }

    [Fact]
    public void A_directory_that_was_a_members_and_moved_takes_its_place_when_the_member_has_been_gone_for_long()
    {
        var policy = new HealPolicy();
        var begin = Assert.IsType<HealStep.Begin>(new HealScene(3).Gone(3, policy.ReplaceAfter).Apply(Moved(3)).Step);

        Assert.Equal((HealKind.ReplaceWiped, 3UL, 900UL), (begin.Heal.Kind, begin.Heal.OldMember, begin.Heal.Incarnation));
        Assert.Equal([Url(10)], begin.Heal.PeerUrls);
    }

    [Fact]
    public void It_does_not_before_since_it_may_be_a_copy()
    {
        var scene = new HealScene(3).Gone(3, new HealPolicy().ReplaceAfter - TimeSpan.FromSeconds(1)).Apply(Moved(3));

        Assert.Null(scene.Step);
        Assert.Contains($"it has moved from {Url(3)} to {Url(10)}, or is a copy: waiting until the member has been gone for 5 min", scene.Notices, StringComparison.Ordinal);
        Assert.DoesNotContain("was removed", scene.Notices, StringComparison.Ordinal);
    }

    [Fact]
    public void It_does_not_while_a_directory_at_the_members_own_address_asks()
    {
        var begin = Assert.IsType<HealStep.Begin>(new HealScene(3).Gone(3, new HealPolicy().ReplaceAfter).Apply(Moved(3)).Apply(Empty(3, incarnation: 901)).Step);

        Assert.Equal(901UL, begin.Heal.Incarnation);
    }

    [Fact]
    public void A_copy_of_the_leader_is_not_taken_in()
    {
        var scene = new HealScene(3).Apply(Moved(1));

        Assert.Null(scene.Step);
        Assert.Contains("a directory (m10) that was member 1 asks to be taken in; its peer URL is that of no member", scene.Notices, StringComparison.Ordinal);
    }

    private static Applicant Moved(ulong member) => Empty(10, incarnation: 900) with { OldMember = member };

    /// <summary>Member 3 had the address of member 9, which nobody has now, and is known nowhere.</summary>
    private static HealScene GivenUp() => new HealScene(3) { Listed = [Url(1), Url(2), Url(9)] }
        .With(3, static sight => sight with { Member = sight.Member with { PeerUrls = Displaced.Nowhere(3) } });
}
