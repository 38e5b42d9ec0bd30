using Cairn.Protocol.Peers;
using Cairn.Server.Leases;
using Cairn.State.Lease;
using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Server.Leases;

public sealed class LeaseClockTests
{
    private const ulong Term = 5;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan ElectionTimeout = TimeSpan.FromSeconds(1);

    private readonly SimulatedTime _time = new();
    private readonly LeaseClock _clock;

    public LeaseClockTests() => _clock = new LeaseClock(_time, Tick, ElectionTimeout);

    [Fact]
    public void A_lease_ends_after_its_time_and_not_before()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));

        Assert.Empty(Pass(TimeSpan.FromSeconds(1.9)));
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(0.1)));
        Assert.Empty(Pass(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void A_lease_that_begins_or_is_renewed_between_two_ticks_does_not_pay_for_the_time_before()
    {
        _clock.Begin(Term, []);
        _time.Stall(Tick * 0.9);
        _clock.Granted(Lease(1, 2));
        _clock.Granted(Lease(2, 1));
        _time.Stall(Tick * 0.1);
        _clock.Tick(Term, TimeSpan.Zero, []);
        _time.Stall(Tick * 0.9);
        _clock.Renew(2, out _, out _);
        _time.Stall(Tick * 0.1);
        _clock.Tick(Term, TimeSpan.Zero, []);

        Assert.Empty(Pass(TimeSpan.FromSeconds(0.9)));
        Assert.Equal([2], Pass(TimeSpan.FromSeconds(0.1)));
        Assert.Empty(Pass(TimeSpan.FromSeconds(0.8)));
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(0.1)));
    }

    [Fact]
    public void A_renewed_lease_has_its_full_time_again()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        Pass(TimeSpan.FromSeconds(1.5));

        Assert.Equal(RenewOutcome.Renewed, _clock.Renew(1, out var ttl, out _));
        Assert.Equal(TimeSpan.FromSeconds(2), ttl);
        Assert.Empty(Pass(TimeSpan.FromSeconds(1.9)));
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(0.1)));
    }

    [Fact]
    public void What_the_former_leader_knew_counts_from_the_begin_for_those_whom_nobody_renewed_since()
    {
        _clock.Begin(Term, [Lease(1, 15), Lease(2, 15), Lease(3, 15), Lease(4, 15)]);
        Pass(TimeSpan.FromSeconds(0.2));
        _clock.Renew(2, out _, out _);
        _clock.Recall(Term - 1, new Dictionary<long, TimeSpan> { [4] = TimeSpan.Zero });
        _clock.Recall(Term, new Dictionary<long, TimeSpan> { [1] = TimeSpan.FromSeconds(5), [2] = TimeSpan.FromSeconds(5), [3] = TimeSpan.FromSeconds(0.3) });

        // Everybody has an election timeout to be heard.
        Assert.Empty(Pass(TimeSpan.FromSeconds(0.7)));
        Assert.Equal([3], Pass(TimeSpan.FromSeconds(0.1)));
        Assert.Empty(Pass(TimeSpan.FromSeconds(3.9)));
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(0.1)));
        Assert.Empty(Pass(TimeSpan.FromSeconds(9.9)));
        Assert.Equal([4], Pass(TimeSpan.FromSeconds(0.1)));
        Assert.Equal([2], Pass(TimeSpan.FromSeconds(0.2)));
    }

    [Fact]
    public void Listeners_are_told_of_all_leases_and_then_of_what_changes()
    {
        var (near, far) = (new LeaseListener(1), new LeaseListener(2));
        _clock.Begin(Term, [Lease(1, 15), Lease(2, 15)]);
        Assert.Equal(0UL, _clock.Changes);
        _clock.Tell(Term, [near]);
        Assert.False(_clock.TryTakeNews(Term, far, new LeaseNews(), out _));
        Assert.True(_clock.TryTakeNews(Term, near, new LeaseNews(), out _));
        var all = new LeaseNews();
        Assert.True(_clock.TryTakeNews(Term, near, all, out _));
        Assert.Equal((true, false, 2UL), (all.IsAll, all.Begins, all.Number));
        Assert.Equal([1, 2], all.Ids);
        Assert.Equal([15_000, 15_000], all.Deadlines);

        Pass(TimeSpan.FromSeconds(1));
        _clock.Renew(2, out _, out _);
        _clock.Renew(2, out _, out _);
        _clock.Granted(Lease(3, 5));
        _clock.Revoked(1);
        var news = new LeaseNews();
        Assert.True(_clock.TryTakeNews(Term, near, news, out var change));
        Assert.Equal(_clock.Changes, change);
        Assert.Equal((true, 1000), (news.IsAll, news.Now));
        Assert.Equal([2, 3, 1], news.Ids);
        Assert.Equal([16_000, 6000, 0], news.Deadlines);

        // Who may have missed something is told that it is told anew, then all.
        near.BeginAnew();
        var again = new LeaseNews();
        _clock.TryTakeNews(Term, near, again, out _);
        Assert.Equal((true, false, 0), (again.Begins, again.IsAll, again.Ids.Count));
        _clock.TryTakeNews(Term, near, again = new LeaseNews(), out _);
        Assert.Equal([2, 3], again.Ids.Order());

        _clock.Cease();
        Assert.False(_clock.TryTakeNews(Term, near, new LeaseNews(), out _));
    }

    [Fact]
    public void Time_in_which_the_loop_was_held_up_does_not_count()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        Pass(TimeSpan.FromSeconds(1));
        _time.Stall(TimeSpan.FromSeconds(300));

        Assert.Empty(Pass(TimeSpan.FromSeconds(1.9)));
        Assert.True(_clock.TryGetRemaining(1, out var remaining));
        Assert.True(remaining > TimeSpan.Zero);
    }

    [Fact]
    public void After_a_long_stall_everyone_has_an_election_timeout_to_be_heard()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        Pass(TimeSpan.FromSeconds(1.9));
        _time.Stall(TimeSpan.FromSeconds(30));

        Assert.Empty(Pass(ElectionTimeout));
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(0.3)));
    }

    [Fact]
    public void A_new_leader_gives_every_lease_its_full_time()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        Pass(TimeSpan.FromSeconds(1.9));
        _clock.Cease();
        _clock.Begin(Term + 2, [Lease(1, 2)]);

        Assert.Empty(Pass(TimeSpan.FromSeconds(1.9), Term + 2));
        Assert.Equal([1], Pass(Tick, Term + 2));
    }

    [Fact]
    public void Etcd_15247_who_does_not_lead_any_more_ends_nothing_and_renews_nothing()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));

        Assert.Empty(Pass(TimeSpan.FromSeconds(10), leadsInTerm: 0));
        Assert.Equal(RenewOutcome.NotPrimary, _clock.Renew(1, out _, out _));
    }

    [Fact]
    public void Who_leads_in_a_later_term_ends_nothing_on_the_clock_of_an_earlier_one()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));

        Assert.Empty(Pass(TimeSpan.FromSeconds(10), Term + 1));
    }

    [Fact]
    public void Etcd_20615_a_renewal_waits_for_the_revocation_under_way_and_finds_the_lease_gone()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(2)));

        Assert.Equal(RenewOutcome.BeingRevoked, _clock.Renew(1, out _, out var revocation));
        Assert.False(revocation!.IsCompleted);
        _clock.Revoked(1);

        Assert.True(revocation.IsCompleted);
        Assert.Equal(RenewOutcome.Gone, _clock.Renew(1, out _, out _));
    }

    [Fact]
    public void A_revocation_that_could_not_be_proposed_leaves_the_lease_to_be_renewed()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        Pass(TimeSpan.FromSeconds(2));
        _clock.Renew(1, out _, out var revocation);
        _clock.NotRevoked(1);

        Assert.True(revocation!.IsCompleted);
        Assert.Equal(RenewOutcome.Renewed, _clock.Renew(1, out _, out _));
        Assert.Empty(Pass(TimeSpan.FromSeconds(1.9)));
    }

    [Fact]
    public void A_revocation_that_could_not_be_proposed_is_decided_again()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(2)));
        _clock.NotRevoked(1);

        Assert.Equal([1], Pass(Tick));
    }

    [Fact]
    public void At_most_a_thousand_leases_end_in_a_second()
    {
        _clock.Begin(Term, []);
        for (var id = 1; id <= 5000; id++)
        {
            _clock.Granted(Lease(id, 2));
        }

        Assert.InRange(Pass(TimeSpan.FromSeconds(2)).Count, 1, 1000);
        Assert.InRange(Pass(TimeSpan.FromSeconds(1)).Count, 900, 1100);
        Assert.Equal(5000 - 2000, Pass(TimeSpan.FromSeconds(60)).Count, 200.0);
    }

    [Fact]
    public void An_unknown_lease_is_gone()
    {
        _clock.Begin(Term, []);

        Assert.Equal(RenewOutcome.Gone, _clock.Renew(9, out _, out _));
        Assert.False(_clock.TryGetRemaining(9, out _));
    }

    [Fact]
    public void The_longest_lease_does_not_overflow()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 9_000_000_000));

        Assert.Equal(RenewOutcome.Renewed, _clock.Renew(1, out _, out _));
        Assert.True(_clock.TryGetRemaining(1, out var remaining));
        Assert.Equal(9_000_000_000, remaining.TotalSeconds);
    }

    [Fact]
    public void Time_without_a_quorum_does_not_count()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        Pass(TimeSpan.FromSeconds(1.5));
        Assert.Empty(Pass(TimeSpan.FromSeconds(0.9), unheard: Tick * 3));

        Assert.Empty(Pass(TimeSpan.FromSeconds(0.4)));
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(0.1)));
    }

    [Fact]
    public void After_a_long_time_without_a_quorum_everyone_has_an_election_timeout_to_be_heard()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        Pass(TimeSpan.FromSeconds(1.9));
        Assert.Empty(Pass(Tick, unheard: ElectionTimeout));

        Assert.Empty(Pass(ElectionTimeout));
        Assert.Equal([1], Pass(Tick * 2));
    }

    [Fact]
    public void A_renewal_waits_for_the_revocation_that_somebody_asked_for_and_goes_on_if_it_was_refused()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        _clock.RevocationBegun(1);

        Assert.Equal(RenewOutcome.BeingRevoked, _clock.Renew(1, out _, out var outcome));
        Assert.False(_clock.IsAlive(1));
        _clock.RevocationRefused(1);

        Assert.True(outcome!.IsCompleted);
        Assert.Equal(RenewOutcome.Renewed, _clock.Renew(1, out _, out _));
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(10)));
    }

    [Fact]
    public void An_expiry_that_the_state_machine_refused_is_proposed_again_after_three_seconds()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 2));
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(2)));
        _clock.RevocationRefused(1);

        Assert.Empty(Pass(TimeSpan.FromSeconds(2.9)));
        Assert.Equal([1], Pass(Tick));
    }

    [Fact]
    public void A_lease_idle_for_half_of_its_time_is_checkpointed_and_then_every_second()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 16));
        var left = new List<long>();
        for (var second = 0; second < 16; second++)
        {
            Pass(TimeSpan.FromSeconds(1));
            left.AddRange(TellIdle().Select(static lease => lease.RemainingTtl));
        }

        Assert.Equal([8, 7, 6, 5, 4, 3, 2, 1], left);
    }

    [Fact]
    public void An_hour_of_idleness_is_told_some_dozens_of_times()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 3600));
        var told = 0;
        for (var second = 0; second < 3600; second++)
        {
            Pass(TimeSpan.FromSeconds(1));
            told += TellIdle().Count;
        }

        Assert.InRange(told, 20, 60);
    }

    [Fact]
    public void A_lease_that_is_renewed_in_time_is_never_checkpointed()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 15));
        for (var i = 0; i < 20; i++)
        {
            Pass(TimeSpan.FromSeconds(5));
            Assert.Empty(TakeIdle());
            Assert.Equal(RenewOutcome.Renewed, _clock.Renew(1, out _, out _));
        }
    }

    [Fact]
    public void A_renewal_is_not_acknowledged_before_the_log_forgets_the_checkpoint()
    {
        _clock.Begin(Term, []);
        _clock.Granted(Lease(1, 16));
        Pass(TimeSpan.FromSeconds(8));
        var idle = Assert.Single(TakeIdle());

        Assert.Equal(RenewOutcome.Checkpointed, _clock.Renew(1, out _, out _));
        _clock.Checkpointed(idle);
        Assert.Equal(RenewOutcome.Checkpointed, _clock.Renew(1, out _, out _));
        _clock.Checkpointed(Lease(1, 16));
        Assert.Equal(RenewOutcome.Renewed, _clock.Renew(1, out _, out _));
    }

    [Fact]
    public void A_new_leader_begins_at_the_checkpoint_and_does_not_raise_it()
    {
        _clock.Begin(Term, [Lease(1, 16) with { Remaining = TimeSpan.FromSeconds(4) }]);

        Assert.Equal(RenewOutcome.Checkpointed, _clock.Renew(1, out _, out _));
        _clock.Begin(Term + 2, [Lease(1, 16) with { Remaining = TimeSpan.FromSeconds(4) }]);
        Assert.Empty(Pass(TimeSpan.FromSeconds(0.4), Term + 2));
        Assert.Empty(TakeIdle());
        Pass(Tick, Term + 2);
        Assert.Equal([Lease(1, 16) with { Remaining = TimeSpan.FromSeconds(3.5) }], TakeIdle());
        Assert.Equal([1], Pass(TimeSpan.FromSeconds(3.5), Term + 2));
    }

    [Fact]
    public void Who_has_next_to_nothing_left_has_an_election_timeout_to_be_heard_by_a_new_leader()
    {
        var clock = new LeaseClock(_time, Tick, electionTimeout: TimeSpan.FromSeconds(5));
        clock.Begin(Term, [Lease(1, 16) with { Remaining = TimeSpan.FromSeconds(1) }]);

        Assert.Empty(Pass(clock, TimeSpan.FromSeconds(4.9), Term, unheard: default));
        Assert.Equal([1], Pass(clock, Tick, Term, unheard: default));
    }

    [Fact]
    public void Leaders_that_last_for_less_than_two_seconds_let_the_dead_end_and_not_the_living()
    {
        LeaseInfo[] leases = [Lease(1, 15), Lease(2, 15)];
        var counted = TimeSpan.Zero;
        for (var term = Term; leases.Length == 2; term += 2)
        {
            var ended = new List<long>();
            _clock.Begin(term, leases);
            for (var passed = Tick; passed <= TimeSpan.FromSeconds(1.6); passed += Tick)
            {
                ended.AddRange(Pass(Tick, term));
                foreach (var told in TellIdle())
                {
                    leases[told.Id - 1] = told;
                }

                // Each leader hears the client of the second lease once; the log takes back what it says of it before the client is told.
                if (passed == Tick * 13 && _clock.Renew(2, out _, out _) == RenewOutcome.Checkpointed)
                {
                    leases[1] = Lease(2, 15);
                    _clock.Checkpointed(leases[1]);
                    Assert.Equal(RenewOutcome.Renewed, _clock.Renew(2, out _, out _));
                }
            }

            counted += TimeSpan.FromSeconds(1.6);
            leases = [.. leases.Where(lease => !ended.Contains(lease.Id))];
        }

        Assert.Equal([Lease(2, 15)], leases);
        Assert.InRange(counted, TimeSpan.FromSeconds(15), TimeSpan.FromSeconds(15 * 1.2));
    }

    [Fact]
    public void A_lease_that_this_leader_has_heard_of_is_told_of_when_half_of_its_time_is_over()
    {
        _clock.Begin(Term, [Lease(1, 15)]);
        Pass(TimeSpan.FromSeconds(0.5));
        Assert.Equal(RenewOutcome.Renewed, _clock.Renew(1, out _, out _));

        Pass(TimeSpan.FromSeconds(7.4));
        Assert.Empty(TellIdle());
        Pass(Tick);
        Assert.Equal([8L], TellIdle().Select(static lease => lease.RemainingTtl));
    }

    [Fact]
    public void The_log_hears_of_a_lease_once_at_a_time_however_long_the_disks_take()
    {
        _clock.Begin(Term, [Lease(1, 60)]);
        Pass(TimeSpan.FromSeconds(1));
        var told = Assert.Single(TakeIdle());
        Pass(TimeSpan.FromSeconds(20));
        Assert.Empty(TakeIdle());
        _clock.Checkpointed(told);

        Pass(TimeSpan.FromSeconds(1));
        Assert.Equal(38, Assert.Single(TakeIdle()).RemainingTtl);
    }

    [Fact]
    public void Of_a_lease_of_an_hour_that_nobody_renews_a_new_leader_tells_some_dozens_of_times()
    {
        _clock.Begin(Term, [Lease(1, 3600)]);
        var told = 0;
        for (var second = 0; second < 3600; second++)
        {
            Pass(TimeSpan.FromSeconds(1));
            told += TellIdle().Count;
        }

        Assert.InRange(told, 20, 90);
    }

    private static LeaseInfo Lease(long id, long ttl) => new(id, ttl);

    private List<LeaseInfo> TakeIdle()
    {
        var idle = new List<LeaseInfo>();
        _clock.TakeIdle(idle);
        return idle;
    }

    /// <summary>Takes what the log is to be told, and has it told.</summary>
    private List<LeaseInfo> TellIdle()
    {
        var idle = TakeIdle();
        idle.ForEach(_clock.Checkpointed);
        return idle;
    }

    private List<long> Pass(TimeSpan span, ulong leadsInTerm = Term, TimeSpan unheard = default) => Pass(_clock, span, leadsInTerm, unheard);

    private List<long> Pass(LeaseClock clock, TimeSpan span, ulong leadsInTerm, TimeSpan unheard)
    {
        var ended = new List<long>();
        for (var passed = TimeSpan.Zero; passed < span; passed += Tick)
        {
            _time.Stall(Tick);
            clock.Tick(leadsInTerm, unheard, ended);
        }

        return ended;
    }
}
