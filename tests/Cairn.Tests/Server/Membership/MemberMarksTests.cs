using Cairn.Protocol.Healing;
using Cairn.Protocol.Peers;
using Cairn.Server.Membership;
using Xunit;

namespace Cairn.Tests.Server.Membership;

public sealed class MemberMarksTests
{
    private const ulong Peer = 7;
    private static readonly ProcessIdentity First = new(Incarnation: 11, StartCounter: 3, Nonce: 100);
    private static readonly ProcessIdentity Next = new(Incarnation: 11, StartCounter: 4, Nonce: 200);

    private readonly MemberMarks _marks = new([]);

    [Fact]
    public void Who_is_seen_for_the_first_time_is_accepted_and_remembered()
    {
        Assert.Equal(JudgementKind.Accepted, Judge(First));
        Assert.Equal(First, _marks.All[Peer].Process);
    }

    [Fact]
    public void A_member_without_a_recorded_incarnation_may_show_none_as_etcd_does() => Assert.Equal(JudgementKind.Accepted, Judge(null));

    [Fact]
    public void A_member_that_had_an_incarnation_must_show_it()
    {
        Assert.Equal(JudgementKind.Refused, Judge(null, recorded: 11));
        Judge(First);
        Assert.Equal(JudgementKind.Refused, Judge(null));
    }

    [Fact]
    public void A_wiped_disk_is_refused()
    {
        Assert.Equal(JudgementKind.Refused, Judge(First with { Incarnation = 12 }, recorded: 11));
        Judge(First);
        Assert.Equal(JudgementKind.Refused, Judge(First with { Incarnation = 12 }));
    }

    [Fact]
    public void An_older_start_is_disputed()
    {
        Judge(Next);

        Assert.Equal(JudgementKind.Disputed, Judge(First));
    }

    [Fact]
    public void A_second_process_of_one_start_is_disputed()
    {
        Judge(First);

        Assert.Equal(JudgementKind.Disputed, Judge(First with { Nonce = 101 }));
        Assert.Equal(JudgementKind.Accepted, Judge(First));
    }

    [Fact]
    public void A_later_start_waits_while_the_process_before_is_alive()
    {
        Judge(First);

        Assert.Equal(JudgementKind.Deferred, Judge(Next, isOtherAlive: true));
        Assert.Equal(First, _marks.All[Peer].Process);
        Assert.Equal(JudgementKind.Accepted, Judge(Next));
        Assert.Equal(JudgementKind.Disputed, Judge(First));
    }

    [Fact]
    public void Starts_of_a_process_that_the_cluster_refused_say_nothing_against_another_but_promises_do()
    {
        Judge(Next);
        Assert.Equal(JudgementKind.Disputed, Judge(First, isOtherAlive: true));
        Assert.Equal(JudgementKind.Disputed, _marks.Judge(Peer, 0, First, default, isOtherAlive: true, refused: First.Nonce).Verdict);

        Assert.Equal(JudgementKind.Accepted, _marks.Judge(Peer, 0, First, default, isOtherAlive: true, refused: Next.Nonce).Verdict);
        Assert.Equal(First, _marks.All[Peer].Process);

        Judge(Next);
        _marks.Promised(Peer, term: 5, index: 100);
        Assert.True(_marks.Judge(Peer, 0, First, new LogEnd(5, 5, 99), isOtherAlive: false, refused: Next.Nonce) is { Verdict: JudgementKind.Disputed, IsBehind: true });
    }

    [Theory]
    [InlineData(5, 100, true)] // All that was promised.
    [InlineData(6, 90, true)] // A later leader cut off what was not committed.
    [InlineData(6, 79, false)] // What is committed is never cut off.
    [InlineData(5, 99, false)] // Within a term nothing is.
    [InlineData(4, 200, false)] // A vote or an acknowledgement of term 5 is forgotten.
    public void A_log_behind_what_was_acknowledged_is_disputed(ulong term, ulong lastIndex, bool isAccepted)
    {
        Judge(First);
        _marks.Promised(Peer, term: 5, index: 80);
        _marks.Committed(term: 5, committed: 90);
        _marks.Promised(Peer, term: 5, index: 100);
        _marks.Committed(term: 6, committed: 100);

        Assert.Equal(isAccepted, Judge(Next, end: new LogEnd(term, term, lastIndex)) == JudgementKind.Accepted);
    }

    [Fact]
    public void What_the_cluster_decided_goes_before_what_is_remembered()
    {
        var copy = First with { Nonce = 101 };
        Judge(copy);
        Assert.Equal(JudgementKind.Disputed, Judge(First));

        Assert.Equal(JudgementKind.Accepted, Judge(First, verdict: On(First, speaks: true, index: 50)));
        Assert.Equal(JudgementKind.Accepted, Judge(First));
        Assert.Equal(JudgementKind.Refused, Judge(copy, verdict: On(copy, speaks: false, index: 60)));
        Assert.Equal((First, 50UL), (_marks.All[Peer].Process, _marks.All[Peer].JudgedAt));
    }

    [Fact]
    public void An_old_verdict_does_not_bring_back_a_process_that_another_followed()
    {
        Judge(First, verdict: On(First, speaks: true, index: 50));
        Judge(Next);

        Assert.Equal(JudgementKind.Disputed, Judge(First, verdict: On(First, speaks: true, index: 50)));
    }

    [Fact]
    public void No_verdict_makes_a_forgotten_promise_good()
    {
        Judge(Next);
        _marks.Promised(Peer, term: 5, index: 80);

        Assert.Equal(JudgementKind.Disputed, Judge(First, end: new LogEnd(5, 5, 79), verdict: On(First, speaks: true, index: 50)));
    }

    [Fact]
    public void A_process_is_not_behind_what_it_promised_itself_when_a_copy_of_its_disk_was_heard_in_between()
    {
        Judge(First);
        _marks.Promised(Peer, term: 5, index: 80);
        Judge(Next, end: new LogEnd(5, 5, 80));

        Assert.True(_marks.Judge(Peer, 0, First, default, isOtherAlive: false) is { Verdict: JudgementKind.Disputed, IsBehind: false });
        Assert.Equal(JudgementKind.Accepted, _marks.Judge(Peer, 0, First, default, isOtherAlive: false, refused: Next.Nonce).Verdict);
    }

    [Fact]
    public void Marks_of_a_member_never_fall()
    {
        Judge(First);
        _marks.Promised(Peer, term: 5, index: 80);
        _marks.Committed(term: 5, committed: 100);
        _marks.Promised(Peer, term: 5, index: 70);
        _marks.Promised(Peer, term: 4, index: 300);
        Judge(Next, end: new LogEnd(5, 5, 80));

        Assert.Equal(new Cairn.Server.Membership.PeerMark { Process = Next, Term = 5, Index = 80, CommittedIndex = 80, PromisedBy = First.Nonce }, _marks.All[Peer]);
    }

    [Fact]
    public void A_member_that_was_never_accepted_leaves_no_mark()
    {
        _marks.Promised(Peer, term: 5, index: 80);

        Assert.Empty(_marks.All);
    }

    [Fact]
    public void All_of_it_is_remembered()
    {
        var memory = MemberMemory.Read([]);
        memory.Fenced = "because";
        memory.Disputes = [new Dispute { MemberId = 9, IsBehind = true, Reason = "so" }];
        memory.Marks.Judge(Peer, 0, First, default, isOtherAlive: false, On(First, speaks: true, index: 50));
        memory.Marks.Promised(Peer, term: 5, index: 80);
        memory.Marks.Committed(term: 5, committed: 70);

        var read = MemberMemory.Read(memory.Encode());

        Assert.Equal("because", read.Fenced);
        Assert.Equal(memory.Disputes, read.Disputes);
        Assert.Equal(memory.Marks.All, read.Marks.All);
        Assert.Null(read.Founding);
    }

    [Fact]
    public void Who_is_disputed_is_silent_until_nobody_contradicts()
    {
        var memory = MemberMemory.Read([]);
        Assert.False(memory.IsSilent);
        memory.Disputes = [new Dispute { MemberId = 9 }];
        Assert.True(memory.IsSilent);
        memory.Disputes = [];
        Assert.False(memory.IsSilent);
    }

    private static ProcessVerdict On(ProcessIdentity process, bool speaks, ulong index) => new()
    {
        MemberId = Peer,
        Incarnation = process.Incarnation,
        StartCounter = process.StartCounter,
        Nonce = process.Nonce,
        Speaks = speaks,
        Index = index,
    };

    private JudgementKind Judge(ProcessIdentity? shown, ulong recorded = 0, LogEnd end = default, bool isOtherAlive = false, ProcessVerdict? verdict = null) =>
        _marks.Judge(Peer, recorded, shown, end, isOtherAlive, verdict).Verdict;
}
