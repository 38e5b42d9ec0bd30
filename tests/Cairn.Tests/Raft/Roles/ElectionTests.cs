using Cairn.Raft;
using Xunit;

namespace Cairn.Tests.Raft.Roles;

/// <summary>Raft paper, sections 5.1, 5.2 and 5.4.1; dissertation, sections 4.2.3 and 9.6.</summary>
public sealed class ElectionTests
{
    [Fact]
    public void Member_starts_as_follower_without_leader()
    {
        var member = new Member(Member.Config());

        Assert.Equal(new SoftState(0, RaftRole.Follower), member.Core.SoftState);
        Assert.False(member.Raft.HasReady);
    }

    [Fact]
    public void Follower_that_hears_nothing_asks_everybody_for_a_vote()
    {
        var member = new Member(Member.Config());

        member.Tick(2 * member.Core.Config.ElectionTicks);

        Assert.Equal(
            """
            1->2 MsgVote Term:1 Log:1/1
            1->3 MsgVote Term:1 Log:1/1
            """,
            member.TakeSentText());
        Assert.Equal(new HardState(1, 1, 1), member.Log.HardState);
    }

    [Fact]
    public void Candidate_that_wins_nothing_tries_again_in_the_next_term()
    {
        var member = new Member(Member.Config());
        member.Raft.Campaign();
        member.TakeSent();

        member.Tick(2 * member.Core.Config.ElectionTicks);
        member.Settle();

        Assert.Equal(RaftRole.Candidate, member.Core.Role);
        Assert.Equal(2UL, member.Term);
    }

    [Theory]
    [InlineData(1, 0, 0, RaftRole.Leader)]
    [InlineData(3, 2, 0, RaftRole.Leader)]
    [InlineData(3, 1, 0, RaftRole.Leader)]
    [InlineData(3, 0, 1, RaftRole.Candidate)]
    [InlineData(3, 0, 2, RaftRole.Follower)]
    [InlineData(5, 4, 0, RaftRole.Leader)]
    [InlineData(5, 2, 2, RaftRole.Leader)]
    [InlineData(5, 1, 2, RaftRole.Candidate)]
    [InlineData(5, 1, 3, RaftRole.Follower)]
    [InlineData(5, 0, 0, RaftRole.Candidate)]
    public void Majority_decides_the_election(int voters, int granted, int rejected, RaftRole expected)
    {
        var member = new Member(Member.Config(voters));
        member.Raft.Campaign();
        member.Settle();

        for (var i = 0; i < granted + rejected; i++)
        {
            member.Step(MessageType.VoteResp, from: (ulong)i + 2, term: 1, message => message with { Reject = i >= granted });
        }

        member.Settle();
        Assert.Equal(expected, member.Core.Role);
        Assert.Equal(1UL, member.Term);
    }

    [Fact]
    public void Own_vote_counts_only_once_it_is_durable()
    {
        var member = new Member(Member.Config(voters: 1));
        member.Raft.Campaign();

        var ready = member.Raft.Ready();

        Assert.Equal(new HardState(1, 1, 1), ready.HardState);
        Assert.Equal(RaftRole.Candidate, member.Core.Role);
        member.Raft.Advance();
        Assert.Equal(RaftRole.Leader, member.Core.Role);
    }

    [Fact]
    public void A_vote_counts_once_however_often_it_arrives()
    {
        var member = new Member(Member.Config(voters: 5));
        member.Raft.Campaign();
        member.Settle();

        member.Step(MessageType.VoteResp, from: 2);
        member.Step(MessageType.VoteResp, from: 2);
        member.Step(MessageType.VoteResp, from: 2);

        Assert.Equal(RaftRole.Candidate, member.Core.Role);
    }

    [Theory]
    [InlineData(0, 1, false)] // Nobody yet.
    [InlineData(0, 2, false)]
    [InlineData(1, 1, false)] // The same one again.
    [InlineData(2, 2, false)]
    [InlineData(1, 2, true)] // Somebody else.
    [InlineData(2, 1, true)]
    public void Follower_votes_once_a_term(ulong before, ulong candidate, bool rejected)
    {
        var config = Member.Config() with { Id = 3 };
        ((MemoryLog)config.Log).SetHardState(new HardState(1, before, 1));
        var member = new Member(config);

        member.Step(MessageType.Vote, from: candidate, term: 1, message => message with { LogTerm = 1, Index = 1 });

        var answer = Assert.Single(member.TakeSent());
        Assert.Equal(new Message { Type = MessageType.VoteResp, From = 3, To = candidate, Term = 1, Reject = rejected }, answer);
        Assert.Equal(rejected ? before : candidate, member.Log.HardState.Vote);
    }

    [Theory]
    [InlineData(1, 1, 1, 1, false)] // Same log.
    [InlineData(1, 1, 1, 2, false)] // Longer.
    [InlineData(1, 2, 1, 1, true)] // Shorter.
    [InlineData(1, 1, 2, 1, false)] // Later term.
    [InlineData(1, 2, 2, 1, false)] // Later term, though shorter.
    [InlineData(2, 1, 1, 1, true)] // Earlier term.
    [InlineData(2, 1, 1, 2, true)] // Earlier term, though longer.
    public void Follower_votes_only_for_a_log_as_complete_as_its_own(ulong term, int length, ulong candidateTerm, ulong candidateIndex, bool rejected)
    {
        var member = new Member(Member.Config(3, [.. Enumerable.Repeat(term, length)]));

        member.Step(MessageType.Vote, from: 2, term: 3, message => message with { LogTerm = candidateTerm, Index = candidateIndex });

        var answer = Assert.Single(member.TakeSent());
        Assert.Equal(rejected, answer.Reject);
        Assert.Equal(3UL, answer.Term);
    }

    [Theory]
    [InlineData(MessageType.App)]
    [InlineData(MessageType.Heartbeat)]
    public void Candidate_yields_to_the_leader_of_its_term(MessageType type)
    {
        var member = new Member(Member.Config());
        member.Raft.Campaign();
        member.Settle();

        member.Step(type, from: 2, term: 1, message => message with { Index = type == MessageType.App ? 1UL : 0, LogTerm = type == MessageType.App ? 1UL : 0 });

        Assert.Equal(new SoftState(2, RaftRole.Follower), member.Core.SoftState);
        Assert.Equal(1UL, member.Term);
    }

    [Theory]
    [InlineData(MessageType.App)]
    [InlineData(MessageType.Heartbeat)]
    [InlineData(MessageType.AppResp)]
    [InlineData(MessageType.Vote)]
    public void Higher_term_makes_a_leader_step_down(MessageType type)
    {
        var member = Member.Leader();

        member.Step(type, from: 2, term: 7, message => message with { LogTerm = type == MessageType.App ? 1UL : 0, Index = type == MessageType.App ? 1UL : 0 });

        Assert.Equal(RaftRole.Follower, member.Core.Role);
        Assert.Equal(7UL, member.Term);
        Assert.Equal(type is MessageType.App or MessageType.Heartbeat ? 2UL : 0, member.Core.Leader);
    }

    [Fact]
    public void Lower_term_is_ignored()
    {
        var member = new Member(Member.Config(3, 1, 2));

        Assert.Equal(RaftError.None, member.Step(MessageType.App, from: 2, term: 1, message => message with { Index = 1, LogTerm = 1 }));

        Assert.Empty(member.TakeSent());
        Assert.Equal(0UL, member.Core.Leader);
    }

    [Fact]
    public void Election_timeouts_are_drawn_from_the_whole_range()
    {
        var seen = new HashSet<int>();
        var member = new Member(Member.Config());
        for (var i = 0; i < 1000; i++)
        {
            member.Core.BecomeFollower(member.Term, 0);
            seen.Add(member.Core.RandomizedElectionTicks);
        }

        Assert.Equal(Enumerable.Range(10, 10), seen.Order());
    }

    [Fact]
    public void Equal_seeds_draw_equal_timeouts_and_others_differ()
    {
        static int[] Draws(ulong seed)
        {
            var member = new Member(Member.Config() with { Seed = seed });
            return [.. Enumerable.Range(0, 20).Select(_ =>
            {
                member.Core.BecomeFollower(0, 0);
                return member.Core.RandomizedElectionTicks;
            })];
        }

        Assert.Equal(Draws(5), Draws(5));
        Assert.NotEqual(Draws(5), Draws(6));
    }

    [Fact]
    public void Pre_vote_changes_nobodys_term_until_it_is_won()
    {
        var net = new Net(3, (_, config) => config with { PreVote = true });
        net.CutOff.Add(1);

        for (var i = 0; i < 5; i++)
        {
            net.Elect(1);
        }

        Assert.Equal(0UL, net[1].Term);
        Assert.Equal(RaftRole.PreCandidate, net[1].Core.Role);
        net.CutOff.Clear();
        net.Elect(1);
        Assert.Equal(RaftRole.Leader, net[1].Core.Role);
        Assert.All(net.Members, member => Assert.Equal(1UL, member.Term));
    }

    [Fact]
    public void Candidate_does_not_count_pre_votes_that_come_late()
    {
        var member = new Member(Member.Config(voters: 5) with { PreVote = true });
        member.Raft.Campaign();
        member.Settle();
        member.Step(MessageType.PreVoteResp, from: 2, term: 1);
        member.Step(MessageType.PreVoteResp, from: 3, term: 1);
        Assert.Equal(RaftRole.Candidate, member.Core.Role);
        member.Settle();

        member.Step(MessageType.PreVoteResp, from: 4, term: 1);
        member.Step(MessageType.PreVoteResp, from: 5, term: 1);

        Assert.Equal(RaftRole.Candidate, member.Core.Role);
    }

    [Fact]
    public void Follower_that_hears_its_leader_holds_off_candidates()
    {
        var net = new Net(3, (_, config) => config with { CheckQuorum = true }).Elect(1);
        net[3].Raft.Campaign();
        net[3].Settle();

        net.Deliver();

        Assert.Equal(RaftRole.Candidate, net[3].Core.Role);
        Assert.Equal(1UL, net[2].Term);
        Assert.Equal(new SoftState(1, RaftRole.Follower), net[2].Core.SoftState);
    }

    [Fact]
    public void Member_stuck_in_a_higher_term_is_freed_by_a_new_election()
    {
        var net = new Net(3, (_, config) => config with { CheckQuorum = true }).Elect(1);
        net.CutOff.Add(3);
        net.Elect(3).Elect(3);
        net.CutOff.Clear();
        net[3].TakeSent();

        net[1].Tick(1);
        net.Deliver();

        Assert.Equal(RaftRole.Follower, net[1].Core.Role);
        Assert.Equal(net[3].Term, net[1].Term);
    }

    [Fact]
    public void Leader_that_hears_from_nobody_steps_down()
    {
        var member = Member.Leader(adjust: config => config with { CheckQuorum = true });
        member.Step(MessageType.HeartbeatResp, from: 2);

        member.Tick(10);
        Assert.Equal(RaftRole.Leader, member.Core.Role);
        member.Tick(10);

        Assert.Equal(RaftRole.Follower, member.Core.Role);
        Assert.Equal(1UL, member.Term);
    }

    [Fact]
    public void Member_that_was_removed_does_not_campaign()
    {
        var member = new Member(Member.Config());
        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.RemoveNode, 1), out _);

        member.Tick(100);
        member.Raft.Campaign();

        Assert.Empty(member.TakeSent());
        Assert.Equal(RaftRole.Follower, member.Core.Role);
    }

    [Fact]
    public void Learner_votes_but_does_not_campaign()
    {
        var member = new Member(Member.Config());
        member.Raft.ApplyConfChange(
            new ConfChangeV2 { Changes = [new ConfChangeSingle(ConfChangeType.AddLearnerNode, 1)], Transition = ConfChangeTransition.Auto }, out _);

        member.Tick(100);
        member.Raft.Campaign();
        Assert.Empty(member.TakeSent());
        member.Step(MessageType.Vote, from: 2, term: 2, message => message with { LogTerm = 11, Index = 11 });

        Assert.False(Assert.Single(member.TakeSent()).Reject);
    }

    [Theory]
    [InlineData(EntryType.ConfChange)]
    [InlineData(EntryType.ConfChangeV2)]
    public void Member_does_not_campaign_before_it_knows_who_votes(EntryType type)
    {
        var member = new Member(Member.Config());
        member.Step(MessageType.App, from: 2, term: 1, message => message with
        {
            Index = 1,
            LogTerm = 1,
            Commit = 2,
            Entries = new Entry[] { new(1, 2, type, default) },
        });

        member.Raft.Campaign();
        Assert.Equal(RaftRole.Follower, member.Core.Role);
        member.Settle();
        member.Raft.Campaign();

        Assert.Equal(RaftRole.Candidate, member.Core.Role);
    }

    [Fact]
    public void Forgotten_leader_no_longer_holds_off_votes()
    {
        var net = new Net(3, (_, config) => config with { CheckQuorum = true, PreVote = true }).Elect(1);
        net.CutOff.Add(1);
        net[2].Raft.ForgetLeader();
        net[3].Raft.ForgetLeader();

        net.Elect(3);

        Assert.Equal(RaftRole.Leader, net[3].Core.Role);
    }
}
