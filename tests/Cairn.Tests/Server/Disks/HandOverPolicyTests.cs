using Cairn.Server.Disks;
using Xunit;

namespace Cairn.Tests.Server.Disks;

public sealed class HandOverPolicyTests
{
    private static readonly MemberHealth Fast = Disk(2, p99: 2);
    private static readonly MemberHealth[] Others = [Disk(3, p99: 4), Fast];

    private readonly HandOverPolicy _policy = new(TimeSpan.FromSeconds(1));

    [Fact]
    public void A_leader_much_slower_than_the_others_for_five_seconds_hands_over_to_the_fastest()
    {
        var slow = Disk(1, p99: 710);

        Assert.Null(Decide(0, slow));
        Assert.Null(Decide(4.9, slow));
        Assert.Equal(2ul, Decide(5, slow)?.Target);
    }

    [Fact]
    public void Slowness_that_pauses_is_counted_anew()
    {
        Decide(0, Disk(1, p99: 710));
        Decide(3, Disk(1, p99: 50));

        Assert.Null(Decide(6, Disk(1, p99: 710)));
        Assert.NotNull(Decide(11, Disk(1, p99: 710)));
    }

    [Fact]
    public void Who_is_not_five_times_slower_or_below_a_tenth_of_a_second_stays()
    {
        MemberHealth[] slowish = [Disk(2, p99: 150), Disk(3, p99: 150)];
        for (var second = 0; second < 60; second++)
        {
            Assert.Null(Decide(second, Disk(1, p99: 90)));
            Assert.Null(_policy.Decide(TimeSpan.FromSeconds(second), null, Disk(1, p99: 700), takesWrites: true, slowish));
        }
    }

    [Fact]
    public void A_sync_that_hangs_for_more_than_an_election_timeout_is_reason_enough_unless_it_hangs_everywhere()
    {
        var hangs = Disk(1, p99: 2, waiting: 1100);

        Assert.Null(_policy.Decide(default, null, hangs, takesWrites: true, [Disk(2, p99: 2, waiting: 1500), Disk(3, p99: 2, waiting: 1200)]));
        Assert.Equal(3ul, _policy.Decide(default, null, hangs, takesWrites: true, [Disk(2, p99: 2, waiting: 1500), Disk(3, p99: 2)])?.Target);
    }

    [Fact]
    public void Leadership_changes_hands_once_a_minute_at_most()
    {
        var hangs = Disk(1, p99: 2, waiting: 5000);

        Assert.NotNull(Decide(10, hangs));
        Assert.Null(Decide(69, hangs));
        Assert.NotNull(Decide(70, hangs));
        Assert.Null(_policy.Decide(TimeSpan.FromSeconds(200), TimeSpan.FromSeconds(141), hangs, takesWrites: true, Others));
        Assert.NotNull(_policy.Decide(TimeSpan.FromSeconds(201), TimeSpan.FromSeconds(141), hangs, takesWrites: true, Others));
    }

    [Fact]
    public void Who_cannot_take_writes_hands_over_at_once_and_tries_again_ever_later()
    {
        var tried = new List<int>();
        for (var second = 0; second < 40; second++)
        {
            if (_policy.Decide(TimeSpan.FromSeconds(second), TimeSpan.Zero, Disk(1, p99: 2), takesWrites: false, Others) is not null)
            {
                tried.Add(second);
            }
        }

        Assert.Equal([0, 4, 12, 28], tried);
    }

    [Fact]
    public void Whom_most_of_the_others_cannot_ask_for_a_second_hands_over_but_not_in_the_ten_seconds_after_a_change()
    {
        var own = Disk(1, p99: 2);
        MemberHealth[] some = [Fast with { CannotAsk = true }, Disk(3, p99: 4)];
        MemberHealth[] most = [some[0], some[1] with { CannotAsk = true }];
        ulong? Ask(double second, int lastChange, MemberHealth[] others) =>
            _policy.Decide(TimeSpan.FromSeconds(second), TimeSpan.FromSeconds(lastChange), own, takesWrites: true, others)?.Target;

        Assert.Null(Ask(12, 10, most));
        Assert.Null(Ask(19.9, 10, most));
        Assert.Null(Ask(20, 10, some));
        Assert.Null(Ask(20.5, 10, most));
        Assert.Equal(2ul, Ask(21.5, 10, most));

        // Leadership did not move, or moved away and back.
        Assert.Null(Ask(31, 10, most));
        Assert.Equal(2ul, Ask(31.5, 10, most));
        Assert.Null(Ask(91, 40, most));
        Assert.Equal(2ul, Ask(91.5, 40, most));
    }

    [Fact]
    public void Nobody_is_given_what_they_cannot_carry_either()
    {
        MemberHealth[] full = [Fast with { IsFailing = true }, Disk(3, p99: 4) with { IsFailing = true }];

        Assert.Null(_policy.Decide(default, null, Disk(1, p99: 2) with { IsFailing = true }, takesWrites: false, full));
        Assert.Null(_policy.Decide(default, null, Disk(1, p99: 2), takesWrites: false, []));
    }

    private static MemberHealth Disk(ulong member, int p99, int waiting = 0) =>
        new(member, TimeSpan.FromMilliseconds(p99), TimeSpan.FromMilliseconds(waiting), IsFailing: false, CannotAsk: false);

    private (ulong Target, string Reason)? Decide(double second, MemberHealth own) =>
        _policy.Decide(TimeSpan.FromSeconds(second), null, own, takesWrites: true, Others);
}
