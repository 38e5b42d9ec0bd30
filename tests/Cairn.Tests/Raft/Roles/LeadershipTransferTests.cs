using Cairn.Raft;
using Xunit;

namespace Cairn.Tests.Raft.Roles;

/// <summary>Raft dissertation, section 3.10.</summary>
public sealed class LeadershipTransferTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Successor_with_the_whole_log_takes_over_whoever_is_asked(ulong asked)
    {
        var net = new Net(3, (_, config) => config with { CheckQuorum = true, PreVote = true }).Elect(1);

        net[asked].Raft.TransferLeader(2);
        net.Deliver();

        Assert.Equal(RaftRole.Leader, net[2].Core.Role);
        Assert.Equal(new SoftState(2, RaftRole.Follower), net[1].Core.SoftState);
    }

    [Fact]
    public void Successor_that_is_behind_is_brought_up_to_date_first()
    {
        var net = new Net(3).Elect(1);
        net.CutOff.Add(3);
        net[1].Raft.Propose(new byte[1]);
        net.Deliver();
        net.CutOff.Clear();
        net[1].Raft.ReportUnreachable(3);

        net[1].Raft.TransferLeader(3);
        Assert.Equal(3UL, net[1].Raft.BasicStatus.Transferee);
        net.Deliver();

        Assert.Equal(RaftRole.Leader, net[3].Core.Role);
        Assert.Equal(4UL, net[3].Core.Log.Committed);
    }

    [Fact]
    public void Proposals_are_refused_meanwhile()
    {
        var member = Member.Leader();

        member.Raft.TransferLeader(2);

        Assert.Equal(RaftError.ProposalDropped, member.Raft.Propose(new byte[1]));
    }

    [Fact]
    public void Transfer_is_given_up_after_an_election_timeout()
    {
        var member = Member.Leader();
        member.Raft.TransferLeader(2);

        member.Tick(10);

        Assert.Equal(0UL, member.Raft.BasicStatus.Transferee);
        Assert.Equal(RaftRole.Leader, member.Core.Role);
        Assert.Equal(RaftError.None, member.Raft.Propose(new byte[1]));
    }

    [Theory]
    [InlineData(1)] // The leader itself.
    [InlineData(4)] // A learner.
    [InlineData(9)] // Nobody.
    public void Nobody_else_can_succeed(ulong successor)
    {
        var member = Member.Leader();
        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.AddLearnerNode, 4), out _);
        member.TakeSent();

        member.Raft.TransferLeader(successor);

        Assert.Equal(0UL, member.Raft.BasicStatus.Transferee);
        Assert.Empty(member.TakeSent());
    }

    [Fact]
    public void Second_request_replaces_the_first()
    {
        var member = Member.Leader();
        member.Raft.TransferLeader(2);
        member.Raft.TransferLeader(3);

        Assert.Equal(3UL, member.Raft.BasicStatus.Transferee);
    }

    [Fact]
    public void Successor_that_is_removed_does_not_succeed()
    {
        var member = Member.Leader();
        member.Raft.TransferLeader(3);

        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.RemoveNode, 3), out _);

        Assert.Equal(0UL, member.Raft.BasicStatus.Transferee);
    }

    [Fact]
    public void Member_that_was_removed_does_not_campaign_when_told_to()
    {
        var member = new Member(Member.Config());
        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.RemoveNode, 1), out _);

        member.Step(MessageType.TimeoutNow, from: 2, term: 1);

        Assert.Equal(RaftRole.Follower, member.Core.Role);
    }
}
