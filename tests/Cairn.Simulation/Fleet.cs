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
    private readonly ClusterRecord _record;
    private readonly SimulatedNetwork _network;
    private readonly Prng _prng;
    private readonly List<SimulatedMember> _all = [];
    private readonly List<Faults> _faults = [];
    private bool _isPeaceful;

    public Fleet(World world, Plan plan, ILoggerFactory logs, Prng prng)
    {
        _world = world;
        _plan = plan;
        _logs = logs;
        _prng = prng;
        _record = new ClusterRecord(world, plan.Members);
        _network = new SimulatedNetwork(world, plan, _record, new Prng(prng.NextUInt64())) { Members = _all };
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

    /// <summary>Faults so far that began while what another had spoilt was being healed.</summary>
    public int PairCount { get; set; }

    /// <summary>Whether everybody has applied all that is in any log: nothing is on its way that could still be committed.</summary>
    public bool IsAtRest
    {
        get
        {
            var last = (ulong)_record.Committed.Count;
            return Current.All(member => member.Node?.Look() is { } status && status.LeaderId != 0 && status.AppliedIndex == last
                && _record.Logs.TryGetValue(member.MemberId, out var log) && log.LastIndex == last);
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
        _network.Start();
    }

    /// <summary>Starts a member with an empty disk that joins the cluster.</summary>
    /// <param name="number">A number that nobody had.</param>
    /// <param name="members">The members, this one included.</param>
    public void Join(int number, ImmutableArray<InitialMember> members)
    {
        var faults = Add(number, members, isJoining: true);
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
        _network.MakePeace();
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
    public void NoteFault(SimulatedMember member)
    {
        if (_all.Exists(other => other.IsHealing))
        {
            PairCount++;
        }

        if (_plan.KeepsImages && member.MemberId != 0 && _prng.Chance(1, 2))
        {
            member.KeepImage();
        }
    }

    /// <summary>Whether the data of a member may be spoilt: what is left must be a quorum of a cluster that was founded. One that was wiped is let heal: healing waits
    /// five minutes for a directory that is gone, before it looks at the next one.</summary>
    public bool MaySpoil(SimulatedMember member) =>
        !_plan.ChangesMembers && _all.TrueForAll(other => other.MemberId != 0 || other.IsHealing)
        && !member.IsHealing && (member.HasRot || _all.Count(IsSpoilt) < (_all.Count - 1) / 2);

    /// <summary>Whether the disk of a member may be rolled back: all that it promised is on the other disks as well. Else nobody may be left who knows of a promise that is taken back:
    /// who heard it may be down, and the marks of the others do not tell (docs/decisions/0007).</summary>
    public bool MayRollBack(SimulatedMember member) =>
        MaySpoil(member) && _record.Logs.TryGetValue(member.MemberId, out var log)
        && _all.TrueForAll(other => other == member || (!IsSpoilt(other) && other.IsUp && _record.Logs.TryGetValue(other.MemberId, out var copy)
            && copy.LastIndex >= log.LastIndex && copy.TermOf(log.LastIndex) == log.LastTerm && copy.State.Term >= log.State.Term
            && copy.LastIndex >= (ulong)_record.Committed.Count));

    /// <summary>Another member whose disk is sound, and whom nothing keeps from going on with the disk of this one.</summary>
    /// <returns>Null if there is none.</returns>
    public SimulatedMember? FindForExchange(SimulatedMember member, Prng prng)
    {
        var others = _all.Where(other => other != member && !IsSpoilt(other) && other.IsUp).ToList();
        return others.Count > 0 && MaySpoil(member) ? others[prng.Below(others.Count)] : null;
    }

    private static bool IsSpoilt(SimulatedMember member) => member.HasRot || member.IsHealing;

    private Faults Add(int number, ImmutableArray<InitialMember> members, bool isJoining)
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
        };
        var member = new SimulatedMember(_world, options, _plan, _logs, _network, _record, new Prng(_prng.NextUInt64()));
        var faults = new Faults(_world, _plan, this, member, new Prng(_prng.NextUInt64()));
        _all.Add(member);
        _faults.Add(faults);
        return faults;
    }
}
