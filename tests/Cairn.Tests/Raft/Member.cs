using Cairn.Raft;
using Cairn.Raft.Roles;
using Cairn.Tests.Raft.Scripts;
using Xunit;

namespace Cairn.Tests.Raft;

/// <summary>One core with its log, for tests of a single member: messages in by hand, messages out to look at.</summary>
internal sealed class Member
{
    private readonly List<Message> _sent = [];

    public Member(RaftConfig config)
    {
        Log = (MemoryLog)config.Log;
        Raft = new RaftNode(config);
    }

    public RaftNode Raft { get; }

    public MemoryLog Log { get; }

    public List<Entry> Applied { get; } = [];

    public List<ReadState> Reads { get; } = [];

    public RaftCore Core => Raft.Core;

    public ulong Term => Core.Term;

    /// <summary>A configuration with voters 1, 2, …, and a log of entries of the given terms, from index 1 on.</summary>
    public static RaftConfig Config(int voters = 3, params ulong[] terms)
    {
        var log = new MemoryLog();
        log.Append(EntriesOf(1, terms));
        return new RaftConfig { Id = 1, Log = WithVoters(log, voters), Seed = 1, PreVote = false, CheckQuorum = false, MessageBytesMax = ulong.MaxValue };
    }

    public static Entry[] EntriesOf(ulong first, params ulong[] terms) =>
        [.. terms.Select((term, i) => new Entry(term, first + (ulong)i, EntryType.Normal, default))];

    public static Member Leader(int voters = 3, Func<RaftConfig, RaftConfig>? adjust = null)
    {
        var config = Config(voters);
        var member = new Member(adjust is null ? config : adjust(config));
        member.Elect();
        return member;
    }

    /// <summary>Wins an election with everybody's vote; what it sends for that is taken away.</summary>
    public void Elect()
    {
        Raft.Campaign();
        Settle();
        foreach (var id in Raft.ConfState.Voters.Where(id => id != Core.Id))
        {
            if (Core.Role == RaftRole.PreCandidate)
            {
                Step(MessageType.PreVoteResp, from: id, term: Term + 1);
                Settle();
            }
        }

        foreach (var id in Raft.ConfState.Voters.Where(id => id != Core.Id))
        {
            Step(MessageType.VoteResp, from: id);
        }

        Assert.Equal(RaftRole.Leader, Core.Role);
        Settle();
        TakeSent();
    }

    public RaftError Step(MessageType type, ulong from, ulong? term = null, Func<Message, Message>? with = null)
    {
        var message = new Message { Type = type, From = from, To = Core.Id, Term = term ?? Term };
        return Raft.Step(with is null ? message : with(message));
    }

    public RaftError Acknowledge(ulong from, ulong index) => Step(MessageType.AppResp, from, with: message => message with { Index = index });

    /// <summary>Does what Readies say until there are none; keeps what was sent.</summary>
    public void Settle()
    {
        while (Raft.HasReady)
        {
            var ready = Raft.Ready();
            Log.SetHardState(ready.HardState.IsEmpty ? Log.HardState : ready.HardState);
            if (ready.Snapshot is not null)
            {
                Assert.True(Log.TryApplySnapshot(ready.Snapshot));
            }

            Log.Append(ready.Entries.Span);
            Applied.AddRange(ready.CommittedEntries.ToArray());
            Reads.AddRange(ready.ReadStates);
            _sent.AddRange(ready.Messages);
            Raft.Advance();
        }
    }

    /// <summary>What was sent since the last look, as text without the settling it took.</summary>
    public string TakeSentText() => string.Join('\n', TakeSent().Select(message => RaftText.Of(message)));

    public List<Message> TakeSent()
    {
        Settle();
        var sent = _sent.ToList();
        _sent.Clear();
        return sent;
    }

    public void Tick(int times)
    {
        for (var i = 0; i < times; i++)
        {
            Raft.Tick();
        }
    }

    private static MemoryLog WithVoters(MemoryLog log, int voters)
    {
        // A log that remembers its configuration as one that was there from the start.
        var founded = new MemoryLog();
        var confState = new ConfState { Voters = [.. Enumerable.Range(1, voters).Select(id => (ulong)id)] };
        if (log.LastIndex == 0)
        {
            founded.TryApplySnapshot(new Snapshot(default, new SnapshotMetadata(confState, 1, 1)));
            return founded;
        }

        log.TryGetTerm(1, out var firstTerm);
        log.TryGetEntries(1, log.LastIndex + 1, ulong.MaxValue, out var entries);
        founded.TryApplySnapshot(new Snapshot(default, new SnapshotMetadata(confState, 1, firstTerm)));
        founded.Append(entries.Span);
        founded.TryGetTerm(founded.LastIndex, out var lastTerm);
        founded.SetHardState(new HardState(lastTerm, 0, 1));
        return founded;
    }
}
