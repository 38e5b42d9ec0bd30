using System.Collections.Immutable;
using Cairn.Raft;
using Cairn.Server.Import;
using Cairn.Server.Membership;
using Cairn.State;
using Cairn.State.Members;
using Cairn.State.Persistence;
using Cairn.Storage;
using Cairn.Storage.Checkpoints;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;

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
/// Order of founding, each step durable before the next: the directory gets an incarnation and counts as empty; the log is made, with the ids; a manifest says
/// whose state it is. A crash in between leaves a directory that counts as empty, and founding begins again, with the log that is there.
/// </para>
/// <para>
/// A directory that belongs to a member but has no log, or one that is shorter than its state, has broken its promises: it is not opened (docs/decisions/0004).
/// </para>
/// </remarks>
internal static class NodeStart
{
    /// <summary>Opens.</summary>
    /// <param name="options">What the node is told.</param>
    /// <param name="world">What it touches.</param>
    /// <param name="cancelled">Ends the search for a cluster to join.</param>
    /// <returns>Everything that was opened.</returns>
    public static async Task<OpenedNode> OpenAsync(NodeOptions options, NodeWorld world, CancellationToken cancelled)
    {
        var logger = world.LoggerFactory.CreateLogger("cairn.server");
        var etcd = EtcdImport.Find(options, world, logger);
        var held = new DirectoryLocks(etcd);
        try
        {
            held.Add(await LockAsync(world.Disk));
            var manifests = await ManifestStore.OpenAsync(world.Disk, DataDirectory.Store);
            var identity = await IdentifyAsync(manifests, world, options, etcd);
            var founding = options.IsJoining ? null : Founding.Of(options);
            FoundCluster? joined = null;
            if (identity.MemberId == 0 && founding is not null)
            {
                identity = identity with { MemberId = founding.MemberId, ClusterId = founding.ClusterId };
            }
            else if (identity.MemberId == 0)
            {
                joined = await Joining.FindAsync(options, world, cancelled);
                identity = identity with { MemberId = joined.MemberId, ClusterId = joined.ClusterId };
            }

            var (wal, contents) = await LogStart.OpenAsync(world, manifests.Newest!, identity, (ulong)options.CatchUpEntries);
            if (contents?.Repair is { } repair)
            {
                logger.LogRepaired(repair.Path, repair.Offset, repair.Bytes, repair.Reason, repair.Copy);
            }

            identity = await CountStartAsync(manifests, identity);
            var (revisions, state, checkpointRevision) = OpenState(world, manifests.Newest!, options);
            var log = LogStart.Fill(manifests.Newest!, contents);
            logger.Started(identity.MemberId, identity.ClusterId, state.Applied.Index, (int)(log.LastIndex - state.Applied.Index));
            return new OpenedNode
            {
                Options = options,
                World = world,
                Lock = held,
                Manifests = manifests,
                Identity = identity,
                Process = new ProcessIdentity(identity.Incarnation, identity.StartCounter, new Prng(~world.Seed).NextUInt64() | 1),
                Memory = MemberMemory.Read(manifests.Newest!.MemberState.Span),
                RevisionLog = revisions,
                State = state,
                CheckpointRevision = checkpointRevision,
                Wal = wal,
                Log = log,
                Core = MakeCore(options, world, identity, log, state.Applied.Index, founding),
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

    private static async Task<ManifestIdentity> IdentifyAsync(ManifestStore manifests, NodeWorld world, NodeOptions options, EtcdImport? etcd)
    {
        if (manifests.Newest is null)
        {
            var incarnation = new Prng(world.Seed).NextUInt64() | 1;
            await manifests.WriteAsync(new ManifestContents
            {
                Identity = new ManifestIdentity { Incarnation = incarnation, Token = options.ClusterToken },
                CurrentRevision = 1,
            });
        }

        if (etcd is not null)
        {
            await etcd.RunAsync(manifests);
        }

        var identity = manifests.Newest!.Identity;
        if (identity.MemberId != 0 || !WriteAheadLog.Exists(world.Disk, DataDirectory.Wal))
        {
            return identity;
        }

        // A log that a founding or a joining left behind, before its manifest was written, keeps its ids.
        var left = WriteAheadLog.Inspect(world.Disk, DataDirectory.Wal).Metadata;
        return identity with { MemberId = left.MemberId, ClusterId = left.ClusterId };
    }

    /// <summary>Notes, durably, that another process starts on this directory, before it says anything to anyone.</summary>
    private static async Task<ManifestIdentity> CountStartAsync(ManifestStore manifests, ManifestIdentity identity)
    {
        identity = identity with { StartCounter = identity.StartCounter + 1 };
        await manifests.WriteAsync(manifests.Newest! with { Identity = identity });
        return identity;
    }

    private static (RevisionLog Revisions, StateMachine State, long CheckpointRevision) OpenState(
        NodeWorld world, ManifestContents manifest, NodeOptions options)
    {
        var disk = world.Disk;
        var stateOptions = new StateOptions
        {
            LeaseTtlMinimum = (long)Math.Ceiling(1.5 * options.ElectionTimeout.TotalSeconds),
            LearnersMax = options.LearnersMax,
        };
        var log = RevisionLog.Open(disk, DataDirectory.Store, manifest.Segments, world.RevisionLogOptions);
        if (manifest.AppliedIndex == 0)
        {
            return (log, StateMachine.Create(log, stateOptions), 0);
        }

        var index = ReadCheckpoint(disk, manifest.Checkpoint);
        var state = StateMachine.Open(log, manifest.SmallState.Span, index, stateOptions);
        Invariant.Holds(state.Applied == new AppliedPosition(manifest.AppliedIndex, manifest.AppliedTerm));
        return (log, state, index?.Revision ?? 0);
    }

    private static IndexCheckpointReader? ReadCheckpoint(IDisk disk, CheckpointFile? file)
    {
        if (file is null)
        {
            return null;
        }

        try
        {
            using var reader = CheckpointReader.Open(disk, DataDirectory.Store, file);
            var index = new IndexCheckpointReader();
            while (reader.TryReadNext(out var chunk))
            {
                if (!index.TryAdd(chunk.Span))
                {
                    return null;
                }
            }

            return index;
        }
        catch (CorruptionException)
        {
            // It saves time, no more: the rows say the same.
            return null;
        }
    }

    private static RaftNode MakeCore(NodeOptions options, NodeWorld world, ManifestIdentity identity, MemoryLog log, ulong applied, Founding? founding)
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
            PreVote = options.PreVote,
        });
        if (log.LastIndex == 0 && log.HardState.IsEmpty && founding?.MemberId == identity.MemberId && founding.ClusterId == identity.ClusterId)
        {
            Invariant.Holds(core.TryBootstrap([.. founding.Members.Select(AsChange)]));
        }

        return core;
    }

    private static ConfChange AsChange(MemberRecord member) => new(0, ConfChangeType.AddNode, member.Id, MemberJson.Encode(member));

    /// <summary>The members of a cluster to be founded, and their ids.</summary>
    private sealed record Founding(ImmutableArray<MemberRecord> Members, ulong MemberId, ulong ClusterId)
    {
        public static Founding Of(NodeOptions options)
        {
            var listed = options.InitialCluster.IsEmpty ? [new InitialMember(options.Name, options.PeerUrls)] : options.InitialCluster;
            var members = listed.Select(member => new MemberRecord
            {
                Id = ClusterIds.OfMember(member.PeerUrls, options.ClusterToken, addedAt: null),
                Name = member.Name,
                PeerUrls = [.. member.PeerUrls.Order(StringComparer.Ordinal)],
            }).OrderBy(member => member.Id).ToImmutableArray();
            var self = members.FirstOrDefault(member => member.Name == options.Name)
                ?? throw new ArgumentException($"the initial cluster does not list {options.Name}", nameof(options));
            return new Founding(members, self.Id, ClusterIds.OfCluster(members.Select(member => member.Id)));
        }
    }

    /// <summary>Everything that keeps other processes out of the directory.</summary>
    private sealed class DirectoryLocks(IDisposable? first) : IDisposable
    {
        private readonly List<IDisposable> _held = first is null ? [] : [first];

        public void Add(IDisposable held) => _held.Add(held);

        public void Dispose() => _held.ForEach(static held => held.Dispose());
    }
}
