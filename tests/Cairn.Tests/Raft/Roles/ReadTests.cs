using Cairn.Raft;
using Xunit;

namespace Cairn.Tests.Raft.Roles;

/// <summary>Raft dissertation, section 6.4.</summary>
public sealed class ReadTests
{
    private static readonly byte[] First = [1];
    private static readonly byte[] Second = [2];

    [Fact]
    public void Read_is_answered_once_a_quorum_has_confirmed_the_leader()
    {
        var member = CommittedLeader();
        member.Raft.ReadIndex(First);
        Assert.All(member.TakeSent(), message => Assert.Equal((MessageType.Heartbeat, 1), (message.Type, message.Context.Length)));
        Assert.Empty(member.Reads);

        member.Step(MessageType.HeartbeatResp, from: 2, with: message => message with { Context = First });
        member.Settle();

        var read = Assert.Single(member.Reads);
        Assert.Equal(2UL, read.Index);
        Assert.Equal(First, read.Context.ToArray());
    }

    [Fact]
    public void Confirmation_of_a_later_read_confirms_earlier_ones_in_order()
    {
        var member = CommittedLeader(voters: 5);
        member.Raft.ReadIndex(First);
        member.Raft.ReadIndex(Second);

        member.Step(MessageType.HeartbeatResp, from: 2, with: message => message with { Context = Second });
        member.Settle();
        Assert.Empty(member.Reads);
        member.Step(MessageType.HeartbeatResp, from: 3, with: message => message with { Context = Second });
        member.Settle();

        Assert.Equal([First, Second], member.Reads.Select(read => read.Context.ToArray()));
    }

    [Fact]
    public void Heartbeats_carry_the_newest_pending_read_so_that_a_lost_round_is_made_up()
    {
        var member = CommittedLeader();
        member.Raft.ReadIndex(First);
        member.Raft.ReadIndex(Second);
        member.TakeSent();

        member.Tick(1);

        Assert.All(member.TakeSent(), message => Assert.Equal(Second, message.Context.ToArray()));
    }

    [Fact]
    public void Answer_with_an_unknown_context_confirms_nothing()
    {
        var member = CommittedLeader();
        member.Raft.ReadIndex(First);

        member.Step(MessageType.HeartbeatResp, from: 2, with: message => message with { Context = Second });
        member.Step(MessageType.HeartbeatResp, from: 2);
        member.Settle();

        Assert.Empty(member.Reads);
    }

    [Fact]
    public void Followers_read_is_passed_on_and_answered()
    {
        var net = new Net(3).Elect(1);

        net[2].Raft.ReadIndex(First);
        net.Deliver();

        Assert.Equal(2UL, Assert.Single(net[2].Reads).Index);
        Assert.Empty(net[1].Reads);
    }

    [Fact]
    public void Read_waits_for_the_first_commit_of_the_term()
    {
        var member = new Member(Member.Config(3, 1, 1));
        member.Elect();
        member.Raft.ReadIndex(First);
        Assert.Empty(member.TakeSent());

        member.Acknowledge(from: 2, index: 3);
        Assert.Contains(member.TakeSent(), message => message.Type == MessageType.Heartbeat && message.Context.Length == 1);
        member.Step(MessageType.HeartbeatResp, from: 3, with: message => message with { Context = First });
        member.Settle();

        Assert.Equal(3UL, Assert.Single(member.Reads).Index);
    }

    [Fact]
    public void Only_voter_answers_at_once_but_not_before_the_first_commit_of_its_term()
    {
        // Entries up to 3 were acknowledged; after the restart the commit index that is remembered is 1.
        var member = new Member(Member.Config(1, 1, 1, 1));
        member.Raft.Campaign();
        member.Raft.Ready();
        member.Raft.Advance();
        Assert.Equal(RaftRole.Leader, member.Core.Role);

        member.Raft.ReadIndex(First);
        member.Settle();

        Assert.Equal(4UL, Assert.Single(member.Reads).Index);
        member.Raft.ReadIndex(Second);
        Assert.Single(member.Raft.Ready().ReadStates);
    }

    [Fact]
    public void Leader_that_was_removed_needs_the_voters_word()
    {
        var member = CommittedLeader(voters: 2);
        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.RemoveNode, 1), out _);

        member.Raft.ReadIndex(First);
        member.Settle();
        Assert.Empty(member.Reads);
        member.Step(MessageType.HeartbeatResp, from: 2, with: message => message with { Context = First });
        member.Settle();

        Assert.Single(member.Reads);
    }

    [Fact]
    public void Pending_read_is_answered_when_the_others_leave_the_configuration()
    {
        var member = CommittedLeader(voters: 2);
        member.Raft.ReadIndex(First);
        member.Settle();
        Assert.Empty(member.Reads);

        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.RemoveNode, 2), out _);
        member.Settle();

        Assert.Single(member.Reads);
    }

    [Fact]
    public void Leaders_lease_answers_without_asking()
    {
        var member = CommittedLeader(adjust: config => config with { CheckQuorum = true, ReadOnlyMode = ReadOnlyMode.LeaseBased });

        member.Raft.ReadIndex(First);

        Assert.Empty(member.TakeSent());
        Assert.Single(member.Reads);
    }

    [Fact]
    public void Learners_do_not_confirm_a_leader()
    {
        var member = CommittedLeader();
        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.AddLearnerNode, 4), out _);
        member.Raft.ReadIndex(First);

        member.Step(MessageType.HeartbeatResp, from: 4, with: message => message with { Context = First });
        member.Settle();

        Assert.Empty(member.Reads);
    }

    [Fact]
    public void Member_without_leader_does_not_answer()
    {
        var member = new Member(Member.Config());

        member.Raft.ReadIndex(First);

        Assert.Empty(member.TakeSent());
        Assert.Empty(member.Reads);
    }

    private static Member CommittedLeader(int voters = 3, Func<RaftConfig, RaftConfig>? adjust = null)
    {
        var member = Member.Leader(voters, adjust);
        for (var id = 2UL; id <= (ulong)voters; id++)
        {
            member.Acknowledge(from: id, index: 2);
        }

        member.TakeSent();
        return member;
    }
}
