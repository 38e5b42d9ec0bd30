using Cairn.Raft;
using Cairn.Server.Membership;
using Cairn.Simulation.Invariants;

namespace Cairn.Simulation.Observations;

/// <summary>What can be known of a cluster from outside, and the invariants that watch it.</summary>
/// <remarks>A disk is told by its member and its place: a copy of a disk runs at another place, beside the one that it was made of, and what it makes durable is its own.</remarks>
/// <param name="world">Where a violation is reported.</param>
/// <param name="committed">Terms of the entries that are committed from the start: those that name the founders, or all that the state of a new epoch begins with.</param>
internal sealed class ClusterRecord(World world, IEnumerable<ulong> committed)
{
    private readonly Dictionary<ulong, DurableLog> _logs = [];
    private readonly Dictionary<int, (ulong Member, DurableLog? Log)> _copies = [];
    private readonly HashSet<ulong> _copied = [];

    // The order matters: the record of what is committed is kept by the one that judges it.
    private readonly StepInvariant[] _invariants =
    [
        new ElectionSafety(), new OneVoteATerm(), new PromisesAreDurable(), new DurableSurvives(), new LogMatching(),
        new CommittedByQuorum(), new LeaderCompleteness(), new StateMachineSafety(), new NothingGoesBack(), new PromisesAreKept(),
    ];

    /// <summary>Terms of the committed entries: the one at place i is that of index i + 1.</summary>
    public List<ulong> Committed { get; } = [.. committed];

    /// <summary>What is durable of every member's log; of one whose disk was copied, on the disk that was there first.</summary>
    public IReadOnlyDictionary<ulong, DurableLog> Logs => _logs;

    /// <summary>What is durable on all disks.</summary>
    public IEnumerable<(ulong Member, DurableLog Log)> Disks =>
        _logs.Select(log => (log.Key, log.Value)).Concat(_copies.Values.Where(copy => copy.Log is not null).Select(copy => (copy.Member, copy.Log!))); // They were filtered.

    /// <summary>What was durable on disks that are gone: acknowledged while it was there, and perhaps counted later.</summary>
    public List<(ulong Member, DurableLog Log)> Lost { get; } = [];

    /// <summary>Whether the disk of a member was ever copied: two processes may act for it, each from a disk of its own.</summary>
    public bool WasCopied(ulong member) => _copied.Contains(member);

    /// <summary>What is durable on the disk of a member at a place; null if that is not known.</summary>
    public DurableLog? LogOf(ulong member, int place) =>
        _copies.TryGetValue(place, out var copy) && copy.Member == member ? copy.Log : _logs.GetValueOrDefault(member);

    /// <summary>Tells of a message that a member hands to the network.</summary>
    public void Sent(Message message, int place)
    {
        var log = LogOf(message.From, place);
        foreach (var invariant in _invariants)
        {
            Report(invariant, invariant.OnSent(this, message, log));
        }
    }

    /// <summary>Tells of a message that a member took from a process that still runs.</summary>
    public void Heard(PeerSight receiver, Message message, PeerSight sender, int senderPlace)
    {
        if (LogOf(sender.MemberId, senderPlace) is not { } log)
        {
            return;
        }

        foreach (var invariant in _invariants)
        {
            Report(invariant, invariant.OnHeard(this, receiver, message, sender, log));
        }
    }

    /// <summary>Tells of bytes whose sync has returned.</summary>
    public void Durable(ulong member, int place, ReadOnlySpan<byte> bytes)
    {
        if (LogOf(member, place) is { } log)
        {
            log.Take(bytes);
            foreach (var invariant in _invariants)
            {
                Report(invariant, invariant.OnDurable(this, member, log));
            }
        }
    }

    /// <summary>Tells of a log that a process has opened.</summary>
    public void Opened(ulong member, int place, DurableLog now)
    {
        var before = LogOf(member, place);
        if (_copies.TryGetValue(place, out var copy) && copy.Member == member)
        {
            _copies[place] = (member, now);
        }
        else
        {
            _logs[member] = now;
        }

        if (before is null)
        {
            return;
        }

        foreach (var invariant in _invariants)
        {
            Report(invariant, invariant.OnOpened(this, member, before, now));
        }
    }

    /// <summary>Tells that a place got a copy of a member's disk, beside the disk.</summary>
    public void Copied(ulong member, int place)
    {
        _copies[place] = (member, null);
        _copied.Add(member);
    }

    /// <summary>Tells of a disk that is not that member's any more, or was replaced by an older one: what it promised is not durable there.</summary>
    public void Gone(ulong member, int place)
    {
        if (_copies.TryGetValue(place, out var copy) && copy.Member == member)
        {
            _copies.Remove(place);
            Lost.AddRange(copy.Log is { } log ? [(member, log)] : []);
        }
        else if (_logs.Remove(member, out var log))
        {
            Lost.Add((member, log));
            if (_copies.FirstOrDefault(other => other.Value.Member == member) is { Value.Log: { } left } other)
            {
                _copies.Remove(other.Key);
                _logs[member] = left;
            }
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
            world.Fail($"{invariant.GetType().Name}: {failure}\n  {Committed.Count} entries are committed; durable is: {string.Join("; ", Disks.Select(log => $"{log.Member:x} {log.Log}"))}");
        }
    }
}
