using System.Text;
using Cairn.Raft;
using Cairn.Raft.Progress;
using Cairn.Tests.Raft.Scripts;
using Xunit;

namespace Cairn.Tests.Raft.Roles;

/// <summary>Raft paper, sections 5.3 and 5.4.2; flow control as in etcd-io/raft.</summary>
public sealed class ReplicationTests
{
    private static readonly byte[] Data = Encoding.UTF8.GetBytes("data");

    [Fact]
    public void Leader_sends_heartbeats_at_its_pace()
    {
        var member = Member.Leader();

        member.Tick(1);

        Assert.Equal(
            """
            1->2 MsgHeartbeat Term:1 Log:0/0
            1->3 MsgHeartbeat Term:1 Log:0/0
            """,
            member.TakeSentText());
    }

    [Fact]
    public void Leader_sends_what_is_proposed_to_who_follows()
    {
        var member = Member.Leader();
        member.Acknowledge(from: 2, index: 2);
        member.Acknowledge(from: 3, index: 2);
        member.TakeSent();

        member.Raft.Propose(Data, Data);

        Assert.Equal(
            """
            1->2 MsgApp Term:1 Log:1/2 Commit:2 Entries:[
              1/3 EntryNormal "data"
              1/4 EntryNormal "data"
            ]
            1->3 MsgApp Term:1 Log:1/2 Commit:2 Entries:[
              1/3 EntryNormal "data"
              1/4 EntryNormal "data"
            ]
            """,
            member.TakeSentText());
    }

    [Fact]
    public void Entry_is_committed_when_a_majority_has_it_and_everybody_is_told()
    {
        var member = Member.Leader();
        member.Acknowledge(from: 2, index: 2);
        member.Acknowledge(from: 3, index: 2);
        member.Raft.Propose(Data);
        member.TakeSent();
        Assert.Equal(2UL, member.Core.Log.Committed);

        member.Acknowledge(from: 3, index: 3);

        Assert.Equal(
            """
            1->2 MsgApp Term:1 Log:1/3 Commit:3
            1->3 MsgApp Term:1 Log:1/3 Commit:3
            """,
            member.TakeSentText());
        Assert.Equal("data", Encoding.UTF8.GetString(member.Applied[^1].Data.Span));
    }

    [Fact]
    public void Leader_counts_its_own_copy_only_once_it_is_durable()
    {
        var member = Member.Leader(voters: 1);
        member.Raft.Propose(Data);

        var ready = member.Raft.Ready();
        Assert.Equal(2UL, member.Core.Log.Committed);
        member.Raft.Advance();

        Assert.Equal(3UL, member.Core.Log.Committed);
        Assert.Equal(1, ready.Entries.Length);
    }

    [Theory]
    [InlineData(2, false)] // An entry of term 1, on a majority: not yet.
    [InlineData(3, false)] // An entry of term 2, on a majority: not yet.
    [InlineData(4, true)] // The leader's own: now, and with it those before.
    public void Entries_of_earlier_terms_are_committed_only_along_with_one_of_the_leaders(ulong acknowledged, bool commits)
    {
        var member = new Member(Member.Config(3, 1, 1, 2));
        member.Elect();
        Assert.Equal(3UL, member.Term);

        member.Acknowledge(from: 2, index: acknowledged);

        Assert.Equal(commits ? 4UL : 1UL, member.Core.Log.Committed);
    }

    [Theory]
    [InlineData(1, 1, false, 0)] // Matches.
    [InlineData(3, 2, false, 0)]
    [InlineData(2, 2, true, 1)] // Our entry is of term 1: tried next where ours is no later.
    [InlineData(4, 2, true, 3)] // Beyond our end.
    [InlineData(9, 9, true, 3)]
    public void Follower_takes_entries_only_where_the_logs_match(ulong index, ulong term, bool rejected, ulong hint)
    {
        var member = new Member(Member.Config(3, 1, 1, 2));

        member.Step(MessageType.App, from: 2, term: 9, message => message with { Index = index, LogTerm = term });

        var answer = Assert.Single(member.TakeSent());
        Assert.Equal(rejected, answer.Reject);
        Assert.Equal(rejected && index == 2 ? 2 : hint, answer.RejectHint);
        Assert.Equal(index, answer.Index);
    }

    [Theory]
    [InlineData("1 2 3", 3, 3, "4")] // Appends.
    [InlineData("1 2 3", 2, 2, "4")] // Replaces what conflicts.
    [InlineData("1 2 3", 2, 2, "3")] // Has it already.
    [InlineData("1 2 3", 1, 1, "3 4")] // Replaces and appends.
    [InlineData("1 2 3", 1, 1, "2")] // Keeps what follows: the message may be old.
    public void Follower_makes_its_log_the_leaders(string ours, ulong index, ulong term, string sent)
    {
        static ulong[] Terms(string text) => [.. text.Split(' ').Select(ulong.Parse)];
        var member = new Member(Member.Config(3, Terms(ours)));

        member.Step(MessageType.App, from: 2, term: 9, message => message with
        {
            Index = index,
            LogTerm = term,
            Entries = Member.EntriesOf(index + 1, Terms(sent)),
        });

        Assert.Equal(index + (ulong)Terms(sent).Length, Assert.Single(member.TakeSent()).Index);
        for (var i = 0; i < Terms(sent).Length; i++)
        {
            Assert.Equal(Terms(sent)[i], member.Core.Log.TermOrZero(index + 1 + (ulong)i));
        }

        if (sent == "2")
        {
            Assert.Equal(3UL, member.Core.Log.LastIndex);
        }
    }

    [Fact]
    public void Follower_commits_what_the_leader_says_but_no_more_than_it_was_sent()
    {
        var member = new Member(Member.Config(3, 1, 1, 1));

        member.Step(MessageType.App, from: 2, term: 1, message => message with { Index = 1, LogTerm = 1, Commit = 3, Entries = Member.EntriesOf(2, 1) });

        Assert.Equal(2UL, member.Core.Log.Committed);
    }

    [Fact]
    public void Acknowledgement_of_an_append_below_the_commit_index_names_the_commit_index()
    {
        var member = new Member(Member.Config(3, 1, 1, 1));
        member.Step(MessageType.App, from: 2, term: 1, message => message with { Index = 3, LogTerm = 1, Commit = 3 });
        member.TakeSent();

        member.Step(MessageType.App, from: 2, term: 1, message => message with { Index = 1, LogTerm = 1, Entries = Member.EntriesOf(2, 1) });

        Assert.Equal("1->2 MsgAppResp Term:1 Log:0/3", member.TakeSentText());
    }

    /// <summary>The six followers of figure 7 of the Raft paper.</summary>
    [Theory]
    [InlineData("1 1 1 4 4 5 5 6 6")]
    [InlineData("1 1 1 4")]
    [InlineData("1 1 1 4 4 5 5 6 6 6 6")]
    [InlineData("1 1 1 4 4 5 5 6 6 6 7 7")]
    [InlineData("1 1 1 4 4 4 4")]
    [InlineData("1 1 1 2 2 2 3 3 3 3 3")]
    public void Leader_brings_any_followers_log_to_its_own(string theirs)
    {
        ulong[] ours = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
        var leader = new Member(WithTerm(Member.Config(3, ours), 8));
        var follower = new Member(WithTerm(Member.Config(3, [.. theirs.Split(' ').Select(ulong.Parse)]), 8) with { Id = 2 });
        var third = new Member(WithTerm(Member.Config(3, 1), 8) with { Id = 3 });
        var net = new Net(leader, follower, third);

        net.Elect(1);
        leader.Raft.Propose(Data);
        net.Deliver();

        Assert.Equal(RaftRole.Leader, leader.Core.Role);
        Assert.Equal(LogText(leader), LogText(follower));
        Assert.Equal(LogText(leader), LogText(third));
        Assert.Equal(12UL, follower.Core.Log.Committed);
    }

    [Fact]
    public void Probing_skips_whole_terms_on_both_sides()
    {
        var leader = new Member(WithTerm(Member.Config(3, 1, 3, 3, 3, 5, 5, 5, 5, 5), 5));
        var follower = new Member(WithTerm(Member.Config(3, 1, 1, 1, 1, 2, 2), 5) with { Id = 2 });
        var net = new Net(leader, follower);
        var rejections = 0;
        net.Loses = message =>
        {
            rejections += message.Type == MessageType.AppResp && message.Reject ? 1 : 0;
            return false;
        };

        net.Elect(1);

        Assert.Equal(1, rejections);
        Assert.Equal(LogText(leader), LogText(follower));
    }

    [Fact]
    public void Window_limits_messages_in_flight_and_moves_with_acknowledgements()
    {
        var member = Member.Leader(adjust: config => config with { InflightMessagesMax = 3 });
        Follow(member, 2);
        for (var i = 0; i < 10; i++)
        {
            member.Raft.Propose(Data);
        }

        var sent = member.TakeSent().Where(message => message.To == 2).ToList();
        Assert.Equal(3, sent.Count);
        Assert.True(member.Core.Tracker.Peers[2].Inflights.IsFull);

        member.Acknowledge(from: 2, index: 3);

        // One place is free; everything else that waits goes into one message.
        var next = Assert.Single(member.TakeSent(), message => message.To == 2 && !message.Entries.IsEmpty);
        Assert.Equal(6UL, next.Entries.Span[0].Index);
        Assert.Equal(12UL, next.Entries.Span[^1].Index);
    }

    [Fact]
    public void Heartbeats_answer_lets_an_empty_append_through_a_full_window()
    {
        var member = Member.Leader(adjust: config => config with { InflightMessagesMax = 1 });
        Follow(member, 2);
        member.Raft.Propose(Data);
        member.Raft.Propose(Data);
        member.TakeSent();

        member.Step(MessageType.HeartbeatResp, from: 2);
        member.Step(MessageType.HeartbeatResp, from: 2);

        Assert.Equal(
            """
            1->2 MsgApp Term:1 Log:1/3 Commit:2
            1->2 MsgApp Term:1 Log:1/3 Commit:2
            """,
            member.TakeSentText());
    }

    [Fact]
    public void Window_limits_bytes_in_flight()
    {
        var member = Member.Leader(adjust: config => config with { MessageBytesMax = 100, InflightBytesMax = 250 });
        Follow(member, 2);

        for (var i = 0; i < 10; i++)
        {
            member.Raft.Propose(new byte[90]);
        }

        // The message that crosses the limit is still sent.
        Assert.Equal(3, member.TakeSent().Count(message => message.To == 2));
    }

    [Fact]
    public void Message_is_as_large_as_its_limit_allows()
    {
        var member = Member.Leader(adjust: config => config with { MessageBytesMax = 50 });
        member.Raft.Propose(new byte[10], new byte[10], new byte[10], new byte[100], new byte[10]);

        member.Acknowledge(from: 2, index: 2);

        var sizes = member.TakeSent().Where(message => message.To == 2 && !message.Entries.IsEmpty).Select(message => message.Entries.Length).ToList();

        // An entry takes eight bytes more than its payload; one that is too large for any message goes alone.
        Assert.Equal([2, 1, 1, 1], sizes);
    }

    [Fact]
    public void Probed_peer_is_sent_one_message_until_it_answers()
    {
        var member = Member.Leader();
        member.Raft.Propose(Data);
        member.Raft.Propose(Data);
        Assert.Empty(member.TakeSent());
        Assert.Equal(ProgressState.Probe, member.Core.Tracker.Peers[2].State);

        member.Step(MessageType.HeartbeatResp, from: 2);

        Assert.Equal(3, Assert.Single(member.TakeSent()).Entries.Length);
    }

    [Fact]
    public void Unreachable_peer_is_probed_again()
    {
        var member = Member.Leader();
        Follow(member, 2);
        member.Raft.Propose(Data);

        member.Raft.ReportUnreachable(2);

        Assert.Equal(ProgressState.Probe, member.Core.Tracker.Peers[2].State);
        Assert.Equal(3UL, member.Core.Tracker.Peers[2].Next);
    }

    [Fact]
    public void Heartbeat_commits_no_more_than_the_peer_is_known_to_have()
    {
        var member = Member.Leader();
        Follow(member, 2);

        member.Tick(1);

        Assert.Equal(
            """
            1->2 MsgHeartbeat Term:1 Log:0/0 Commit:2
            1->3 MsgHeartbeat Term:1 Log:0/0
            """,
            member.TakeSentText());
    }

    [Fact]
    public void Member_whose_log_was_cut_off_finds_out()
    {
        var member = new Member(Member.Config());

        Assert.Equal(RaftError.LogLost, member.Step(MessageType.Heartbeat, from: 2, term: 1, message => message with { Commit = 5 }));

        Assert.Equal(1UL, member.Core.Log.Committed);
    }

    [Fact]
    public void Stale_rejection_is_ignored_while_replicating()
    {
        var member = Member.Leader();
        Follow(member, 2);
        member.Raft.Propose(Data);
        member.TakeSent();

        member.Step(MessageType.AppResp, from: 2, with: message => message with { Reject = true, Index = 1, RejectHint = 1 });

        Assert.Empty(member.TakeSent());
        Assert.Equal(ProgressState.Replicate, member.Core.Tracker.Peers[2].State);
    }

    private static void Follow(Member leader, ulong id)
    {
        leader.Acknowledge(from: id, index: leader.Core.Log.LastIndex);
        leader.TakeSent();
    }

    private static RaftConfig WithTerm(RaftConfig config, ulong term)
    {
        ((MemoryLog)config.Log).SetHardState(new HardState(term, 0, 1));
        return config;
    }

    private static string LogText(Member member)
    {
        Assert.Equal(LogResult.Found, member.Log.TryGetEntries(member.Log.FirstIndex, member.Log.LastIndex + 1, ulong.MaxValue, out var entries));
        return RaftText.Of(entries);
    }
}
