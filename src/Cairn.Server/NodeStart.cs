using Cairn.Protocol.Peers;
using Cairn.Raft;
using Cairn.Server.Founding;
using Cairn.Server.Healing;
using Cairn.Server.Import;
using Cairn.Server.Membership;
using Cairn.Server.Recovery;
using Cairn.Server.Transfer;
using Cairn.State;
using Cairn.State.Members;
using Cairn.State.Persistence;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;
using Microsoft.Extensions.Logging;

namespace Cairn.Server;

/// <summary>Everything that was opened for a node, before its loops run.</summary>
internal sealed record OpenedNode
{
    /// <summary>What the node was told.</summary>
    public required NodeOptions Options { get; init; }

    /// <summary>What it touches.</summary>
    public required NodeWorld World { get; init; }

    /// <summary>Keeps other processes out.</summary>
    public required IDisposable Lock { get; init; }

    /// <summary>The manifests.</summary>
    public required ManifestStore Manifests { get; init; }

    /// <summary>Who the data directory is.</summary>
    public required ManifestIdentity Identity { get; init; }

    /// <summary>What tells this data directory and this process from all others.</summary>
    public required ProcessIdentity Process { get; init; }

    /// <summary>The end of the log as this process found it.</summary>
    public required LogEnd End { get; init; }

    /// <summary>What this member remembers for itself.</summary>
    public required MemberMemory Memory { get; init; }

    /// <summary>The segments.</summary>
    public required RevisionLog RevisionLog { get; init; }

    /// <summary>The state, as of the newest manifest.</summary>
    public required StateMachine State { get; init; }

    /// <summary>Revision of the index checkpoint that was loaded; 0 without one.</summary>
    public required long CheckpointRevision { get; init; }

    /// <summary>The log on disk.</summary>
    public required WriteAheadLog Wal { get; init; }

    /// <summary>The log as the core reads it.</summary>
    public required MemoryLog Log { get; init; }

    /// <summary>The core.</summary>
    public required RaftNode Core { get; init; }

    /// <summary>The cluster that was found to be joined; null after the first start.</summary>
    public FoundCluster? Joined { get; init; }

    /// <summary>Id of this member.</summary>
    public ulong MemberId => Identity.MemberId;

    /// <summary>Id of the cluster.</summary>
    public ulong ClusterId => Identity.ClusterId;
}

/// <summary>Opens a data directory, or founds a member in an empty one.</summary>
/// <remarks>
/// <para>
/// Order of founding, each step durable before the next: the directory gets an incarnation and counts as empty; it agrees to a founding record
/// (<see cref="Founder"/>); the log is made, with the ids; a manifest says whose state it is. A crash in between leaves a directory that goes on from there.
/// </para>
/// <para>
/// A directory that belongs to a member but has no log, or one that is shorter than its state, has broken its promises: it is not opened (docs/decisions/0004).
/// </para>
/// </remarks>
internal static class NodeStart
{
    // More than anybody starts a member while two manifests are written.
    private const ulong StartsSkippedAfterDamage = 1 << 16;

    /// <summary>Opens.</summary>
    /// <param name="options">What the node is told.</param>
    /// <param name="world">What it touches.</param>
    /// <param name="cancelled">Ends the search for a cluster.</param>
    /// <returns>Everything that was opened.</returns>
    public static async Task<OpenedNode> OpenAsync(NodeOptions options, NodeWorld world, CancellationToken cancelled)
    {
        while (true)
        {
            if (await TryOpenAsync(options, world, cancelled) is { } opened)
            {
                return opened;
            }
        }
    }

    /// <summary>Opens what is there.</summary>
    /// <returns>Null if what is there was changed, and is to be opened again.</returns>
    private static async Task<OpenedNode?> TryOpenAsync(NodeOptions options, NodeWorld world, CancellationToken cancelled)
    {
        var logger = world.LoggerFactory.CreateLogger("cairn.server");
        var etcd = EtcdImport.Find(options, world, logger);
        var held = new DirectoryLocks(etcd);
        try
        {
            held.Add(await LockAsync(world.Disk));
            await LogSalvage.FinishAsync(world.Disk);
            var manifests = await ReturnAsync(options, world, cancelled);
            await CountStartAsync(manifests, world, options, etcd);
            var identity = await EpochFounding.RunAsync(options, world, manifests, StateOptionsOf(options), logger);
            var memory = MemberMemory.Read(manifests.Newest!.MemberState.Span);
            var process = new ProcessIdentity(identity.Incarnation, identity.StartCounter, new Prng(~world.Seed).NextUInt64() | 1);
            var isKnown = identity.MemberId != 0;
            (identity, var joined) = await IdentifyAsync(options, world, manifests, identity, memory, process, cancelled);
            Task<(WriteAheadLog Wal, WalContents? Contents)?> OpenLogAsync() => TryOpenLogAsync(options, world, manifests, identity, memory, process, cancelled);
            if (await OpenLogAsync() is not var (wal, contents))
            {
                held.Dispose();
                return null;
            }

            if (contents?.Repair is { } repair)
            {
                logger.LogRepaired(repair.Path, repair.Offset, repair.Bytes, repair.Reason, repair.Copy);
            }

            await BelongAsync(manifests, identity, memory);
            if (await OpenStateAsync(options, world, manifests, memory, (wal, contents), OpenLogAsync, cancelled) is not { } opened)
            {
                held.Dispose();
                return null;
            }

            ((wal, contents), var (revisions, state, checkpointRevision)) = opened;
            var log = LogStart.Fill(manifests.Newest!, contents);
            logger.Started(identity.MemberId, identity.ClusterId, state.Applied.Index, (int)(log.LastIndex - state.Applied.Index));
            ReportContradictions(logger, isKnown ? options : null, identity, state);

            return new OpenedNode
            {
                Options = options,
                World = world,
                Lock = held,
                Manifests = manifests,
                Identity = identity,
                Process = process,
                End = EndOf(log),
                Memory = memory,
                RevisionLog = revisions,
                State = state,
                CheckpointRevision = checkpointRevision,
                Wal = wal,
                Log = log,
                Core = MakeCore(options, world, identity, log, state.Applied.Index, memory.Founding),
                Joined = joined,
            };
        }
        catch
        {
            // Whatever went wrong, the directory is free again.
            held.Dispose();
            throw;
        }
    }

    /// <summary>Notes, durably, whose state the directory has.</summary>
    private static async Task BelongAsync(ManifestStore manifests, ManifestIdentity identity, MemberMemory memory)
    {
        if (identity != manifests.Newest!.Identity)
        {
            (memory.Replaces, memory.LastMembers, memory.Promise) = (0, [], null);
            await manifests.WriteAsync(manifests.Newest with { Identity = identity, MemberState = memory.Encode() });
        }
    }

    /// <summary>Opens the manifests; of a member that was removed or is fenced, those of the empty directory that it becomes.</summary>
    private static async Task<ManifestStore> ReturnAsync(NodeOptions options, NodeWorld world, CancellationToken cancelled)
    {
        var manifests = await OpenManifestsAsync(options, world, cancelled);
        if (manifests.Newest is not { } newest)
        {
            return manifests;
        }

        var memory = MemberMemory.Read(newest.MemberState.Span);
        if (memory.Quarantine.Length == 0 && (memory.IsEvicted || memory.IsRemoved || memory.Fenced.Length > 0))
        {
            var process = new ProcessIdentity(newest.Identity.Incarnation, newest.Identity.StartCounter, new Prng(~world.Seed).NextUInt64() | 1);
            if (!await new Readmission(options, world, newest.Identity, process, memory).WaitForPlaceAsync(cancelled))
            {
                return manifests;
            }

            await Quarantine.DecideAsync(world.Disk, manifests, memory, memory.IsEvicted || memory.IsRemoved ? "removed" : "fenced", world.Time.GetUtcNow());
        }

        if (memory.Quarantine.Length == 0)
        {
            return manifests;
        }

        await Quarantine.FinishAsync(world.Disk, memory, newest.Identity.MemberId);
        world.LoggerFactory.CreateLogger("cairn.server").Quarantined(newest.Identity.MemberId, memory.Quarantine);
        return await ManifestStore.OpenAsync(world.Disk, DataDirectory.Store);
    }

    /// <summary>Opens the manifests. If none verifies, or only one from before the directory had a member, and the log is damaged as well, nothing says what this directory promised, or whether it may speak: it becomes an empty one once the others have a leader, as one with a
    /// damaged log does. It asks those whom the flags name.</summary>
    private static async Task<ManifestStore> OpenManifestsAsync(NodeOptions options, NodeWorld world, CancellationToken cancelled)
    {
        try
        {
            var manifests = await ManifestStore.OpenAsync(world.Disk, DataDirectory.Store);
            if (manifests.Newest is null or { Identity.MemberId: 0 } && WriteAheadLog.Exists(world.Disk, DataDirectory.Wal))
            {
                // The newest one that verifies is older than the log: that says who this is, or nothing does.
                ReadMetadata(world.Disk);
            }

            return manifests;
        }
        catch (CorruptionException damage) when (world.Calls is not null && FoundingRecords.Listed(options).Length > 1)
        {
            var known = TryReadMetadata(world.Disk);
            var incarnation = new Prng(world.Seed).NextUInt64() | 1;
            var identity = new ManifestIdentity { MemberId = known.MemberId, ClusterId = known.ClusterId, Incarnation = incarnation, Token = options.ClusterToken };
            var memory = MemberMemory.Read([]);
            await new Readmission(options, world, identity, new ProcessIdentity(incarnation, 1, incarnation), memory).WaitForLeaderAsync(damage.Message, cancelled);
            memory.Quarantine = Quarantine.FreeName(world.Disk, "store", world.Time.GetUtcNow());
            await Quarantine.FinishAsync(world.Disk, memory, known.MemberId);
            world.LoggerFactory.CreateLogger("cairn.server").Quarantined(known.MemberId, memory.Quarantine);
            return await ManifestStore.OpenAsync(world.Disk, DataDirectory.Store);
        }
    }

    /// <summary>Opens the log. If it lost what this member may have promised, the member becomes a new one; if it is alone, what is sound is kept.</summary>
    /// <returns>Null if the directory is to be opened again.</returns>
    private static async Task<(WriteAheadLog Wal, WalContents? Contents)?> TryOpenLogAsync(
        NodeOptions options,
        NodeWorld world,
        ManifestStore manifests,
        ManifestIdentity identity,
        MemberMemory memory,
        ProcessIdentity process,
        CancellationToken cancelled)
    {
        try
        {
            return await LogStart.OpenAsync(world, manifests.Newest!, identity, (ulong)options.CatchUpEntries); // A start has written one.
        }
        catch (CorruptionException damage)
        {
            var known = StoredState.MembersOf(manifests.Newest!).Members;
            var members = known.IsEmpty ? [.. memory.Founding?.Members.Select(FoundingRecords.Read) ?? []] : known;
            if (members is [var only] && only.Id == identity.MemberId && LogSalvage.IsPossible(world.Disk))
            {
                await LogSalvage.RunAsync(world, manifests, memory, StateOptionsOf(options), damage);
                return null;
            }

            // If nothing that is left says who the others are, the flags do.
            members = members.IsEmpty ? FoundingRecords.Listed(options) : members;
            if (world.Calls is null || members.Length < 2)
            {
                throw;
            }

            memory.LastMembers = [.. members.Where(member => !member.PeerUrls.SequenceEqual(options.PeerUrls)).Select(FoundingRecords.Write)];
            await new Readmission(options, world, identity, process, memory).WaitForLeaderAsync(damage.Message, cancelled);
            await Quarantine.DecideAsync(world.Disk, manifests, memory, "log", world.Time.GetUtcNow());
            await Quarantine.FinishAsync(world.Disk, memory, identity.MemberId);
            world.LoggerFactory.CreateLogger("cairn.server").Quarantined(identity.MemberId, memory.Quarantine);
            return null;
        }
    }

    private static async Task<IDisposable> LockAsync(IDisk disk)
    {
        if (!disk.DirectoryExists(DataDirectory.Member))
        {
            disk.CreateDirectory(DataDirectory.Member);
            await disk.SyncDirectoryAsync("");
        }

        return disk.TryLock(DataDirectory.Lock)
            ?? throw new IOException($"{DataDirectory.Lock}: another process uses this data directory");
    }

    /// <summary>Notes, durably, that another process starts on this directory, before it says anything to anyone.</summary>
    private static async Task CountStartAsync(ManifestStore manifests, NodeWorld world, NodeOptions options, EtcdImport? etcd)
    {
        var newest = manifests.Newest
            ?? new ManifestContents
            {
                Identity = new ManifestIdentity { Incarnation = new Prng(world.Seed).NextUInt64() | 1 },
                CurrentRevision = 1,
                MemberState = Quarantine.ReadNote(world.Disk),
            };

        // An older manifest that took the place of a damaged one knows fewer starts than there were: the others must not take this one for one of them.
        var step = manifests.HasLostNewest ? StartsSkippedAfterDamage : 1UL;
        var identity = newest.Identity with { StartCounter = newest.Identity.StartCounter + step };
        identity = identity.MemberId == 0 ? identity with { Token = options.ClusterToken } : identity;
        await manifests.WriteAsync(newest with { Identity = identity });
        if (manifests.HasLostNewest)
        {
            // Should this one be damaged too, the one before it must not know fewer starts again.
            await manifests.WriteAsync(newest with { Identity = identity });
        }

        Quarantine.ForgetNote(world.Disk);
        if (etcd is not null)
        {
            await etcd.RunAsync(manifests);
        }
    }

    /// <summary>A log that a founding or a joining left behind, before its manifest was written, keeps its ids.</summary>
    private static ManifestIdentity IdentifyByLog(IDisk disk, ManifestIdentity identity)
    {
        if (!WriteAheadLog.Exists(disk, DataDirectory.Wal))
        {
            return identity;
        }

        var left = ReadMetadata(disk);
        return identity with { MemberId = left.MemberId, ClusterId = left.ClusterId };
    }

    /// <summary>Reads whose log it is; the head of one segment is enough to know that of a damaged one.</summary>
    private static WalMetadata ReadMetadata(IDisk disk)
    {
        try
        {
            return WriteAheadLog.Inspect(disk, DataDirectory.Wal).Metadata;
        }
        catch (CorruptionException) when (WriteAheadLog.ReadSound(disk, DataDirectory.Wal, ulong.MaxValue).Metadata is { } metadata)
        {
            return metadata;
        }
    }

    /// <summary>Reads whose log it is, if anything of it still says so.</summary>
    private static WalMetadata TryReadMetadata(IDisk disk)
    {
        try
        {
            return WriteAheadLog.Exists(disk, DataDirectory.Wal) ? ReadMetadata(disk) : new WalMetadata(0, 0);
        }
        catch (CorruptionException)
        {
            // The others know this member by its peer URL.
            return new WalMetadata(0, 0);
        }
    }

    private static ManifestIdentity IdentityOf(FoundingDecision decision, ManifestIdentity identity, NodeOptions options) => decision switch
    {
        FoundingDecision.Join join => identity with { MemberId = join.Cluster.MemberId, ClusterId = join.Cluster.ClusterId },
        FoundingDecision.Start start => identity with
        {
            ClusterId = start.Record.ClusterId,
            MemberId = (start.Record.Members.FirstOrDefault(member => member.Incarnation == identity.Incarnation)
                ?? start.Record.Members.First(member => member.Name == options.Name)).Id, // It is listed, or it had not started.
        },
        _ => throw Invariant.Unreachable($"{decision} is no end of founding"),
    };

    /// <summary>Finds out who this directory is: its manifest knows, or its log; or it has no cluster yet, and is found one.</summary>
    private static async Task<(ManifestIdentity Identity, FoundCluster? Joined)> IdentifyAsync(
        NodeOptions options,
        NodeWorld world,
        ManifestStore manifests,
        ManifestIdentity identity,
        MemberMemory memory,
        ProcessIdentity process,
        CancellationToken cancelled)
    {
        identity = identity.MemberId == 0 ? IdentifyByLog(world.Disk, identity) : identity;
        if (identity.MemberId != 0)
        {
            return (identity, null);
        }

        var decision = await new Founder(options, world, manifests, process, memory).RunAsync(cancelled);
        return (IdentityOf(decision, identity, options), (decision as FoundingDecision.Join)?.Cluster);
    }

    /// <summary>Opens the state; if it is of no use, that of another member, or what verifies of it if there is no other, and the log anew: of that more is needed then, and may be damaged as well.</summary>
    /// <returns>Null if the directory is to be opened again.</returns>
    private static async Task<((WriteAheadLog Wal, WalContents? Contents) Log, StoredState Stored)?> OpenStateAsync(
        NodeOptions options,
        NodeWorld world,
        ManifestStore manifests,
        MemberMemory memory,
        (WriteAheadLog Wal, WalContents? Contents) log,
        Func<Task<(WriteAheadLog Wal, WalContents? Contents)?>> openLog,
        CancellationToken cancelled)
    {
        if (TryOpenState(world, manifests.Newest!, options, memory, out var damage) is { } stored) // A start has written one.
        {
            return (log, stored);
        }

        await using (log.Wal)
        {
            var refetch = new StoreRefetch(world, manifests, memory, StateOptionsOf(options));
            var salvage = new StoreSalvage(world, manifests, memory, StateOptionsOf(options));
            await (refetch.IsPossible ? refetch.RunAsync(damage.Message, log.Wal, log.Contents, cancelled)
                : salvage.IsPossible(log.Contents) ? salvage.RunAsync(log.Contents)
                : throw damage);
        }

        return await openLog() is { } opened ? (opened, OpenState(world, manifests.Newest!, options)) : null; // As above.
    }

    /// <summary>Opens the state, unless it is damaged, or was found to differ from those of most others.</summary>
    /// <returns>Null if it is of no use; then the damage says why.</returns>
    private static StoredState? TryOpenState(
        NodeWorld world, ManifestContents manifest, NodeOptions options, MemberMemory memory, out CorruptionException damage)
    {
        damage = new CorruptionException(DataDirectory.Store, 0, memory.StoreDamage);
        try
        {
            return memory.StoreDamage.Length == 0 ? OpenState(world, manifest, options) : null;
        }
        catch (CorruptionException found)
        {
            damage = found;
            return null;
        }
    }

    private static StoredState OpenState(NodeWorld world, ManifestContents manifest, NodeOptions options) =>
        StoredState.Open(world.Disk, DataDirectory.Store, manifest, world.RevisionLogOptions, StateOptionsOf(options));

    private static StateOptions StateOptionsOf(NodeOptions options) => new()
    {
        LeaseTtlMinimum = (long)Math.Ceiling(1.5 * options.ElectionTimeout.TotalSeconds),
        LearnersMax = options.LearnersMax,
    };

    /// <summary>Says which flags the data directory knows better.</summary>
    private static void ReportContradictions(ILogger logger, NodeOptions? options, ManifestIdentity identity, StateMachine state)
    {
        if (options is null)
        {
            return;
        }

        var name = state.View.Members.Find(identity.MemberId)?.Name ?? "";
        string?[] found =
        [
            identity.Token == options.ClusterToken ? null : $"--initial-cluster-token is {options.ClusterToken}, the cluster was founded with {identity.Token}",
            name.Length == 0 || name == options.Name ? null : $"--name is {options.Name}, the member is {name}",
        ];
        if (found.Any(each => each is not null))
        {
            logger.FlagsIgnored(string.Join("; ", found.Where(each => each is not null)));
        }
    }

    private static LogEnd EndOf(MemoryLog log)
    {
        Invariant.Holds(log.TryGetTerm(log.LastIndex, out var lastTerm) == LogResult.Found);
        return new LogEnd(log.HardState.Term, lastTerm, log.LastIndex);
    }

    private static RaftNode MakeCore(NodeOptions options, NodeWorld world, ManifestIdentity identity, MemoryLog log, ulong applied, FoundingRecord? founding)
    {
        var core = new RaftNode(new RaftConfig
        {
            Id = identity.MemberId,
            Log = log,
            Seed = world.Seed ^ identity.MemberId,
            ElectionTicks = Math.Max((int)(options.ElectionTimeout / options.HeartbeatInterval), 2),
            HeartbeatTicks = 1,
            Applied = applied,
            AsyncStorageWrites = true,
            ApplyUnstable = true,
            ApplyUnstableBytesMax = (ulong)Loops.LoopLimits.UnsyncedBytesMax,
            ApplyingBytesMax = Loops.LoopLimits.ApplyingBytesMax,
            UncommittedBytesMax = (ulong)Loops.LoopLimits.PendingProposalBytesMax,
            InflightMessagesMax = Loops.LoopLimits.InflightMessagesMax,
            InflightBytesMax = (ulong)Loops.LoopLimits.UnsyncedBytesMax,
            PreVote = options.PreVote,
        });
        if (log.LastIndex == 0 && log.HardState.IsEmpty && founding?.ClusterId == identity.ClusterId
            && founding.Members.Any(member => member.Id == identity.MemberId))
        {
            Invariant.Holds(core.TryBootstrap([.. founding.Members.Select(FoundingRecords.Read).Select(AsChange)]));
        }

        return core;
    }

    private static ConfChange AsChange(MemberRecord member) => new(0, ConfChangeType.AddNode, member.Id, MemberJson.Encode(member));

    /// <summary>Everything that keeps other processes out of the directory.</summary>
    private sealed class DirectoryLocks(IDisposable? first) : IDisposable
    {
        private readonly List<IDisposable> _held = first is null ? [] : [first];

        public void Add(IDisposable held) => _held.Add(held);

        public void Dispose() => _held.ForEach(static held => held.Dispose());
    }
}
