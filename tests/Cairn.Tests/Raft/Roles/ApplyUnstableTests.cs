using Cairn.Raft;
using Cairn.Tests.Raft.Scripts;
using Xunit;

namespace Cairn.Tests.Raft.Roles;

/// <summary>A member whose own disk stalls while a quorum of others has the entries.</summary>
public sealed class ApplyUnstableTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Committed_entry_is_handed_out_before_the_leaders_own_disk_has_it_only_if_allowed(bool allowed)
    {
        var (raft, _) = LeaderOfThree(allowed);
        raft.Propose(new byte[10]);
        var stalled = raft.Ready();
        Assert.Contains(stalled.Messages, message => message.To == LocalTarget.AppendThread);

        Acknowledge(raft, from: 2, index: 3);
        Acknowledge(raft, from: 3, index: 3);
        var ready = raft.Ready();

        Assert.Equal(3UL, raft.BasicStatus.HardState.Commit);
        Assert.Equal(allowed ? 1 : 0, ready.CommittedEntries.Length);
        Assert.Equal(allowed, ready.Messages.Any(message => message.To == LocalTarget.ApplyThread));
    }

    [Fact]
    public void Leaders_own_copy_does_not_count_before_it_is_durable()
    {
        var (raft, _) = LeaderOfThree(applyUnstable: true);
        raft.Propose(new byte[10]);
        raft.Ready();

        Acknowledge(raft, from: 2, index: 3);

        Assert.Equal(2UL, raft.BasicStatus.HardState.Commit);
    }

    [Fact]
    public void Single_member_hands_out_nothing_before_its_own_sync()
    {
        var log = Member.Config(voters: 1).Log;
        var raft = new RaftNode(Config(log, true) with { });
        var disk = new List<Message>();
        raft.Campaign();
        Drain(raft, disk);
        Persist(raft, (MemoryLog)log, disk);
        Drain(raft, disk);
        Assert.Equal(1UL, raft.BasicStatus.HardState.Commit);

        Persist(raft, (MemoryLog)log, disk);

        Assert.Equal(2UL, raft.BasicStatus.HardState.Commit);
    }

    [Fact]
    public void At_the_bound_nothing_is_handed_out_and_proposals_are_refused()
    {
        var (raft, work) = LeaderOfThree(applyUnstable: true, bytesMax: 25);
        Assert.Equal(RaftError.None, raft.Propose(new byte[10]));
        Assert.Equal(RaftError.None, raft.Propose(new byte[10]));
        Assert.Equal(RaftError.DiskBehind, raft.Propose(new byte[10]));
        Assert.Equal(RaftError.None, raft.Propose(default(ReadOnlyMemory<byte>)));
        Assert.Equal(20UL, raft.UnstableBytes);
        Drain(raft, work.Disk);

        Persist(raft, work.Log, work.Disk);

        Assert.Equal(0UL, raft.UnstableBytes);
        Assert.Equal(RaftError.None, raft.Propose(new byte[100]));
        Drain(raft, work.Disk);
        Acknowledge(raft, from: 2, index: raft.LastIndex);
        Acknowledge(raft, from: 3, index: raft.LastIndex);
        Assert.DoesNotContain(raft.Ready().CommittedEntries.ToArray(), entry => entry.Data.Length == 100);
    }

    [Theory]
    [InlineData(true, 1000, 1)]
    [InlineData(true, 1, 0)]
    [InlineData(false, 1000, 0)]
    public void Follower_applies_what_is_committed_ahead_of_its_own_disk_only_if_allowed_and_within_the_bound(bool allowed, int bytesMax, int handedOut)
    {
        var raft = new RaftNode(Config(Member.Config().Log, allowed, (ulong)bytesMax));
        raft.Step(new Message
        {
            Type = MessageType.App,
            From = 2,
            To = 1,
            Term = 1,
            Index = 1,
            LogTerm = 1,
            Commit = 2,
            Entries = new Entry[] { new() { Term = 1, Index = 2, Data = new byte[10] } },
        });

        var ready = raft.Ready();

        Assert.Equal(1, ready.Entries.Length);
        Assert.Equal(handedOut, ready.CommittedEntries.Length);
        var answer = ready.Messages.Single(static message => message.To == LocalTarget.AppendThread).Responses;
        Assert.Contains(answer.ToArray(), static response => response.Type == MessageType.AppResp);
        Assert.DoesNotContain(ready.Messages.ToArray(), static message => message.Type == MessageType.AppResp);
    }

    [Fact]
    public void Leader_that_applied_ahead_and_steps_down_goes_on_as_follower()
    {
        var (raft, work) = LeaderOfThree(applyUnstable: true);
        raft.Propose(new byte[10]);
        Drain(raft, work.Disk);
        Acknowledge(raft, from: 2, index: 3);
        Acknowledge(raft, from: 3, index: 3);
        var apply = raft.Ready().Messages.Single(message => message.To == LocalTarget.ApplyThread);
        raft.Step(new Message { Type = MessageType.Heartbeat, From = 2, To = 1, Term = 5, Commit = 3 });

        foreach (var response in apply.Responses)
        {
            Assert.Equal(RaftError.None, raft.Step(response));
        }

        Assert.Equal(3UL, raft.BasicStatus.Applied);
        Drain(raft, work.Disk);
        Persist(raft, work.Log, work.Disk);
        Assert.Equal(0UL, raft.UnstableBytes);
        Assert.False(raft.HasReady, raft.HasReady ? RaftText.Of(raft.Ready()) : string.Empty);
    }

    private static RaftConfig Config(IRaftLog log, bool applyUnstable, ulong bytesMax = 1000) => new()
    {
        Id = 1,
        Log = log,
        Seed = 1,
        PreVote = false,
        CheckQuorum = false,
        AsyncStorageWrites = true,
        ApplyUnstable = applyUnstable,
        ApplyUnstableBytesMax = bytesMax,
    };

    /// <summary>A leader with everything so far durable, acknowledged and applied.</summary>
    private static (RaftNode Raft, (MemoryLog Log, List<Message> Disk) Work) LeaderOfThree(bool applyUnstable, ulong bytesMax = 1000)
    {
        var log = (MemoryLog)Member.Config().Log;
        var raft = new RaftNode(Config(log, applyUnstable, bytesMax));
        var disk = new List<Message>();
        raft.Campaign();
        Drain(raft, disk);
        Persist(raft, log, disk);
        raft.Step(new Message { Type = MessageType.VoteResp, From = 2, To = 1, Term = 1 });
        Drain(raft, disk);
        Persist(raft, log, disk);
        Acknowledge(raft, from: 2, index: 2);
        Acknowledge(raft, from: 3, index: 2);
        Drain(raft, disk);
        Persist(raft, log, disk);
        Assert.Equal(2UL, raft.BasicStatus.Applied);
        return (raft, (log, disk));
    }

    private static void Acknowledge(RaftNode raft, ulong from, ulong index) =>
        Assert.Equal(RaftError.None, raft.Step(new Message { Type = MessageType.AppResp, From = from, To = 1, Term = 1, Index = index }));

    /// <summary>Takes Readies; what is for the disk waits there, what is to be applied is applied at once.</summary>
    private static void Drain(RaftNode raft, List<Message> disk)
    {
        while (raft.HasReady)
        {
            foreach (var message in raft.Ready().Messages)
            {
                if (message.To == LocalTarget.AppendThread)
                {
                    disk.Add(message);
                }
                else if (message.To == LocalTarget.ApplyThread)
                {
                    raft.Step(message.Responses[0]);
                }
            }
        }
    }

    private static void Persist(RaftNode raft, MemoryLog log, List<Message> disk)
    {
        foreach (var work in disk.ToList())
        {
            log.SetHardState(work.HardState.IsEmpty ? log.HardState : work.HardState);
            log.Append(work.Entries.Span);
            foreach (var response in work.Responses.Where(response => response.To == 1))
            {
                raft.Step(response);
            }
        }

        disk.Clear();
        Drain(raft, disk);
    }
}
