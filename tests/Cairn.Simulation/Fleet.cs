using System.Collections.Immutable;
using Cairn.Server;
using Cairn.Simulation.Observations;
using Microsoft.Extensions.Logging;

namespace Cairn.Simulation;

/// <summary>All members of a run, those who found the cluster and those who come later, and what goes wrong with each.</summary>
internal sealed class Fleet
{
    private readonly World _world;
    private readonly Plan _plan;
    private readonly ILoggerFactory _logs;
    private readonly Prng _prng;
    private readonly List<SimulatedMember> _all = [];
    private readonly List<Faults> _faults = [];
    private bool _isPeaceful;
    private bool _isSpareKnown;

    public Fleet(World world, Plan plan, ILoggerFactory logs, Prng prng)
    {
        _world = world;
        _plan = plan;
        _logs = logs;
        _prng = prng;
        Lineage = new Lineage(world, plan.Members);
        Network = new SimulatedNetwork(world, plan, Lineage, new Prng(prng.NextUInt64())) { Members = _all };
        ImmutableArray<InitialMember> founders = [.. Enumerable.Range(1, plan.Members).Select(Describe)];
        for (var number = 1; number <= plan.Members; number++)
        {
            Add(number, founders, isJoining: false);
        }
    }

    /// <summary>Everybody who ever was a member.</summary>
    public IReadOnlyList<SimulatedMember> All => _all;

    /// <summary>Who should be there in the end: not who was removed.</summary>
    public IEnumerable<SimulatedMember> Current => _all.Where(member => !member.IsRemoved);

    /// <summary>Faults so far.</summary>
    public int FaultCount => _faults.Sum(faults => faults.Count);

    /// <summary>Bits that flipped so far.</summary>
    public int FlipCount { get; set; }

    /// <summary>Pairs of faults: the second one began while what the first one had done was noticed, and not healed yet.</summary>
    public List<string> Pairs { get; } = [];

    /// <summary>What is known of the cluster, and of the one that takes its place.</summary>
    public Lineage Lineage { get; }

    /// <summary>What carries messages.</summary>
    public SimulatedNetwork Network { get; }

    /// <summary>Whether a majority is about to be lost, or is: nothing else may be lost then.</summary>
    public bool IsFragile { get; set; }

    /// <summary>Whether nothing is left to be healed: all members of a run are members of the newest cluster, as many of them with a vote as founded the first, and work.</summary>
    public bool IsWhole => _all.TrueForAll(member => member.IsWhole && !member.IsHealing && member.ClusterId == Lineage.NewestId) && _all.Count(member => !member.Node!.Look().IsLearner) >= _plan.Members; // They are whole.

    /// <summary>Whether all know where all are. Where only a majority knew to what address somebody had moved, and is lost, a person has to add him: who stands at an address that the cluster never had is taken in by nobody else.</summary>
    public bool KnowEachOther => _all.TrueForAll(member => _all.TrueForAll(member.Knows));

    /// <summary>Whether everybody has applied all that is in any log: nothing is on its way that could still be committed.</summary>
    public bool IsAtRest
    {
        get
        {
            var last = (ulong)Lineage.Newest.Committed.Count;
            return Current.All(member => member.Node?.Look() is { } status && status.LeaderId != 0 && status.AppliedIndex == last
                && Lineage.Newest.Logs.TryGetValue(member.MemberId, out var log) && log.LastIndex == last);
        }
    }

    /// <summary>Whether the last fault is over.</summary>
    public bool IsCalm => _faults.TrueForAll(faults => faults.HasStopped);

    /// <summary>How a member of that number is listed.</summary>
    public static InitialMember Describe(int number) => new($"m{number}", [$"http://m{number}:2380"]);

    /// <summary>Begins.</summary>
    public void Start()
    {
        foreach (var member in _all)
        {
            member.Start();
        }

        _faults.ForEach(faults => faults.Start());
        Network.Start();
    }

    /// <summary>Starts a member with an empty disk that joins the cluster.</summary>
    /// <param name="number">A number that nobody had.</param>
    /// <param name="members">The members, this one included.</param>
    /// <param name="isStandby">Whether it is to be a spare learner.</param>
    public void Join(int number, ImmutableArray<InitialMember> members, bool isStandby = false)
    {
        var faults = Add(number, members, isJoining: true, isStandby);
        _all[^1].Start();
        if (!_isPeaceful)
        {
            faults.Start();
        }
    }

    /// <summary>Ends the faults of disks and processes, as soon as those under way are over.</summary>
    public void StopFaults()
    {
        _isPeaceful = true;
        _faults.ForEach(faults => faults.Stop());
    }

    /// <summary>Makes everything arrive, and everybody run who can.</summary>
    public void MakePeace()
    {
        Network.MakePeace();
        foreach (var member in _all)
        {
            member.Disk.FailNoMore();
            member.Disk.SpaceBytes = long.MaxValue;
        }

        Revive();
    }

    /// <summary>Starts whoever is down or says that it needs a restart, as a supervisor would.</summary>
    public void Revive()
    {
        foreach (var member in Current.Where(member => member.IsImpaired))
        {
            member.Kill();
        }

        foreach (var member in Current.Where(member => !member.IsUp))
        {
            member.Start();
        }
    }

    /// <summary>Takes note of a fault that begins: images are of moments like this one.</summary>
    public void NoteFault(SimulatedMember member, FaultKind kind)
    {
        if (_plan.KeepsImages && FindMending() is { } first)
        {
            Pairs.Add($"{first}+{kind}");
        }

        if (_plan.KeepsImages && member.MemberId != 0 && _prng.Chance(1, 2))
        {
            member.KeepImage();
        }
    }

    /// <summary>Whether the data of a member may be spoilt: what is left must be a quorum of a cluster that was founded. One that was wiped is let heal: healing waits
    /// five minutes for a directory that is gone, before it looks at the next one. Nor is a disk spoilt of which a copy runs: only one of the two may count.</summary>
    public bool MaySpoil(SimulatedMember member) =>
        !_plan.ChangesMembers && !IsFragile && IsSpareKnown && _all.TrueForAll(other => other.MemberId != 0 || other.IsHealing)
        && !member.IsHealing && (member.HasRot || _all.Count(IsSpoilt) < (_plan.Members - 1) / 2)
        && !_all.Exists(other => other != member && other.MemberId == member.MemberId);

    /// <summary>Whether the disk of a member may be rolled back: all that it promised is on the other disks as well. Else nobody may be left who knows of a promise that is taken back:
    /// who heard it may be down, and the marks of the others do not tell (docs/decisions/0007).</summary>
    public bool MayRollBack(SimulatedMember member) =>
        MaySpoil(member) && Lineage.Newest.Logs.TryGetValue(member.MemberId, out var log)
        && _all.TrueForAll(other => other == member || (!IsSpoilt(other) && other.IsUp && Lineage.Newest.Logs.TryGetValue(other.MemberId, out var copy)
            && copy.LastIndex >= log.LastIndex && copy.TermOf(log.LastIndex) == log.LastTerm && copy.State.Term >= log.State.Term
            && copy.LastIndex >= (ulong)Lineage.Newest.Committed.Count));

    /// <summary>Whether a disk may be copied over another: the others must have a quorum without both members.</summary>
    public bool MayCopy => _plan.Members >= 5 && !_all.Exists(IsSpoilt);

    /// <summary>Another member whose disk is sound, for this one to exchange it, or to get a copy of it.</summary>
    /// <returns>Null if there is none.</returns>
    public SimulatedMember? FindOther(SimulatedMember member, Prng prng)
    {
        var others = _all.Where(other => other != member && !IsSpoilt(other) && other.IsUp && _all.Count(any => any.MemberId == other.MemberId) == 1).ToList();
        return others.Count > 0 && MaySpoil(member) ? others[prng.Below(others.Count)] : null;
    }

    /// <summary>Whether the spare learner, if there is to be one, has told that it is one: on a disk that was moved away before, it would be a learner that somebody keeps.</summary>
    private bool IsSpareKnown => _isSpareKnown |= !_plan.HasSpare || _all.Exists(member => member.IsSpare);

    private static bool IsSpoilt(SimulatedMember member) => member.HasRot || member.IsHealing;

    /// <summary>What is being mended: what was done to a member, or that a majority is gone; null if nothing is.</summary>
    private FaultKind? FindMending() =>
        _all.FirstOrDefault(member => member.Mending is not null)?.Mending
        ?? (IsFragile && _all.Exists(member => member is { IsAway: false, Node: { } node } && node.Look() is { LeaderId: 0, Healing: not null }) ? FaultKind.LoseMajority : null);

    private Faults Add(int number, ImmutableArray<InitialMember> members, bool isJoining, bool isStandby = false)
    {
        var options = new NodeOptions
        {
            Name = $"m{number}",
            SnapshotEntries = _plan.MakeSnapshotEntries(),
            CatchUpEntries = _plan.MakeCatchUpEntries(),
            WatchProgressInterval = _plan.MakeProgressInterval(),
            PeerUrls = Describe(number).PeerUrls,
            InitialCluster = members,
            IsJoining = isJoining,
            PublishesPeerUrls = _plan.KeepsImages,
            IsStandby = isStandby,
            HealReplaceAfter = _plan.ReplaceAfter,
            HealRecover = _plan.RecoversByItself ? RecoverMode.Auto : RecoverMode.Propose,
            HealRecoverAfter = _plan.RecoverAfter,
        };
        var member = new SimulatedMember(_world, options, _plan, _logs, Network, Lineage, new Prng(_prng.NextUInt64()));
        var faults = new Faults(_world, _plan, this, member, new Prng(_prng.NextUInt64()));
        _all.Add(member);
        _faults.Add(faults);
        return faults;
    }
}
