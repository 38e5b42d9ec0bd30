using Cairn.Raft;
using Cairn.Server.Membership;
using Cairn.Simulation.Invariants;

namespace Cairn.Simulation.Observations;

/// <summary>What can be known of a cluster from outside, and the invariants that watch it.</summary>
/// <param name="world">Where a violation is reported.</param>
/// <param name="founders">Members of the new cluster: its first entries name them, and are committed from the start.</param>
internal sealed class ClusterRecord(World world, int founders)
{
    private readonly Dictionary<ulong, DurableLog> _logs = [];

    // The order matters: the record of what is committed is kept by the one that judges it.
    private readonly StepInvariant[] _invariants =
    [
        new ElectionSafety(), new OneVoteATerm(), new PromisesAreDurable(), new DurableSurvives(), new LogMatching(),
        new CommittedByQuorum(), new LeaderCompleteness(), new StateMachineSafety(), new NothingGoesBack(), new PromisesAreKept(), new OneCluster(),
    ];

    /// <summary>Terms of the committed entries: the one at place i is that of index i + 1.</summary>
    public List<ulong> Committed { get; } = [.. Enumerable.Repeat(1UL, founders)];

    /// <summary>What is durable of every member's log.</summary>
    public IReadOnlyDictionary<ulong, DurableLog> Logs => _logs;

    /// <summary>Tells of a message that a member hands to the network.</summary>
    public void Sent(Message message)
    {
        foreach (var invariant in _invariants)
        {
            Report(invariant, invariant.OnSent(this, message));
        }
    }

    /// <summary>Tells of a message that a member took from a process that still runs.</summary>
    public void Heard(PeerSight receiver, Message message, PeerSight sender)
    {
        foreach (var invariant in _invariants)
        {
            Report(invariant, invariant.OnHeard(this, receiver, message, sender));
        }
    }

    /// <summary>Tells of bytes whose sync has returned.</summary>
    public void Durable(ulong member, ReadOnlySpan<byte> bytes)
    {
        if (_logs.TryGetValue(member, out var log))
        {
            log.Take(bytes);
            foreach (var invariant in _invariants)
            {
                Report(invariant, invariant.OnDurable(this, member, log));
            }
        }
    }

    /// <summary>Tells of a log that a process has opened.</summary>
    public void Opened(ulong member, DurableLog now)
    {
        var before = _logs.GetValueOrDefault(member);
        _logs[member] = now;
        if (before is null)
        {
            return;
        }

        foreach (var invariant in _invariants)
        {
            Report(invariant, invariant.OnOpened(this, member, before, now));
        }
    }

    /// <summary>What was durable on disks that are gone: acknowledged while it was there, and perhaps counted later.</summary>
    public List<(ulong Member, DurableLog Log)> Lost { get; } = [];

    /// <summary>Tells of a disk that was replaced by an empty or an older one: what it promised is not durable there any more.</summary>
    public void Wiped(ulong member)
    {
        if (_logs.Remove(member, out var log))
        {
            Lost.Add((member, log));
        }
    }

    /// <summary>Tells of a step that a member has done.</summary>
    public void Stepped(MemberSight sight)
    {
        foreach (var invariant in _invariants)
        {
            Report(invariant, invariant.OnStep(this, sight));
        }
    }

    private void Report(StepInvariant invariant, string? failure)
    {
        if (failure is not null)
        {
            world.Fail($"{invariant.GetType().Name}: {failure}\n  {Committed.Count} entries are committed; durable is: {string.Join("; ", _logs.Select(log => $"{log.Key:x} {log.Value}"))}");
        }
    }
}
