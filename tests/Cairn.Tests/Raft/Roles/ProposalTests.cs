using Cairn.Raft;
using Cairn.Raft.Membership;
using Xunit;

namespace Cairn.Tests.Raft.Roles;

/// <summary>What a leader takes, and what it refuses.</summary>
public sealed class ProposalTests
{
    [Fact]
    public void Batch_gets_consecutive_places_in_one_message()
    {
        var member = Member.Leader(voters: 1);

        Assert.Equal(RaftError.None, member.Raft.Propose(new byte[] { 1 }, new byte[] { 2 }, new byte[] { 3 }));
        member.Settle();

        Assert.Equal([3UL, 4UL, 5UL], member.Applied.TakeLast(3).Select(entry => entry.Index));
        Assert.Equal([1, 2, 3], member.Applied.TakeLast(3).Select(entry => entry.Data.Span[0]));
        Assert.All(member.Applied.TakeLast(3), entry => Assert.Equal(1UL, entry.Term));
    }

    [Fact]
    public void Empty_batch_is_nothing()
    {
        var member = Member.Leader();

        Assert.Equal(RaftError.None, member.Raft.Propose(ReadOnlySpan<ReadOnlyMemory<byte>>.Empty));

        Assert.False(member.Raft.HasReady);
    }

    [Fact]
    public void Follower_passes_proposals_on_unless_it_may_not()
    {
        var net = new Net(3).Elect(1);

        Assert.Equal(RaftError.None, net[2].Raft.Propose(new byte[1]));
        net.Deliver();
        Assert.All(net.Members, member => Assert.Equal(3UL, member.Core.Log.Committed));

        var proud = new Member(Member.Config() with { ForwardProposals = false });
        proud.Step(MessageType.Heartbeat, from: 2, term: 1);
        Assert.Equal(RaftError.ProposalDropped, proud.Raft.Propose(new byte[1]));
    }

    [Fact]
    public void Without_leader_proposals_are_refused()
    {
        var member = new Member(Member.Config());
        Assert.Equal(RaftError.ProposalDropped, member.Raft.Propose(new byte[1]));

        member.Raft.Campaign();

        Assert.Equal(RaftError.ProposalDropped, member.Raft.Propose(new byte[1]));
    }

    [Fact]
    public void Uncommitted_bytes_are_limited_but_one_proposal_always_fits()
    {
        var member = Member.Leader(adjust: config => config with { UncommittedBytesMax = 100 });

        Assert.Equal(RaftError.None, member.Raft.Propose(new byte[500]));
        Assert.Equal(RaftError.ProposalDropped, member.Raft.Propose(new byte[1]));
        Assert.Equal(RaftError.None, member.Raft.Propose(default(ReadOnlyMemory<byte>)));
        Assert.Equal(500UL, member.Raft.UncommittedBytes);

        member.Settle();
        member.Acknowledge(from: 2, index: 4);
        member.Settle();

        Assert.Equal(0UL, member.Raft.UncommittedBytes);
        Assert.Equal(RaftError.None, member.Raft.Propose(new byte[60]));
        Assert.Equal(RaftError.None, member.Raft.Propose(new byte[40]));
        Assert.Equal(RaftError.ProposalDropped, member.Raft.Propose(new byte[1]));
    }

    [Fact]
    public void Second_configuration_change_becomes_an_empty_entry()
    {
        var member = Member.Leader();
        member.Acknowledge(from: 2, index: 2);
        member.Settle();

        member.Raft.ProposeConfChange(new ConfChange(0, ConfChangeType.AddNode, 4));
        member.Raft.ProposeConfChange(new ConfChange(0, ConfChangeType.AddNode, 5));

        var entries = member.Raft.Ready().Entries.ToArray();
        Assert.Equal([EntryType.ConfChange, EntryType.Normal], entries.Select(entry => entry.Type));
        Assert.Equal(0, entries[1].Data.Length);
    }

    [Fact]
    public void New_leader_takes_no_configuration_change_before_its_first_entry_is_applied()
    {
        var member = new Member(Member.Config(3, 1, 1));
        member.Elect();

        member.Raft.ProposeConfChange(new ConfChange(0, ConfChangeType.AddNode, 4));

        Assert.Equal(EntryType.Normal, member.Raft.Ready().Entries.Span[0].Type);
    }

    [Fact]
    public void Refused_configuration_change_does_not_hold_up_the_next_one()
    {
        var member = Member.Leader(adjust: config => config with { UncommittedBytesMax = 10 });
        member.Acknowledge(from: 2, index: 2);
        member.Settle();
        member.Raft.Propose(new byte[10]);
        Assert.Equal(RaftError.ProposalDropped, member.Raft.ProposeConfChange(new ConfChange(0, ConfChangeType.AddNode, 4)));
        member.Settle();
        member.Acknowledge(from: 2, index: 3);
        member.Settle();

        member.Raft.ProposeConfChange(new ConfChange(0, ConfChangeType.AddNode, 4));

        Assert.Equal(EntryType.ConfChange, member.Raft.Ready().Entries.Span[0].Type);
    }

    [Fact]
    public void Leader_that_was_removed_takes_nothing()
    {
        var member = Member.Leader();
        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.RemoveNode, 1), out _);

        Assert.Equal(RaftRole.Leader, member.Core.Role);
        Assert.Equal(RaftError.ProposalDropped, member.Raft.Propose(new byte[1]));
    }

    [Fact]
    public void Leader_steps_down_when_it_is_removed_if_told_to()
    {
        var member = Member.Leader(adjust: config => config with { StepDownOnRemoval = true });

        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.RemoveNode, 1), out _);

        Assert.Equal(new SoftState(0, RaftRole.Follower), member.Core.SoftState);
    }

    [Fact]
    public void Removing_a_member_commits_what_the_rest_has()
    {
        var member = Member.Leader(voters: 2);
        member.Raft.Propose(new byte[1]);
        member.Settle();
        Assert.Equal(1UL, member.Core.Log.Committed);

        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.RemoveNode, 2), out _);

        Assert.Equal(3UL, member.Core.Log.Committed);
    }

    [Fact]
    public void Impossible_change_is_refused_and_changes_nothing()
    {
        var member = Member.Leader(voters: 1);

        var error = member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.RemoveNode, 1), out var state);

        Assert.Equal(MembershipError.AllVotersRemoved, error);
        Assert.Equal([1UL], state.Voters);
        Assert.Equal(MembershipError.UnknownChange, member.Raft.ApplyConfChange(new ConfChange(0, (ConfChangeType)9, 1), out _));
        Assert.Equal(MembershipError.UnknownChange, member.Raft.ApplyConfChange(new ConfChangeV2 { Transition = (ConfChangeTransition)9 }, out _));
    }

    [Fact]
    public void Change_of_member_zero_does_nothing_but_make_room_for_the_next()
    {
        var member = Member.Leader(voters: 1);

        Assert.Equal(MembershipError.None, member.Raft.ApplyConfChange(new ConfChange(7, ConfChangeType.AddNode, 0), out var state));

        Assert.Equal([1UL], state.Voters);
    }

    [Fact]
    public void Undecodable_configuration_change_is_refused()
    {
        var member = Member.Leader();
        var garbage = new Message { Type = MessageType.Prop, From = 2, Entries = new Entry[] { new(0, 0, EntryType.ConfChange, new byte[] { 0xFF }) } };

        Assert.Equal(RaftError.InvalidMessage, member.Raft.Step(garbage));

        Assert.Equal(2UL, member.Raft.LastIndex);
    }
}
