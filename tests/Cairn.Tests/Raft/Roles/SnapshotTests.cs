using Cairn.Raft;
using Cairn.Raft.Progress;
using Xunit;

namespace Cairn.Tests.Raft.Roles;

/// <summary>Raft paper, section 7.</summary>
public sealed class SnapshotTests
{
    private static readonly ConfState Three = new() { Voters = [1, 2, 3] };

    [Fact]
    public void Peer_that_needs_compacted_entries_is_sent_a_snapshot_and_nothing_else()
    {
        var member = LeaderWithSnapshotAt(4);

        member.Step(MessageType.HeartbeatResp, from: 2);
        member.Raft.Propose(new byte[1]);

        var sent = Assert.Single(member.TakeSent(), message => message.To == 2);
        Assert.Equal(MessageType.Snap, sent.Type);
        Assert.Equal(4UL, sent.Snapshot!.Index);
        Assert.Equal(ProgressState.Snapshot, member.Core.Tracker.Peers[2].State);
    }

    [Fact]
    public void Silent_peer_is_not_sent_a_snapshot()
    {
        var member = LeaderWithSnapshotAt(4);

        member.Raft.Propose(new byte[1]);

        Assert.DoesNotContain(member.TakeSent(), message => message.Type == MessageType.Snap);
    }

    [Fact]
    public void Snapshot_that_arrived_is_where_to_go_on()
    {
        var member = PeerInSnapshotState();

        member.Raft.ReportSnapshot(2, failed: false);

        var peer = member.Core.Tracker.Peers[2];
        Assert.Equal((ProgressState.Probe, 5UL, true), (peer.State, peer.Next, peer.AppendsPaused));
    }

    [Fact]
    public void Snapshot_that_failed_is_tried_again_after_the_next_heartbeat()
    {
        var member = PeerInSnapshotState();

        member.Raft.ReportSnapshot(2, failed: true);
        Assert.Equal((ProgressState.Probe, 1UL), (member.Core.Tracker.Peers[2].State, member.Core.Tracker.Peers[2].Next));
        member.Raft.Propose(new byte[1]);
        Assert.DoesNotContain(member.TakeSent(), message => message.To == 2);
        member.Step(MessageType.HeartbeatResp, from: 2);

        Assert.Equal(MessageType.Snap, Assert.Single(member.TakeSent()).Type);
    }

    [Fact]
    public void Acknowledgement_that_reaches_the_log_ends_the_snapshot_whatever_its_index()
    {
        var member = PeerInSnapshotState();

        member.Acknowledge(from: 2, index: 5);

        Assert.Equal(ProgressState.Replicate, member.Core.Tracker.Peers[2].State);
    }

    [Fact]
    public void Follower_puts_a_snapshot_in_place_of_its_log_and_configuration()
    {
        var member = new Member(Member.Config(3, 1, 1));
        var snapshot = new Snapshot(new byte[] { 7 }, new SnapshotMetadata(new ConfState { Voters = [1, 2], Learners = [5] }, 10, 3));

        member.Step(MessageType.Snap, from: 2, term: 4, message => message with { Snapshot = snapshot });
        Assert.False(member.Core.IsPromotable);
        var ready = member.Raft.Ready();

        Assert.Equal(snapshot, ready.Snapshot);
        Assert.True(ready.Entries.IsEmpty);
        Assert.Equal(new HardState(4, 0, 10), ready.HardState);
        Assert.Equal([new Message { Type = MessageType.AppResp, From = 1, To = 2, Term = 4, Index = 10 }], ready.Messages);
        Assert.Equal(snapshot.Metadata.ConfState, member.Raft.ConfState);
        member.Log.TryApplySnapshot(snapshot);
        member.Raft.Advance();
        Assert.Equal(10UL, member.Raft.BasicStatus.Applied);
        Assert.True(member.Core.IsPromotable);
    }

    [Fact]
    public void Entries_that_follow_a_snapshot_come_with_it()
    {
        var member = new Member(Member.Config(3, 1, 1));
        member.Step(MessageType.Snap, from: 2, term: 4, message => message with { Snapshot = SnapshotAt(10, Three) });

        member.Step(MessageType.App, from: 2, term: 4, message => message with { Index = 10, LogTerm = 3, Commit = 11, Entries = Member.EntriesOf(11, 4) });
        var ready = member.Raft.Ready();

        Assert.Equal(10UL, ready.Snapshot!.Index);
        Assert.Equal(Member.EntriesOf(11, 4), ready.Entries.ToArray());
        Assert.True(ready.CommittedEntries.IsEmpty);
    }

    [Fact]
    public void Snapshot_of_what_is_there_already_only_moves_the_commit_index()
    {
        var member = new Member(Member.Config(3, 1, 1, 1));

        member.Step(MessageType.Snap, from: 2, term: 1, message => message with { Snapshot = SnapshotAt(2, Three, term: 1) });

        Assert.Equal(2UL, member.Core.Log.Committed);
        Assert.False(member.Core.Log.HasSnapshot);
        Assert.Equal("1->2 MsgAppResp Term:1 Log:0/2", member.TakeSentText());
    }

    [Fact]
    public void Old_snapshot_is_ignored()
    {
        var member = new Member(Member.Config(3, 1, 1, 1));
        member.Step(MessageType.App, from: 2, term: 1, message => message with { Index = 3, LogTerm = 1, Commit = 3 });
        member.TakeSent();

        member.Step(MessageType.Snap, from: 2, term: 1, message => message with { Snapshot = SnapshotAt(2, Three, term: 1) });

        Assert.Equal("1->2 MsgAppResp Term:1 Log:0/3", member.TakeSentText());
    }

    [Fact]
    public void Snapshot_without_this_member_is_refused()
    {
        var member = new Member(Member.Config(3, 1, 1));

        member.Step(MessageType.Snap, from: 2, term: 4, message => message with { Snapshot = SnapshotAt(10, new ConfState { Voters = [2, 3] }) });

        Assert.False(member.Core.Log.HasSnapshot);
        Assert.Equal(Three, member.Raft.ConfState);
    }

    [Fact]
    public void Outgoing_voter_and_learner_take_a_snapshot()
    {
        foreach (var confState in new[] { new ConfState { Voters = [2, 3], VotersOutgoing = [1, 2] }, new ConfState { Voters = [2], Learners = [1] } })
        {
            var member = new Member(Member.Config(3, 1, 1));

            member.Step(MessageType.Snap, from: 2, term: 4, message => message with { Snapshot = SnapshotAt(10, confState) });

            Assert.True(member.Core.Log.HasSnapshot);
            Assert.Equal(confState, member.Raft.ConfState);
        }
    }

    [Fact]
    public void Configuration_changes_from_before_a_snapshot_do_not_touch_its_configuration()
    {
        var member = new Member(Member.Config(3, 1, 1));
        var newer = new ConfState { Voters = [1, 2] };
        member.Step(MessageType.Snap, from: 2, term: 4, message => message with { Snapshot = SnapshotAt(10, newer) });

        // An apply worker that is behind comes to the entry that once added 3.
        member.Raft.ApplyConfChange(new ConfChange(0, ConfChangeType.AddNode, 3), out var state);

        Assert.Equal(newer, state);
        Assert.Equal(newer, member.Raft.ConfState);
    }

    private static Snapshot SnapshotAt(ulong index, ConfState state, ulong term = 3) => new(default, new SnapshotMetadata(state, index, term));

    private static Member LeaderWithSnapshotAt(ulong index)
    {
        var member = Member.Leader();
        member.Acknowledge(from: 3, index: 2);
        member.Raft.Propose(new byte[1], new byte[1], new byte[1]);
        member.Settle();
        member.Acknowledge(from: 3, index: 5);
        member.TakeSent();
        Assert.NotNull(member.Log.TryCreateSnapshot(index, Three, default));
        Assert.Equal(LogResult.Found, member.Log.Compact(index));
        return member;
    }

    private static Member PeerInSnapshotState()
    {
        var member = LeaderWithSnapshotAt(4);
        member.Step(MessageType.HeartbeatResp, from: 2);
        member.TakeSent();
        Assert.Equal(ProgressState.Snapshot, member.Core.Tracker.Peers[2].State);
        return member;
    }
}
