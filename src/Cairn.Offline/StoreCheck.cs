using Cairn.State.Mvcc;
using Cairn.State.Persistence;
using Cairn.State.Schema;
using Cairn.Storage;
using Cairn.Storage.Checkpoints;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;

namespace Cairn.Offline;

/// <summary>Verifies the files of a member that does not run: every record, every reference between them, every invariant of the state. Changes nothing.</summary>
/// <param name="report">Where to say what was found.</param>
/// <param name="replays">Whether the log is applied from its first entry on, and what comes of it compared with the store, row by row.</param>
internal sealed class StoreCheck(CheckReport report, bool replays)
{
    // Rows between two looks at whether somebody has had enough.
    private const int RowsPerStep = 100_000;

    /// <summary>Checks.</summary>
    /// <param name="dataDirectory">The data directory, Cairn's or etcd's.</param>
    /// <param name="logDirectory">Directory of the log; null for within the data directory.</param>
    /// <param name="cancelled">Ends it.</param>
    public async Task RunAsync(string dataDirectory, string? logDirectory, CancellationToken cancelled)
    {
        using var real = LocalStore.OpenDisk(dataDirectory, logDirectory);
        var disk = new ReadOnlyDisk(real);
        if (!real.DirectoryExists(LocalStore.Store) && EtcdDirectory.FindBackends(real).Count > 0)
        {
            await CheckEtcdAsync(real, dataDirectory, cancelled);
            return;
        }

        using var held = real.DirectoryExists(LocalStore.Store) ? LocalStore.Hold(real, dataDirectory) : throw new OfflineException($"{dataDirectory} holds neither a Cairn member nor an etcd member");
        var manifests = await report.TryAsync(() => ManifestStore.OpenAsync(disk, LocalStore.Store).AsTask());
        foreach (var damage in manifests?.Damage ?? [])
        {
            report.Wrong(damage.Message);
        }

        var log = await report.TryAsync(() => Task.FromResult(WriteAheadLog.Inspect(disk, LocalStore.Wal, entry => replays || entry.Index > manifests?.Newest?.AppliedIndex)));
        if (log is not null)
        {
            report.Sound($"log: entries {log.FirstIndex} to {log.LastIndex}, term {log.State.Term}, committed {log.State.Commit}, every record sound");
        }

        foreach (var manifest in new[] { manifests?.Newest, manifests?.Previous }.OfType<ManifestContents>())
        {
            await CheckStateAsync(disk, manifest, log, cancelled);

            // The index of the one before is garbage now, and as large as the next.
            GC.Collect();
        }

        if (replays && log is not null && manifests?.Newest is { AppliedIndex: > 0 } newest)
        {
            await ReplayAsync(disk, newest, log);
        }
    }

    private async Task CheckStateAsync(ReadOnlyDisk disk, ManifestContents manifest, WalContents? log, CancellationToken cancelled)
    {
        report.Sound($"manifest {manifest.Number}: member {manifest.Identity.MemberId:x} of cluster {manifest.Identity.ClusterId:x}, index {manifest.AppliedIndex}, revision {manifest.CurrentRevision}");
        if (log is not null && manifest.Identity.MemberId != 0)
        {
            Fit(manifest, log);
        }

        if (manifest.Checkpoint is { } checkpoint)
        {
            await report.TryAsync(() => ReadCheckpoint(disk, checkpoint));
        }

        var stored = await report.TryAsync(() => Task.FromResult(Open(disk, manifest)));
        using var opened = stored?.Log;
        if (stored is not null && await report.TryAsync(stored.State.AssertInvariants))
        {
            await report.TryAsync(() => Audit(manifest, stored, cancelled));
        }
    }

    /// <summary>A start that finds it damaged reads the rows instead, and says nothing; so it is read here as well.</summary>
    private static void ReadCheckpoint(ReadOnlyDisk disk, CheckpointFile checkpoint)
    {
        using var reader = CheckpointReader.Open(disk, LocalStore.Store, checkpoint);
        while (reader.TryReadNext(out _))
        {
            // Each chunk is verified as it is read.
        }
    }

    private void Audit(ManifestContents manifest, StoredState stored, CancellationToken cancelled)
    {
        var view = stored.State.View;
        var audit = new IndexAudit(view);
        while (audit.Step(RowsPerStep))
        {
            cancelled.ThrowIfCancellationRequested();
        }

        foreach (var finding in audit.Findings)
        {
            report.Wrong($"{LocalStore.Store}: {finding}");
        }

        // What a sweep has not come to is counted as needed by the member that runs; a start drops it at once.
        var counted = manifest.Segments.Segments.Sum(static segment => segment.LiveBytes);
        var needed = stored.Log.Capture().Segments.Sum(static segment => segment.LiveBytes);
        if (manifest.Compaction.Finished == manifest.Compaction.Scheduled && counted != needed)
        {
            report.Wrong($"{LocalStore.Store}: manifest {manifest.Number} counted {counted} bytes that the index needs, it needs {needed}");
        }

        if (report.Findings == 0)
        {
            var hash = HashKvCommand.Hash(stored.State, 0, cancelled);
            report.Sound($"segments: {manifest.Segments.Segments.Length} with {audit.Rows} records of {audit.Bytes} bytes, every one sound; index and rows agree");
            report.Sound($"state: {view.LiveKeys} keys, {view.Leases.Count} leases, {view.Members.Members.Length} members, hash {hash.Hash} at revision {hash.Revision}");
        }
    }

    private void Fit(ManifestContents manifest, WalContents log)
    {
        if (log.Metadata != new WalMetadata(manifest.Identity.MemberId, manifest.Identity.ClusterId))
        {
            report.Wrong($"{LocalStore.Wal}: the log is of {log.Metadata}, the state is not");
        }

        if (manifest.AppliedIndex > log.LastIndex || manifest.AppliedIndex + 1 < log.FirstIndex)
        {
            report.Wrong($"{LocalStore.Wal}: the log holds entries {log.FirstIndex} to {log.LastIndex}, the state is of {manifest.AppliedIndex}");
        }
    }

    private static StoredState Open(ReadOnlyDisk disk, ManifestContents manifest) =>
        StoredState.Open(disk, LocalStore.Store, manifest, new RevisionLogOptions(), LocalStore.Options);

    private async Task CheckEtcdAsync(RealDisk disk, string dataDirectory, CancellationToken cancelled)
    {
        var locks = EtcdDirectory.FindBackends(disk).Select(path => disk.TryLockAsBbolt(path) ?? throw new OfflineException($"a server uses {dataDirectory}: stop it first")).ToList();
        using var directory = await report.TryAsync(() => Task.FromResult(EtcdDirectory.Open(disk, LocalStore.Options.LearnersMax)));
        if (directory is not null)
        {
            var state = directory.State;
            report.Sound($"log: entries {directory.Log.FirstIndex} to {directory.Log.LastIndex}, committed {directory.Log.State.Commit}, every record sound");
            report.Sound($"backend {directory.BackendPath}: index {state.Applied.Index}, revision {state.Revision}, compacted {state.CompactedRevision}, {state.Rows} rows of {state.RowBytes} bytes, every page sound");
            report.Sound($"a directory of etcd that can be taken over: member {directory.Log.Metadata.MemberId:x} of cluster {directory.Log.Metadata.ClusterId:x}, {state.Members.Members.Length} members");
            if (replays)
            {
                await ReplayEtcdAsync(disk, directory, cancelled);
            }
        }

        locks.ForEach(static held => held.Dispose());
    }

    private async Task ReplayAsync(ReadOnlyDisk disk, ManifestContents manifest, WalContents log)
    {
        await report.TryAsync(() =>
        {
            var stored = Open(disk, manifest);
            using (stored.Log)
            {
                if (LogReplay.TryRun(log, manifest.AppliedIndex, report) is { } replayed)
                {
                    using (replayed)
                    {
                        RowComparison.Run(SchemaImage.Buckets(replayed.State.Capture(), replayed.State.View), SchemaImage.Buckets(stored.State.Capture(), stored.State.View), report);
                    }
                }
            }
        });
    }

    private async Task ReplayEtcdAsync(RealDisk disk, EtcdDirectory directory, CancellationToken cancelled)
    {
        var log = WriteAheadLog.Inspect(disk, LocalStore.Wal, static _ => true);
        cancelled.ThrowIfCancellationRequested();
        await report.TryAsync(() =>
        {
            if (LogReplay.TryRun(log, directory.State.Applied.Index, report) is { } replayed)
            {
                using (replayed)
                {
                    RowComparison.Run(SchemaImage.Buckets(replayed.State.Capture(), replayed.State.View), directory.Buckets(), report);
                }
            }
        });
    }
}
