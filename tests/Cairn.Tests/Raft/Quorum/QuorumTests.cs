using Cairn.Raft.Quorum;
using Xunit;

namespace Cairn.Tests.Raft.Quorum;

public sealed class QuorumTests
{
    [Fact]
    public void Any_two_quorums_of_a_configuration_overlap()
    {
        // All subsets of up to seven voters: two disjoint ones never both win.
        for (var count = 1; count <= 7; count++)
        {
            var voters = MemberSet.Of([.. Enumerable.Range(1, count).Select(id => (ulong)id)]);
            for (var yes = 0; yes < 1 << count; yes++)
            {
                var won = Majority.Tally(voters, BallotOf(count, yes)) == VoteResult.Won;
                var othersWon = Majority.Tally(voters, BallotOf(count, ~yes)) == VoteResult.Won;
                Assert.False(won && othersWon);
            }
        }
    }

    [Fact]
    public void Vote_is_lost_exactly_when_the_missing_could_not_win_it()
    {
        var voters = MemberSet.Of(1, 2, 3, 4, 5);
        var prng = new Prng(1);
        for (var round = 0; round < 2_000; round++)
        {
            var ballot = new Ballot();
            var best = new Ballot();
            foreach (var id in voters.Ids)
            {
                var vote = prng.Below(3);
                if (vote < 2)
                {
                    ballot.Record(id, vote == 1);
                }

                best.Record(id, vote != 0);
            }

            var expectedLost = Majority.Tally(voters, best) != VoteResult.Won;
            Assert.Equal(expectedLost, Majority.Tally(voters, ballot) == VoteResult.Lost);
        }
    }

    [Fact]
    public void First_word_of_a_voter_counts()
    {
        var ballot = new Ballot();
        ballot.Record(1, granted: false);
        ballot.Record(1, granted: true);

        Assert.False(ballot.VoteOf(1));
        Assert.Null(ballot.VoteOf(2));
    }

    [Fact]
    public void More_voters_than_fit_on_the_stack_decide_alike()
    {
        var voters = MemberSet.Of([.. Enumerable.Range(1, 31).Select(id => (ulong)id)]);

        Assert.Equal(16UL, Majority.CommittedIndex(voters, new OwnId()));
    }

    private static Ballot BallotOf(int count, int yes)
    {
        var ballot = new Ballot();
        for (var i = 0; i < count; i++)
        {
            if ((yes & (1 << i)) != 0)
            {
                ballot.Record((ulong)i + 1, granted: true);
            }
        }

        return ballot;
    }

    /// <summary>Voter n has acknowledged up to n.</summary>
    private sealed class OwnId : IAckedIndexes
    {
        public bool TryGetAckedIndex(ulong voter, out ulong index)
        {
            index = voter;
            return true;
        }
    }
}
