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
    public void Whom_most_of_the_others_cannot_ask_hands_over_but_not_in_the_ten_seconds_after_a_change()
    {
        var own = Disk(1, p99: 2);
        var deaf = Fast with { CannotAsk = true };
        var other = Disk(3, p99: 4);

        Assert.Null(_policy.Decide(default, null, own, takesWrites: true, [deaf, other]));
        Assert.Null(_policy.Decide(TimeSpan.FromSeconds(19), TimeSpan.FromSeconds(10), own, takesWrites: true, [deaf, other with { CannotAsk = true }]));
        Assert.Equal(2ul, _policy.Decide(TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(10), own, takesWrites: true, [deaf, other with { CannotAsk = true }])?.Target);
        Assert.Null(_policy.Decide(TimeSpan.FromSeconds(79), null, own, takesWrites: true, [deaf]));
        Assert.NotNull(_policy.Decide(TimeSpan.FromSeconds(80), null, own, takesWrites: true, [deaf]));
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
