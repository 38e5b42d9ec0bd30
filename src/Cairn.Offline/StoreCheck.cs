using Cairn.State.Mvcc;
using Cairn.State.Persistence;
using Cairn.State.Schema;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;

namespace Cairn.Offline;

/// <summary>Verifies the files of a member that does not run: every record, every reference between them, every invariant of the state. Changes nothing.</summary>
/// <param name="report">Where to say what was found.</param>
/// <param name="replays">Whether the log is applied from its first entry on, and what comes of it compared with the store, row by row.</param>
internal sealed class StoreCheck(CheckReport report, bool replays)
{
    /// <summary>Checks.</summary>
    /// <param name="dataDirectory">The data directory, Cairn's or etcd's.</param>
    /// <param name="cancelled">Ends it.</param>
    public async Task RunAsync(string dataDirectory, CancellationToken cancelled)
    {
        using var real = LocalStore.OpenDisk(dataDirectory);
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

        var indexed = await report.TryAsync(() => Task.FromResult(Open(disk, manifest, usesCheckpoint: true)));
        var rebuilt = await report.TryAsync(() => Task.FromResult(Open(disk, manifest, usesCheckpoint: false)));
        using var first = indexed?.Log;
        using var second = rebuilt?.Log;
        if (indexed is null || rebuilt is null)
        {
            return;
        }

        long rows = 0, bytes = 0;
        var isReadable = await report.TryAsync(() =>
        {
            for (var row = indexed.Log.View.ReadFrom(new Revision(0, 0), long.MaxValue); row.MoveNext(); rows++)
            {
                cancelled.ThrowIfCancellationRequested();
                bytes += row.Payload.Length;
            }
        });
        if (isReadable && await report.TryAsync(indexed.State.AssertInvariants) && await report.TryAsync(rebuilt.State.AssertInvariants))
        {
            report.Sound($"segments: {manifest.Segments.Segments.Length} with {rows} records of {bytes} bytes, every one sound; every row that the index names is there");
            await CompareAsync(indexed, rebuilt, cancelled);
        }
    }

    private async Task CompareAsync(StoredState indexed, StoredState rebuilt, CancellationToken cancelled) => await report.TryAsync(() =>
    {
        KeySpaceHash[] hashes = [HashKvCommand.Hash(indexed.State, 0, cancelled), HashKvCommand.Hash(rebuilt.State, 0, cancelled)];
        if (hashes[0] != hashes[1] || indexed.State.View.LiveKeys != rebuilt.State.View.LiveKeys)
        {
            report.Wrong($"the index checkpoint of revision {indexed.CheckpointRevision} says other things than the rows: {indexed.State.View.LiveKeys} and {rebuilt.State.View.LiveKeys} keys");
            return;
        }

        report.Sound($"state: {indexed.State.View.LiveKeys} keys, {indexed.State.View.Leases.Count} leases, {indexed.State.View.Members.Members.Length} members, hash {hashes[0].Hash} at revision {hashes[0].Revision}; index and rows agree");
    });

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

    private static StoredState Open(ReadOnlyDisk disk, ManifestContents manifest, bool usesCheckpoint) =>
        StoredState.Open(disk, LocalStore.Store, manifest, new RevisionLogOptions(), LocalStore.Options, usesCheckpoint);

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
            var stored = Open(disk, manifest, usesCheckpoint: false);
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
