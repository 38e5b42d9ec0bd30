using System.Text;
using Cairn.Raft;
using Cairn.Tests.Raft.Scripts;
using Xunit;

namespace Cairn.Tests.Raft;

/// <summary>What the core asks its owner to do, in full.</summary>
public sealed class ReadyTests
{
    private static readonly byte[] Data = Encoding.UTF8.GetBytes("data");

    [Fact]
    public void Nothing_to_do_is_an_empty_ready()
    {
        var member = new Member(Member.Config());

        Assert.False(member.Raft.HasReady);
        Assert.Equal("<empty Ready>", RaftText.Of(member.Raft.Ready()));
    }

    [Fact]
    public void Candidate_persists_its_vote_before_it_asks_for_others()
    {
        var member = new Member(Member.Config());

        member.Raft.Campaign();

        AssertReady(
            member.Raft,
            """
            Ready MustSync=true:
            Lead:0 State:StateCandidate
            HardState Term:1 Vote:1 Commit:1
            Messages:
            1->2 MsgVote Term:1 Log:1/1
            1->3 MsgVote Term:1 Log:1/1

            """);
    }

    [Fact]
    public void New_leader_persists_and_sends_the_entry_that_begins_its_term()
    {
        var member = new Member(Member.Config());
        member.Raft.Campaign();
        member.TakeSent();
        member.Step(MessageType.VoteResp, from: 2);

        AssertReady(
            member.Raft,
            """
            Ready MustSync=true:
            Lead:1 State:StateLeader
            Entries:
            1/2 EntryNormal ""
            Messages:
            1->2 MsgApp Term:1 Log:1/1 Commit:1 Entries:[1/2 EntryNormal ""]
            1->3 MsgApp Term:1 Log:1/1 Commit:1 Entries:[1/2 EntryNormal ""]

            """);
    }

    [Fact]
    public void Commit_index_alone_need_not_be_synced()
    {
        var member = Member.Leader();
        member.Acknowledge(from: 2, index: 2);

        AssertReady(
            member.Raft,
            """
            Ready MustSync=false:
            HardState Term:1 Vote:1 Commit:2
            CommittedEntries:
            1/2 EntryNormal ""
            Messages:
            1->2 MsgApp Term:1 Log:1/2 Commit:2

            """);
    }

    [Fact]
    public void Follower_acknowledges_after_it_has_persisted()
    {
        var member = new Member(Member.Config());
        member.Step(MessageType.App, from: 2, term: 1, message => message with { Index = 1, LogTerm = 1, Entries = new Entry[] { new(1, 2, EntryType.Normal, Data) } });

        AssertReady(
            member.Raft,
            """
            Ready MustSync=true:
            Lead:2 State:StateFollower
            HardState Term:1 Commit:1
            Entries:
            1/2 EntryNormal "data"
            Messages:
            1->2 MsgAppResp Term:1 Log:0/2

            """);
    }

    [Fact]
    public void Asynchronous_follower_hands_its_acknowledgement_to_the_log_writer()
    {
        var raft = new RaftNode(Member.Config() with { AsyncStorageWrites = true });
        raft.Step(new Message
        {
            Type = MessageType.App,
            From = 2,
            To = 1,
            Term = 1,
            Index = 1,
            LogTerm = 1,
            Commit = 2,
            Entries = new Entry[] { new(1, 2, EntryType.Normal, Data) },
        });

        AssertReady(
            raft,
            """
            Ready MustSync=true:
            Lead:2 State:StateFollower
            HardState Term:1 Commit:2
            Entries:
            1/2 EntryNormal "data"
            Messages:
            1->AppendThread MsgStorageAppend Term:1 Log:0/0 Commit:2 Entries:[1/2 EntryNormal "data"] Responses:[
              1->2 MsgAppResp Term:1 Log:0/2
              AppendThread->1 MsgStorageAppendResp Term:1 Log:1/2
            ]

            """);
        Assert.False(raft.HasReady);
    }

    [Fact]
    public void Committed_entries_are_handed_out_in_portions_of_what_may_wait()
    {
        var log = (MemoryLog)Member.Config(voters: 1).Log;
        log.Append([.. Enumerable.Range(2, 6).Select(i => new Entry(1, (ulong)i, EntryType.Normal, new byte[20]))]);
        log.SetHardState(new HardState(1, 0, 7));
        var raft = new RaftNode(Member.Config(voters: 1) with { Log = log, ApplyingBytesMax = 60, AsyncStorageWrites = true });
        var first = raft.Ready();
        Assert.Equal([2UL, 3UL], first.CommittedEntries.ToArray().Select(entry => entry.Index));

        // Nothing more before these are applied.
        Assert.False(raft.HasReady);
        raft.Step(first.Messages.Single().Responses.Single());

        Assert.Equal([4UL, 5UL], raft.Ready().CommittedEntries.ToArray().Select(entry => entry.Index));
    }

    [Fact]
    public void Ready_keeps_its_content_whatever_happens_next()
    {
        var member = new Member(Member.Config(3, 1, 1));
        member.Step(MessageType.App, from: 2, term: 2, message => message with { Index = 2, LogTerm = 1, Entries = Member.EntriesOf(3, 2, 2) });
        var ready = member.Raft.Ready();
        var before = RaftText.Of(ready);
        member.Log.Append(ready.Entries.Span);
        member.Raft.Advance();

        // Another leader replaces the entries, and more follow.
        member.Step(MessageType.App, from: 3, term: 3, message => message with { Index = 2, LogTerm = 1, Entries = Member.EntriesOf(3, 3, 3, 3) });
        member.Settle();

        Assert.Equal(before, RaftText.Of(ready));
    }

    private static void AssertReady(RaftNode raft, string expected) => Assert.Equal(expected.ReplaceLineEndings("\n"), RaftText.Of(raft.Ready()));
}
