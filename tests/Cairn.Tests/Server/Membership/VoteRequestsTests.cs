using Cairn.Raft;
using Cairn.Server.Membership;
using Xunit;

namespace Cairn.Tests.Server.Membership;

/// <summary>Two copies of a disk bear the id of one member: only one of them may get the vote of a term.</summary>
public sealed class VoteRequestsTests
{
    [Fact]
    public void Of_two_processes_of_a_member_only_the_one_that_asked_first_gets_the_vote_of_a_term()
    {
        var votes = new VoteRequests(default);

        Assert.True(votes.TryNote(memberId: 1, term: 5, nonce: 10));
        Assert.False(votes.TryNote(memberId: 1, term: 5, nonce: 11));
        Assert.True(votes.TryNote(memberId: 1, term: 5, nonce: 10));
        Assert.True(votes.TryNote(memberId: 2, term: 5, nonce: 11));
    }

    [Fact]
    public void A_process_that_starts_anew_gets_the_vote_of_a_later_term()
    {
        var votes = new VoteRequests(default);
        Assert.True(votes.TryNote(memberId: 1, term: 5, nonce: 10));

        Assert.True(votes.TryNote(memberId: 1, term: 6, nonce: 11));
        Assert.False(votes.TryNote(memberId: 1, term: 6, nonce: 10));
    }

    [Fact]
    public void A_vote_from_before_a_start_is_given_to_no_process_again()
    {
        var votes = new VoteRequests(new HardState(Term: 5, Vote: 1, Commit: 0));

        Assert.False(votes.TryNote(memberId: 1, term: 5, nonce: 10));
        Assert.True(votes.TryNote(memberId: 1, term: 6, nonce: 10));
    }
}
