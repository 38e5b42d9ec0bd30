using System.Collections.Immutable;
using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Membership;
using Cairn.Server.Peers;
using Cairn.Simulation.Disks;
using Cairn.Simulation.Invariants;
using Cairn.Simulation.Observations;
using Cairn.State.Members;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;
using Microsoft.Extensions.Logging;

namespace Cairn.Simulation;

/// <summary>A member through all its lives: its disk stays, its processes come and go.</summary>
internal sealed class SimulatedMember
{
    // A few moments of a life, so that memory stays small.
    private const int ImagesMax = 4;

    private readonly World _world;
    private readonly Plan _plan;
    private readonly ILoggerFactory _logs;
    private readonly WalOptions _walOptions;
    private readonly RevisionLogOptions _revisionLogOptions;
    private readonly SimulatedNetwork _network;
    private readonly Lineage _lineage;
    private readonly Prng _prng;
    private NodeOptions _options;
    private readonly List<DiskImage> _images = [];
    private bool _isOpen;
    private ulong? _healing;
    private FaultKind _spoiltBy;
    private long _openedAt;
    private long _spoiltAt;

    public SimulatedMember(World world, NodeOptions options, Plan plan, ILoggerFactory logs, SimulatedNetwork network, Lineage lineage, Prng prng)
    {
        _world = world;
        _options = options;
        _plan = plan;
        _logs = logs;
        _walOptions = plan.MakeWalOptions();
        _revisionLogOptions = plan.MakeRevisionLogOptions();
        _network = network;
        _lineage = lineage;
        _prng = prng;
        Disk = new SimulatedDisk(prng.NextUInt64(), world.Outside.Time) { Crashed = () => Machine!.Die(), Synced = OnSynced, IsLying = plan.Plant == Plant.AckBeforeSync };
    }

    public string Name => _options.Name;

    /// <summary>The number in its name.</summary>
    public int Number => int.Parse(Name.AsSpan(1), System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Whether it was removed from the cluster: it ends by itself when it learns that.</summary>
    public bool IsRemoved { get; private set; }

    /// <summary>Whether it was removed and lives on as if it was not; a process that asks to be taken in again knows.</summary>
    public bool IgnoresRemoval => IsRemoved && IsUp && Node is not null;

    /// <summary>Whether it ended because it learned that it was removed.</summary>
    public bool HasDeparted { get; private set; }

    /// <summary>Whether bits of its data were flipped.</summary>
    public bool HasRot { get; set; }

    /// <summary>Whether its disk was replaced, or its place taken, and it has not been seen to vote again: under another id, or, if it may under the same, for ten seconds.</summary>
    public bool IsHealing
    {
        get
        {
            _healing = HasHealed() ? null : _healing;
            return _healing is not null;
        }
    }

    /// <summary>What is being mended in it: the cluster, or its own process, has noticed what was done to it, and it has not been seen to work again; null if nothing is.</summary>
    public FaultKind? Mending => IsHealing && (IsMissed || IsWaiting) ? _spoiltBy : null;

    /// <summary>Whether the cluster knows it as a spare learner.</summary>
    public bool IsSpare => Node is { } node && FindSelf(node) is { IsStandby: true };

    /// <summary>Whether nobody starts it: its machine is gone, or was not found yet.</summary>
    public bool IsAway { get; set; }

    /// <summary>Whether its disk failed, so that it may end, or not start.</summary>
    public bool MayFail { get; set; }

    /// <summary>Whether it says that it cannot go on without a restart.</summary>
    public bool IsImpaired => MayFail && Node?.Look().Impairment is not null;

    public SimulatedDisk Disk { get; }

    /// <summary>The process; null before the first.</summary>
    public Machine? Machine { get; private set; }

    /// <summary>The node, once it has started; null while there is none.</summary>
    public Node? Node { get; private set; }

    /// <summary>Its id; 0 before it has started for the first time.</summary>
    public ulong MemberId { get; private set; }

    /// <summary>The cluster of that member.</summary>
    public ulong ClusterId { get; private set; }

    /// <summary>Whether it votes, or is a spare learner, and works.</summary>
    public bool IsWhole => Node is { } node && FindSelf(node) is { } self && (!self.IsLearner || self.IsStandby) && node.Ready.IsCompletedSuccessfully && node.Look().Impairment is null;

    /// <summary>Whether its process knows another member where that is.</summary>
    public bool Knows(SimulatedMember other) => Node is { } node && MembersOf(node).Any(known => known.Id == other.MemberId && known.PeerUrls.Contains(other.PeerUrl));

    /// <summary>Its peer URL.</summary>
    public string PeerUrl => _options.PeerUrls[0];

    /// <summary>Who answers for the present process.</summary>
    public Reception Reception { get; private set; } = new();

    public bool IsUp => Machine is { IsAlive: true };

    /// <summary>Processes so far.</summary>
    public int Lives { get; private set; }

    /// <summary>Starts a process on the disk.</summary>
    public void Start()
    {
        Invariant.Holds(!IsUp);
        if (IsAway || HasDeparted || (IsRemoved && MemberId == 0))
        {
            return;
        }

        if (Disk.IsOff)
        {
            // It crashed, and is started before the one who made it crash looks.
            Disk.CutPower((CrashMode)_prng.Below(5));
        }

        Lives++;
        HasRemovedSelf = true;
        Node = null;
        Reception = new Reception();
        _isOpen = false;
        Machine = new Machine(_world, $"{Name}/{Lives}", ClockPercent());
        Machine.Run(() => _ = LiveAsync(Machine));
    }

    /// <summary>Ends the process as kill -9 does: what it wrote stays.</summary>
    public void Kill()
    {
        Machine!.Die();
        Node = null;
        Disk.Kill();
    }

    /// <summary>Takes the power away: what was not synced is up to chance.</summary>
    public void CutPower(CrashMode mode)
    {
        Machine!.Die();
        Node = null;
        Disk.CutPower(mode);
    }

    /// <summary>Takes note that it is no member any more. A process that never was one is ended: nobody would tell it.</summary>
    public void Remove()
    {
        IsRemoved = true;
        if (MemberId == 0 && IsUp)
        {
            Kill();
        }
    }

    /// <summary>Gives a process that has not joined yet the list of members as it is now.</summary>
    public void Retarget(ImmutableArray<InitialMember> members)
    {
        if (_options.IsJoining && members.Length != _options.InitialCluster.Length)
        {
            _options = _options with { InitialCluster = members };
            if (IsUp)
            {
                Kill();
                Start();
            }
        }
    }

    /// <summary>Replaces the disk by an empty one.</summary>
    public void Wipe(FaultKind why = FaultKind.Wipe)
    {
        Kill();
        Disk.Wipe();
        Record.Gone(MemberId, Number);
        Spoil(why);
        HasRot = false;
        MemberId = 0;
    }

    /// <summary>Takes note of something that is to be healed.</summary>
    public void Spoil(FaultKind why) => (_healing, _spoiltBy, _spoiltAt) = (MemberId, why, _world.Now);

    /// <summary>Replaces the disk by a copy of that of another member, which goes on beside it.</summary>
    public void Copy(SimulatedMember other)
    {
        Kill();
        Record.Gone(MemberId, Number);
        Disk.Restore(other.Disk);
        (MemberId, ClusterId) = (other.MemberId, other.ClusterId);
        Record.Copied(MemberId, Number);

        // Either may be taken for the copy, and has to come back as a new member then.
        Spoil(FaultKind.Copy);
        other.Spoil(FaultKind.Copy);
    }

    /// <summary>Takes an image of the disk.</summary>
    public DiskImage TakeImage() => new(MemberId, Disk.Copy());

    /// <summary>Puts an image of a disk in the place of the disk, which is empty.</summary>
    public void Find(DiskImage image)
    {
        Invariant.Holds(!IsUp && MemberId == 0);
        Disk.Restore(image.Disk);
        MemberId = image.MemberId;
        Spoil(FaultKind.LoseMajority);
    }

    /// <summary>Whether there is an image of the member that it is now.</summary>
    public bool HasImage => _images.Exists(image => image.MemberId == MemberId);

    /// <summary>Keeps an image of the disk as it is.</summary>
    public void KeepImage()
    {
        if (_images.Count == ImagesMax)
        {
            _images.RemoveAt(_prng.Below(ImagesMax));
        }

        _images.Add(TakeImage());
    }

    /// <summary>Replaces the disk by an earlier image of it; what it was until now is kept as an image.</summary>
    public void RollBack()
    {
        var images = _images.Where(image => image.MemberId == MemberId).ToList();
        Kill();
        KeepImage();
        Disk.Restore(images[_prng.Below(images.Count)].Disk);
        Record.Gone(MemberId, Number);
        Spoil(FaultKind.RollBack);
    }

    /// <summary>Exchanges the disks of two members that are down.</summary>
    public void Exchange(SimulatedMember other)
    {
        Invariant.Holds(!IsUp && !other.IsUp);
        Disk.Exchange(other.Disk);
        (MemberId, other.MemberId) = (other.MemberId, MemberId);
        Spoil(FaultKind.Exchange);
        other.Spoil(FaultKind.Exchange);
    }

    /// <summary>Whether the command of the stop hook has ended, or its process: another fault may have killed that, and started the next at once.</summary>
    public bool HasRemovedSelf { get; private set; } = true;

    /// <summary>Removes it from the cluster, as a stop hook does that is run before the process is ended.</summary>
    public void RemoveSelf()
    {
        if (Node is { } node)
        {
            Spoil(FaultKind.StopHook);
            HasRemovedSelf = false;
            Machine!.Run(() => _ = RemoveAsync(node));
        }
    }

    /// <summary>Gives it another address from the next start on.</summary>
    public void Move()
    {
        string[] urls = [$"http://m{Number}:{_prng.Between(2381, 2389)}"];
        Spoil(FaultKind.Move);
        _options = _options with
        {
            PeerUrls = [.. urls],
            InitialCluster = [.. _options.InitialCluster.Select(member => member.Name == Name ? member with { PeerUrls = [.. urls] } : member)],
        };
    }

    /// <summary>Asks the process to end.</summary>
    public void Stop() => Machine!.Run(() => _ = Node?.DisposeAsync().AsTask());

    /// <summary>Takes note that a process has opened the log and is about to speak.</summary>
    public void OnOpened(Machine machine, Node node)
    {
        if (MemberId != node.MemberId)
        {
            if (NothingIsDeleted.Check(MemberId, Disk) is { } failure)
            {
                _world.Fail($"{nameof(NothingIsDeleted)}: {machine.Name} {failure}");
            }

            // Taken in, perhaps again, under an id of its own.
            IsRemoved = HasDeparted = false;
            if (HasRot)
            {
                // Its log was damaged, so that it had to become another one.
                Record.Gone(MemberId, Number);
                Spoil(FaultKind.Rot);
                HasRot = false;
            }
            else if (Record.WasCopied(MemberId))
            {
                Record.Gone(MemberId, Number);
            }
        }

        (MemberId, ClusterId) = (node.MemberId, node.ClusterId);
        _isOpen = true;
        _openedAt = _world.Now;
        _lineage.Opened(ClusterId, MemberId, Number, DurableLog.Read(Disk, DataDirectory.Wal));
        NodeStatus? before = null;
        machine.Stepped = () =>
        {
            var now = node.Look();
            if (before is null || !ShowsSame(before, now))
            {
                Record.Stepped(new MemberSight(MemberId, before, now, Record.LogOf(MemberId, Number)!, () => VotersOf(node))); // It was opened.
                before = now;
            }
        };
    }

    /// <summary>Whether a process may end for that reason, given what was done to it.</summary>
    public bool IsExcused(Exception failure)
    {
        switch (failure)
        {
            case IOException:
                return MayFail;
            case MemberRemovedException:
                IsRemoved = HasDeparted = true;
                return _plan.ChangesMembers || _plan.KeepsImages;
            default:
                return false;
        }
    }

    /// <inheritdoc/>
    public override string ToString()
    {
        var self = Node is { } node ? FindSelf(node) : null;
        return $"{Name} was spoilt by {_spoiltBy} as {_healing ?? 0:x}, is {MemberId:x} in {ClusterId:x}, known as {self?.Name} at {string.Join(',', self?.PeerUrls ?? [])}, {(self?.IsLearner == true ? "learner" : "voter")}, "
            + $"{Node?.Look().Impairment ?? Reception.Waiting ?? (IsUp ? "up" : "down")}";
    }

    private async Task RemoveAsync(Node node)
    {
        await node.MemberRemoveAsync(new MemberRemoveRequest { ID = node.MemberId }, default);
        HasRemovedSelf = true;
    }

    private int ClockPercent() =>
        _plan.Plant == Plant.EarlyLeaseExpiry ? 150 : (int)_prng.Between(100 - _plan.ClockSkewPercentMax, 100 + _plan.ClockSkewPercentMax);

    /// <summary>Whether a step changed nothing that an invariant looks at.</summary>
    private static bool ShowsSame(NodeStatus before, NodeStatus now) =>
        (now.LeaderId, now.Term, now.CommittedIndex, now.AppliedIndex, now.Revision, now.CompactedRevision)
        == (before.LeaderId, before.Term, before.CommittedIndex, before.AppliedIndex, before.Revision, before.CompactedRevision);

    /// <summary>Who votes, as far as its process has applied; it runs.</summary>
    public IReadOnlyList<ulong> Voters => VotersOf(Node!);

    private static List<ulong> VotersOf(Node node) => [.. MembersOf(node).Where(member => !member.IsLearner).Select(member => member.Id)];

    private static ImmutableArray<MemberRecord> MembersOf(Node node)
    {
        Invariant.Holds(MemberPages.TryRead(node.DescribeMembers(), out var members));
        return members;
    }

    private ClusterRecord Record => _lineage.Of(ClusterId);

    /// <summary>Whether a member that leads says that it heals this one.</summary>
    private bool IsMissed => _network.Members.Any(member => member.Node?.Look() is { IsLeader: true, Healing: { } healing }
        && healing.StartsWith("healing: ", StringComparison.Ordinal) && healing.Contains($"({Name})", StringComparison.Ordinal));

    /// <summary>Whether its process says that it waits for a place, or must be silent; or is being fed.</summary>
    private bool IsWaiting => IsUp && (Node?.Look() is { } shown ? shown.IsLearner || shown.Impairment is not null : Reception.Waiting is not null);

    private MemberRecord? FindSelf(Node node) => MembersOf(node).FirstOrDefault(member => member.Id == MemberId);

    /// <summary>Whether it has its part, the others know its address, and nothing is to be expected of what was done to its disk.</summary>
    private bool HasHealed()
    {
        if (_healing is not { } id || Node is not { } node || FindSelf(node) is not { } self || (self.IsLearner && !self.IsStandby))
        {
            return false;
        }

        // A removal that was asked for may be decided later.
        var isSettled = IsWhole && _world.Now - Math.Max(_openedAt, _spoiltAt) > 10 * TimeSpan.TicksPerSecond && !_network.Members.Any(other => other != this && other.MemberId == MemberId);
        return self.PeerUrls.Contains(PeerUrl) && (MemberId != id || isSettled);
    }

    private void OnSynced(string path, ReadOnlyMemory<byte> bytes)
    {
        if (_isOpen && path.StartsWith(DataDirectory.Wal, StringComparison.Ordinal) && path.EndsWith(".wal", StringComparison.Ordinal))
        {
            Record.Durable(MemberId, Number, bytes.Span);
        }
    }

    /// <summary>Opens the directory and serves.</summary>
    /// <returns>Why the node ended; null if it was asked to.</returns>
    private async Task<Exception?> ServeAsync(Machine machine)
    {
        Node = await Node.StartAsync(_options, new NodeWorld
        {
            Disk = Disk,
            Time = machine.Time,
            Seed = _prng.NextUInt64(),
            LoggerFactory = _logs,
            Transport = _network.Connect(this, machine),
            Calls = _network.ConnectCalls(this, machine),
            Reception = Reception,
            WalOptions = _walOptions,
            RevisionLogOptions = _revisionLogOptions,
            TransferChunkBytes = 2000,
        });
        return await Node.Stopped;
    }

    private async Task LiveAsync(Machine machine)
    {
        try
        {
            while (await ServeAsync(machine) is { } failure)
            {
                Node = null;
                if (failure is not (ReopenException or MemberRemovedException { MayReturn: true }))
                {
                    if (!IsExcused(failure))
                    {
                        _world.Fail($"{machine.Name} gave up: {failure}");
                    }

                    break;
                }

                // The process opens the directory again, to become what that is to be.
                Reception = new Reception();
                _isOpen = false;
            }

            Node = null;
            machine.Die();
        }
        catch (Exception exception) when (machine.IsAlive)
        {
            if (IsExcused(exception))
            {
                Kill();
                return;
            }

            _world.Fail($"{machine.Name} did not start: {exception}");
        }
        catch (SimulatedCrashException)
        {
            // Crashed while it started.
        }
    }
}

/// <summary>A disk as it was once.</summary>
/// <param name="MemberId">The member that it was of.</param>
/// <param name="Disk">What was on it.</param>
internal sealed record DiskImage(ulong MemberId, SimulatedDisk Disk);

/// <summary>How wrong the clocks of members are.</summary>
internal static class ClockSkew
{
    /// <summary>Far more than any clock that somebody runs a cluster with; leases are promised within it.</summary>
    public const int PercentMax = 10;
}
