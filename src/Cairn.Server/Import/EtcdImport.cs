using Cairn.Raft;
using Cairn.Server.Healing;
using Cairn.State.Schema;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Microsoft.Extensions.Logging;

namespace Cairn.Server.Import;

/// <summary>Takes over the data directory of an etcd member: what is in its backend goes into the store, once; the log goes on as it is.</summary>
/// <remarks>
/// <para>
/// Order, each step durable before the next: everything is read and verified, and a directory that cannot be taken over is left as it was; the store gets an
/// incarnation and counts as empty; rows are written to segments that nothing names yet; a manifest names them, with the ids of the log; what etcd kept beside
/// its log moves to quarantine. A crash before the manifest leaves an empty store, and it begins again; one after it leaves files to be moved.
/// </para>
/// <para>The backend stays locked as etcd locks it, also in quarantine, for as long as the member runs.</para>
/// </remarks>
internal sealed class EtcdImport : IDisposable
{
    private readonly NodeWorld _world;
    private readonly NodeOptions _options;
    private readonly ILogger _logger;
    private readonly List<IDisposable> _locks = [];
    private EtcdDirectory? _verified;

    private EtcdImport(NodeWorld world, NodeOptions options, ILogger logger)
    {
        _world = world;
        _options = options;
        _logger = logger;
    }

    /// <summary>Looks whether etcd used the directory, locks its files, and verifies them unless they were taken over before.</summary>
    /// <param name="options">What the node is told.</param>
    /// <param name="world">What it touches.</param>
    /// <param name="logger">Where to say so.</param>
    /// <returns>What is to be taken over; null for a directory in which etcd left no backend. Dispose it when the member has stopped.</returns>
    /// <exception cref="CorruptionException">The files cannot be taken over. Nothing was changed.</exception>
    /// <exception cref="IOException">Another process uses the directory.</exception>
    public static EtcdImport? Find(NodeOptions options, NodeWorld world, ILogger logger)
    {
        var backends = EtcdDirectory.FindBackends(world.Disk);
        if (backends.Count == 0)
        {
            return null;
        }

        var import = new EtcdImport(world, options, logger);
        try
        {
            foreach (var backend in backends)
            {
                import._locks.Add(world.Disk.TryLockAsBbolt(backend) ?? throw new IOException($"{backend}: another process, etcd perhaps, uses this data directory"));
            }

            if (!world.Disk.DirectoryExists(DataDirectory.Store))
            {
                import._verified = import.Verify();
            }

            return import;
        }
        catch
        {
            // Whatever went wrong, the files are free again.
            import.Dispose();
            throw;
        }
    }

    /// <summary>Takes over what was found, unless that was done before, and moves it to quarantine.</summary>
    /// <param name="manifests">The store's manifests; there is at least one.</param>
    /// <returns>Completes when the store has everything, durably.</returns>
    public async Task RunAsync(ManifestStore manifests)
    {
        var newest = manifests.Newest ?? throw Invariant.Unreachable("a store without a manifest");
        if (newest.Identity.MemberId == 0)
        {
            using var directory = _verified ?? Verify();
            _verified = null;
            if (directory.State.Applied.Index > 0)
            {
                await TakeOverAsync(manifests, newest, directory);
            }
        }

        await PutAsideAsync();
    }

    /// <summary>Frees the files.</summary>
    public void Dispose()
    {
        _verified?.Dispose();
        _locks.ForEach(static held => held.Dispose());
    }

    private EtcdDirectory Verify()
    {
        _logger.EtcdFilesFound(EtcdDirectory.Snap);
        return EtcdDirectory.Open(_world.Disk, _options.LearnersMax);
    }

    private async Task TakeOverAsync(ManifestStore manifests, ManifestContents newest, EtcdDirectory directory)
    {
        var began = _world.Time.GetTimestamp();
        using var log = RevisionLog.Open(_world.Disk, DataDirectory.Store, RevisionLogEnds.Empty, _world.RevisionLogOptions);
        var ends = await BackendRows.WriteAsync(directory.OpenRows(), log, CancellationToken.None);
        var state = directory.State;
        await manifests.WriteAsync(newest with
        {
            Identity = newest.Identity with { MemberId = directory.Log.Metadata.MemberId, ClusterId = directory.Log.Metadata.ClusterId },
            AppliedIndex = state.Applied.Index,
            AppliedTerm = state.Applied.Term,
            ConfState = new ConfState { Voters = state.Members.Voters, Learners = state.Members.Learners },
            CurrentRevision = state.Revision,
            Compaction = new CompactionFloor(Math.Max(state.CompactedRevision, 0), 0),
            Segments = ends,
            SmallState = state.ToSmallState(),
        });
        _logger.EtcdFilesTakenOver(directory.BackendPath, state.Applied.Index, state.Revision, state.Rows, state.RowBytes, _world.Time.GetElapsedTime(began));
    }

    /// <summary>Moves etcd's files, one by one: the directory may be a mount point.</summary>
    private async Task PutAsideAsync()
    {
        var disk = _world.Disk;
        var aside = $"{DataDirectory.Quarantine}/{Quarantine.FreeName(disk, "taken-over-from-etcd", _world.Time.GetUtcNow())}";
        disk.CreateDirectory(aside);
        await disk.SyncDirectoryAsync("");
        await disk.SyncDirectoryAsync(DataDirectory.Quarantine);
        foreach (var name in disk.List(EtcdDirectory.Snap))
        {
            disk.Rename($"{EtcdDirectory.Snap}/{name}", $"{aside}/{name}");
        }

        await disk.SyncDirectoryAsync(aside);
        await disk.SyncDirectoryAsync(EtcdDirectory.Snap);
        _logger.EtcdFilesPutAside(EtcdDirectory.Snap, aside);
    }
}
