using Cairn.Protocol.Healing;
using Cairn.Protocol.Peers;
using Cairn.Raft;
using Cairn.Server.Healing;
using Cairn.Server.Membership;
using Cairn.State;
using Cairn.State.Healing;
using Cairn.State.Members;
using Cairn.State.Persistence;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Wal;
using Microsoft.Extensions.Logging;

namespace Cairn.Server.Recovery;

/// <summary>Founds a new epoch on the directory of a survivor, if a decree says so: part of each start.</summary>
/// <remarks>
/// <para>
/// Everything in the log is applied, what is not known to be committed too, since it may have been; only changes of the membership that may not have been made are
/// not. The state becomes that of a new cluster (<see cref="NewEpoch"/>), with an id and an incarnation of its own.
/// </para>
/// <para>
/// The manifest that bears the new id is the commit point, written twice, so that the one before it needs no log of the old epoch. Before it, a start does all of
/// it again; after it, a start only moves the old log to quarantine, makes the new one, which <see cref="LogStart"/> marks, and forgets the decree.
/// </para>
/// </remarks>
internal static class EpochFounding
{
    /// <summary>Founds, or goes on with it, or does nothing if there is no decree.</summary>
    /// <param name="options">What the node is told.</param>
    /// <param name="world">What it touches.</param>
    /// <param name="manifests">The manifests, of which the newest holds the decree, if there is one.</param>
    /// <param name="stateOptions">What the members agree on.</param>
    /// <param name="logger">Where to say what was done.</param>
    /// <returns>Who the directory is now: if there was a decree, the only member of the new epoch.</returns>
    /// <exception cref="CorruptionException">The survivor's files are damaged.</exception>
    /// <exception cref="IOException">The disk failed: the next start goes on.</exception>
    public static async Task<ManifestIdentity> RunAsync(
        NodeOptions options, NodeWorld world, ManifestStore manifests, StateOptions stateOptions, ILogger logger)
    {
        // The start has counted itself, so there is a manifest.
        if (MemberMemory.Read(manifests.Newest!.MemberState.Span).Decree is not { } decree)
        {
            return manifests.Newest.Identity;
        }

        if (manifests.Newest.Identity.ClusterId == decree.Promise.Former)
        {
            var contents = await ChangeAsync(options, world, manifests.Newest, decree, stateOptions);
            await manifests.WriteAsync(contents);
            await manifests.WriteAsync(contents);
        }

        await ExchangeLogAsync(world, manifests.Newest, decree);
        await manifests.WriteAsync(manifests.Newest with { MemberState = MemberMemory.Read([]).Encode() });
        logger.EpochFounded(manifests.Newest.Identity.ClusterId, decree.Promise.Former, decree.Quarantine, decree.Loss);
        return manifests.Newest.Identity;
    }

    private static async Task<ManifestContents> ChangeAsync(
        NodeOptions options, NodeWorld world, ManifestContents newest, EpochDecree decree, StateOptions stateOptions)
    {
        var (wal, log) = await WriteAheadLog.OpenAsync(world.Disk, DataDirectory.Wal, newest.AppliedIndex, world.WalOptions);
        await wal.DisposeAsync();
        if (log.Metadata != new WalMetadata(newest.Identity.MemberId, newest.Identity.ClusterId))
        {
            throw new CorruptionException(DataDirectory.Wal, 0, $"the log is of {log.Metadata}, the state is not");
        }

        var stored = StoredState.Open(world.Disk, DataDirectory.Store, newest, world.RevisionLogOptions, stateOptions);
        using var rows = stored.Log;
        var capture = await LogReplay.RunAsync(stored, log.Entries, log.State.Commit);
        var identity = newest.Identity with
        {
            ClusterId = decree.Promise.Epoch,
            Incarnation = new Prng(~world.Seed ^ decree.Promise.Epoch).NextUInt64() | 1,
            StartCounter = 1,
        };
        var founder = capture.Members.Find(identity.MemberId) ?? new MemberRecord { Id = identity.MemberId, Name = options.Name, PeerUrls = options.PeerUrls };
        var epoch = new NewEpoch
        {
            FormerCluster = decree.Promise.Former,
            Founder = founder with { IsLearner = false, IsStandby = false, Incarnation = identity.Incarnation },
            HighestRevision = decree.HighestRevision,
            Record = Describe(decree, capture, founder),
        };
        return Describe(newest, identity, epoch.Begin(capture), decree);
    }

    private static HealRecord Describe(EpochDecree decree, StateCapture capture, MemberRecord founder) => new()
    {
        Id = capture.Applied.Index,
        Kind = HealKind.FoundEpoch,
        Name = founder.Name,
        PeerUrls = founder.PeerUrls,
        Detected = $"a majority of cluster {decree.Promise.Former:x} was lost for good",
        Evidence = decree.Evidence,
        Decision = $"found epoch {decree.Promise.Epoch:x} from {founder.Name}, index {capture.Applied.Index}, revision {capture.Revision}; {(decree.IsByHand ? "a person decided" : "by --heal-recover=auto")}",
        Safety = "everybody who answers has promised to take no part in the old epoch, whose members are fenced for ever",
        Outcome = HealOutcome.Healed,
        Result = decree.Loss,
        BeganAtMs = decree.AtUnixMs,
        EndedAtMs = decree.AtUnixMs,
    };

    private static ManifestContents Describe(ManifestContents newest, ManifestIdentity identity, StateCapture state, EpochDecree decree)
    {
        var memory = MemberMemory.Read([]);
        memory.Decree = decree;
        return newest with
        {
            Identity = identity,
            AppliedIndex = state.Applied.Index,
            AppliedTerm = state.Applied.Term,
            IsInstalled = true,
            ConfState = new ConfState { Voters = [identity.MemberId] },
            CurrentRevision = state.Revision,
            Compaction = new CompactionFloor(state.CompactedRevision, Math.Max(newest.Compaction.Finished, 0)),
            Segments = state.Log,
            SmallState = state.SmallState,
            MemberState = memory.Encode(),
        };
    }

    private static async Task ExchangeLogAsync(NodeWorld world, ManifestContents newest, EpochDecree decree)
    {
        var disk = world.Disk;
        if (WriteAheadLog.Exists(disk, DataDirectory.Wal) && WriteAheadLog.Inspect(disk, DataDirectory.Wal).Metadata.ClusterId == decree.Promise.Former)
        {
            await Quarantine.MoveLogAsync(disk, decree.Quarantine);
        }

        if (!WriteAheadLog.Exists(disk, DataDirectory.Wal))
        {
            var metadata = new WalMetadata(newest.Identity.MemberId, newest.Identity.ClusterId);
            await (await WriteAheadLog.CreateAsync(disk, DataDirectory.Wal, metadata, world.WalOptions)).DisposeAsync();
        }
    }
}
