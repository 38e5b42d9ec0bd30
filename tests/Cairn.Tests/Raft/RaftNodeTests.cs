using Cairn.Raft;
using Xunit;

namespace Cairn.Tests.Raft;

public sealed class RaftNodeTests
{
    public static TheoryData<Message> Malformed => new(
        new Message { Type = MessageType.App, From = 2, Term = 1, Index = 1, LogTerm = 1, Entries = Member.EntriesOf(3, 1) }, // A gap.
        new Message { Type = MessageType.App, From = 2, Term = 1, Index = 1, LogTerm = 1, Entries = Member.EntriesOf(2, 2) }, // From the future.
        new Message { Type = MessageType.App, From = 2, Term = 9, Index = 1, LogTerm = 5, Entries = Member.EntriesOf(2, 4) }, // Terms that fall.
        new Message { Type = MessageType.App, From = 0, Term = 1, Index = 1, LogTerm = 1 }, // From nobody.
        new Message { Type = MessageType.App, From = 2, To = 3, Term = 1, Index = 1, LogTerm = 1 }, // For somebody else.
        new Message { Type = MessageType.Vote, From = 2 }, // In no term.
        new Message { Type = MessageType.Snap, From = 2, Term = 3 }, // Without its snapshot.
        new Message { Type = MessageType.Prop, From = 2 }, // Of nothing.
        new Message { Type = MessageType.ReadIndex, From = 2 }, // Without its context.
        new Message { Type = (MessageType)99, From = 2, Term = 1 }); // Of no known kind.

    [Theory]
    [InlineData(MessageType.Hup)]
    [InlineData(MessageType.Beat)]
    [InlineData(MessageType.CheckQuorum)]
    [InlineData(MessageType.SnapStatus)]
    [InlineData(MessageType.Unreachable)]
    [InlineData(MessageType.StorageAppend)]
    [InlineData(MessageType.StorageApplyResp)]
    [InlineData(MessageType.ForgetLeader)]
    public void What_a_member_tells_itself_is_not_taken_from_others(MessageType type)
    {
        var member = new Member(Member.Config());

        Assert.Equal(RaftError.LocalMessage, member.Raft.Step(new Message { Type = type, From = 2, Term = 1 }));

        Assert.False(member.Raft.HasReady);
    }

    [Theory]
    [InlineData(MessageType.AppResp)]
    [InlineData(MessageType.VoteResp)]
    [InlineData(MessageType.HeartbeatResp)]
    [InlineData(MessageType.ReadIndexResp)]
    public void Strangers_answers_are_refused(MessageType type)
    {
        var member = new Member(Member.Config());

        Assert.Equal(RaftError.PeerNotFound, member.Raft.Step(new Message { Type = type, From = 99, Term = 50 }));

        Assert.Equal(0UL, member.Term);
    }

    [Theory]
    [MemberData(nameof(Malformed))]
    public void What_no_correct_sender_sends_is_refused_and_changes_nothing(object message)
    {
        var member = new Member(Member.Config());

        Assert.Equal(RaftError.InvalidMessage, member.Raft.Step((Message)message));

        Assert.Equal(0UL, member.Term);
        Assert.False(member.Raft.HasReady);
    }

    [Fact]
    public void No_message_is_fatal()
    {
        var prng = new Prng(4);
        var member = new Member(Member.Config());
        for (var round = 0; round < 20_000; round++)
        {
            if (round % 50 == 0)
            {
                member = round % 100 == 0 ? Member.Leader() : new Member(Member.Config(3, 1, 1, 2));
            }

            member.Raft.Step(Random(prng, member.Core.Log.LastIndex));
            member.Settle();
        }
    }

    [Fact]
    public void Founded_cluster_hands_out_its_members_and_elects_a_leader()
    {
        var log = new MemoryLog();
        var raft = new RaftNode(new RaftConfig { Id = 1, Log = log, Seed = 1 });
        Assert.True(raft.TryBootstrap(new ConfChange(0, ConfChangeType.AddNode, 1), new ConfChange(0, ConfChangeType.AddNode, 2)));

        var ready = raft.Ready();

        Assert.Equal(new HardState(1, 0, 2), ready.HardState);
        Assert.Equal([1UL, 2UL], ready.Entries.ToArray().Select(entry => entry.Index));
        Assert.Equal(ready.Entries.ToArray(), ready.CommittedEntries.ToArray());
        Assert.Equal([1UL, 2UL], raft.ConfState.Voters);
        log.Append(ready.Entries.Span);
        raft.Advance();
        Assert.False(raft.TryBootstrap(new ConfChange(0, ConfChangeType.AddNode, 9)));
        raft.Campaign();
        Assert.Equal(RaftRole.PreCandidate, raft.BasicStatus.SoftState.Role);
    }

    [Fact]
    public void Restarted_member_goes_on_where_it_was()
    {
        var log = (MemoryLog)Member.Config(3, 1, 1, 2, 2).Log;
        log.SetHardState(new HardState(2, 3, 3));

        var raft = new RaftNode(Member.Config() with { Log = log, Applied = 2 });

        Assert.Equal(new BasicStatus(1, new HardState(2, 3, 3), new SoftState(0, RaftRole.Follower), 2, 0), raft.BasicStatus);
        Assert.Equal([3UL], raft.Ready().CommittedEntries.ToArray().Select(entry => entry.Index));
    }

    [Fact]
    public void What_was_applied_counts_as_committed_although_the_commit_index_lags()
    {
        var log = (MemoryLog)Member.Config(3, 1, 1, 2, 2).Log;
        log.SetHardState(new HardState(2, 3, 1));

        var raft = new RaftNode(Member.Config() with { Log = log, Applied = 4 });

        Assert.Equal(4UL, raft.BasicStatus.HardState.Commit);
        Assert.Equal(4UL, raft.BasicStatus.Applied);
    }

    [Fact]
    public void Leaders_status_shows_every_member()
    {
        var member = Member.Leader();
        member.Acknowledge(from: 2, index: 2);

        var status = member.Raft.Status();

        Assert.Equal([1UL, 2UL, 3UL], status.Peers.Select(peer => peer.Id));
        Assert.Equal([2UL, 2UL, 0UL], status.Peers.Select(peer => peer.Match));
        Assert.Empty(new Member(Member.Config()).Raft.Status().Peers);
    }

    [Fact]
    public void Contradictory_configurations_are_refused()
    {
        var good = Member.Config();
        Assert.Null(good.FindFlaw());
        RaftConfig[] bad =
        [
            good with { Id = 0 },
            good with { Id = LocalTarget.AppendThread },
            good with { HeartbeatTicks = 0 },
            good with { ElectionTicks = 1 },
            good with { InflightMessagesMax = 0 },
            good with { MessageBytesMax = 10, InflightBytesMax = 9 },
            good with { ReadOnlyMode = ReadOnlyMode.LeaseBased },
            good with { ApplyUnstable = true },
            good with { ApplyUnstable = true, AsyncStorageWrites = true, ApplyUnstableBytesMax = 0 },
        ];

        Assert.All(bad, config => Assert.Throws<ArgumentException>(() => new RaftNode(config)));
    }

    [Fact]
    public void Untraced_steady_state_allocates_little_per_batch()
    {
        var member = Member.Leader();
        var data = new byte[16];
        var batch = Enumerable.Repeat((ReadOnlyMemory<byte>)data, 100).ToArray();
        RunBatches(member, batch, 50);

        var before = GC.GetAllocatedBytesForCurrentThread();
        RunBatches(member, batch, 100);
        var perEntry = (GC.GetAllocatedBytesForCurrentThread() - before) / (100 * batch.Length);

        // Proposal, unstable log and this test's own lists hold an entry once each, in arrays that grow by doubling.
        Assert.InRange(perEntry, 0, 700);
    }

    private static void RunBatches(Member member, ReadOnlyMemory<byte>[] batch, int count)
    {
        for (var i = 0; i < count; i++)
        {
            member.Raft.Propose(batch);
            member.Settle();
            member.Acknowledge(from: 2, index: member.Raft.LastIndex);
            member.Settle();
            member.Log.Compact(member.Raft.BasicStatus.Applied);
            member.Applied.Clear();
        }
    }

    private static Message Random(Prng prng, ulong last)
    {
        ulong Near(ulong value) => value + (ulong)prng.Below(4) - Math.Min(value, 2);
        var index = prng.Chance(1, 10) ? prng.NextUInt64() : Near(last);
        var term = prng.Chance(1, 10) ? prng.NextUInt64() >> 1 : (ulong)prng.Below(5);
        return new Message
        {
            Type = (MessageType)prng.Below(25),
            From = (ulong)prng.Below(5),
            Term = term,
            LogTerm = (ulong)prng.Below(4),
            Index = index,

            // Commit indexes are bounded by what was acknowledged: this, and only this, is trusted to correct leaders.
            Commit = Math.Min((ulong)prng.Below(3), 1),
            Reject = prng.Chance(1, 3),
            RejectHint = prng.Chance(1, 5) ? prng.NextUInt64() : Near(last),
            Entries = Member.EntriesOf(index + 1, [.. Enumerable.Range(0, prng.Below(3)).Select(_ => (ulong)prng.Below(5))]),
            Context = prng.Chance(1, 4) ? new byte[1] : default(ReadOnlyMemory<byte>),
        };
    }
}
