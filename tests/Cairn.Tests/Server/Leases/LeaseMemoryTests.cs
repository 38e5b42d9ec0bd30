using Cairn.Protocol.Peers;
using Cairn.Server.Leases;
using Cairn.State;
using Cairn.State.Lease;
using Cairn.State.Members;
using Xunit;

namespace Cairn.Tests.Server.Leases;

public sealed class LeaseMemoryTests
{
    // The leader of this term told; the next one asks.
    private const ulong Former = 5;
    private const ulong Next = 6;

    private readonly LeaseMemory _memory = new(new AppliedPosition(10, Former));

    [Fact]
    public void What_was_told_is_remembered_with_what_changed_since()
    {
        Assert.True(_memory.Hear(Begin(1)));
        Assert.True(_memory.Hear(All(2, applied: 20, now: 1000, (1, 16_000), (2, 15_000))));
        Assert.True(_memory.Hear(All(3, applied: 21, now: 2000, (2, 17_000), (3, 9000))));
        Assert.True(_memory.Hear(All(4, applied: 22, now: 3000, (3, 0))));

        var left = _memory.Judge([Recall()]);
        Assert.Equal([(1, 13.0), (2, 14.0)], left.OrderBy(pair => pair.Key).Select(pair => (pair.Key, pair.Value.TotalSeconds)));
    }

    [Fact]
    public void Who_was_not_told_everything_says_nothing()
    {
        Assert.False(Recall(Former).IsWhole);
        _memory.Hear(Begin(1));
        Assert.False(Recall(Former).IsWhole);

        _memory.Hear(new LeaseNews { Term = Former, Number = 2, Ids = { 1 }, Deadlines = { 16_000 } });
        Assert.False(Recall(Former).IsWhole);
        Assert.True(_memory.Hear(All(3, applied: 20, now: 1000)));
        Assert.True(Recall(Former).IsWhole);

        // Somebody begins anew.
        Assert.True(_memory.Hear(Begin(4)));
        Assert.False(Recall(Former).IsWhole);
    }

    [Fact]
    public void A_message_that_does_not_follow_the_last_one_is_refused()
    {
        Assert.False(_memory.Hear(All(2, applied: 20, now: 1000)));
        Assert.True(_memory.Hear(Begin(3)));
        Assert.False(_memory.Hear(All(5, applied: 20, now: 1000)));
        Assert.False(_memory.Hear(Begin(3)));
        Assert.False(_memory.Hear(Begin(2)));
        Assert.True(_memory.Hear(All(4, applied: 20, now: 1000)));
        Assert.False(_memory.Hear(All(4, applied: 20, now: 1000)));
    }

    [Fact]
    public void Who_was_asked_by_a_leader_hears_no_earlier_one()
    {
        _memory.Hear(Begin(1));
        _memory.Hear(All(2, applied: 20, now: 1000, (1, 16_000)));
        Assert.True(Recall().IsWhole);
        Assert.False(_memory.Hear(All(3, applied: 20, now: 2000, (1, 17_000))));

        Assert.False(_memory.Recall(new LeaseRecall { Term = Next - 1, Former = Former }).IsWhole);
        Assert.True(_memory.Hear(new LeaseNews { Term = Next, Number = 1, Begins = true, IsAll = true }));
    }

    [Fact]
    public void Another_leader_than_the_one_of_the_entry_before_is_not_remembered()
    {
        _memory.Hear(Begin(1));
        _memory.Hear(All(2, applied: 20, now: 1000, (1, 16_000)));
        Assert.False(_memory.Recall(new LeaseRecall { Term = Next + 1, Former = Next }).IsWhole);

        _memory.Observe(Former, 11, null);
        Assert.Equal(0UL, _memory.FindFormer(Next));
        _memory.Observe(Next, 12, null);
        Assert.Equal(Former, _memory.FindFormer(Next));
        _memory.Observe(Next, 13, null);
        Assert.Equal(Former, _memory.FindFormer(Next));
        _memory.Restart(new AppliedPosition(20, Next));
        Assert.Equal(0UL, _memory.FindFormer(Next));
    }

    [Fact]
    public void The_latest_end_that_any_of_a_quorum_knows_counts_from_the_latest_moment()
    {
        var left = _memory.Judge([Recollection(20, 1000, (1, 16_000), (2, 12_000)), Recollection(21, 3000, (1, 14_000), (2, 15_000), (3, 18_000))]);

        // The first was never told of the third lease, so it is not known.
        Assert.Equal([(1, 13.0), (2, 12.0)], left.OrderBy(pair => pair.Key).Select(pair => (pair.Key, pair.Value.TotalSeconds)));
    }

    [Fact]
    public void What_the_log_says_later_of_a_lease_is_believed_instead()
    {
        _memory.Observe(Former, 21, new LeaseRevoked(1));
        _memory.Observe(Former, 22, new LeaseGranted(new LeaseInfo(1, 15)));
        _memory.Observe(Former, 23, new LeasesCheckpointed([new LeaseInfo(2, 15)]));

        Assert.Equal([3], _memory.Judge([Recollection(23, 1000, (3, 16_000)), Recollection(21, 1000, (1, 2000), (2, 2000), (3, 16_000))]).Keys);
        Assert.Equal([1, 2], _memory.Judge([Recollection(23, 1000, (1, 16_000), (2, 16_000))]).Keys.Order());
    }

    [Fact]
    public void What_was_told_before_the_state_of_this_process_or_before_a_change_of_voters_is_not_used()
    {
        Assert.Empty(_memory.Judge([Recollection(9, 1000, (1, 16_000))]));
        Assert.NotEmpty(_memory.Judge([Recollection(10, 1000, (1, 16_000))]));

        _memory.Observe(Former, 30, new MembersChanged(new MemberChange(1, MemberChangeKind.Remove, 3, null, false), StoreError.None));
        Assert.Empty(_memory.Judge([Recollection(29, 1000, (1, 16_000))]));
        _memory.Restart(new AppliedPosition(40, Former));
        Assert.Empty(_memory.Judge([Recollection(39, 1000, (1, 16_000))]));
    }

    [Fact]
    public void More_than_an_answer_holds_is_asked_for_in_parts()
    {
        const int count = LeaseListener.LeasesAMessageMax + 1;
        _memory.Hear(Begin(1));
        _memory.Hear(All(2, applied: 20, now: 0, [.. Enumerable.Range(1, count).Select(static id => ((long)id, 15_000L))]));

        var first = Recall();
        var second = _memory.Recall(new LeaseRecall { Term = Next, Former = Former, Skip = (uint)first.Ids.Count });
        Assert.Equal((true, LeaseListener.LeasesAMessageMax), (first.IsMore, first.Ids.Count));
        Assert.Equal((false, 1), (second.IsMore, second.Ids.Count));
        Assert.Equal(count, first.Ids.Union(second.Ids).Count());
    }

    private LeaseRecollection Recall(ulong term = Next) => _memory.Recall(new LeaseRecall { Term = term, Former = Former });

    private static LeaseNews Begin(ulong number) => new() { Term = Former, Number = number, Begins = true };

    private static LeaseNews All(ulong number, ulong applied, long now, params (long Id, long Deadline)[] leases) => new()
    {
        Term = Former,
        Number = number,
        IsAll = true,
        Applied = applied,
        Now = now,
        Ids = { leases.Select(static lease => lease.Id) },
        Deadlines = { leases.Select(static lease => lease.Deadline) },
    };

    private static LeaseRecollection Recollection(ulong applied, long now, params (long Id, long Deadline)[] leases) => new()
    {
        IsWhole = true,
        Applied = applied,
        Now = now,
        Ids = { leases.Select(static lease => lease.Id) },
        Deadlines = { leases.Select(static lease => lease.Deadline) },
    };
}
