using Cairn.Bbolt;
using Cairn.Raft;
using Cairn.State.Members;
using Cairn.State.Persistence;
using Cairn.State.Schema;
using Cairn.Storage;
using Cairn.Storage.Wal;

namespace Cairn.Offline;

/// <summary>Writes the data directory of an etcd member: backend, snapshot of the members, log.</summary>
/// <remarks>
/// <para>
/// The state is that at the last entry known to be committed. The log begins there, with a mark; entries behind it, which this member may have acknowledged to a
/// leader, are in it, and so are its term and its vote: etcd goes on with the same promises. Under another name until all is durable.
/// </para>
/// <para>Source: etcd server/storage/wal, server/etcdserver/api/snap, server/storage/schema.</para>
/// </remarks>
/// <param name="store">What is exported.</param>
internal sealed class EtcdExport(LocalStore store)
{
    private const string Finished = "member";
    private const string Unfinished = "member.exporting";
    private const string Log = $"{Finished}/wal";

    // 3.5 starts from it, and so does 3.6, which raises the version by itself.
    private const string ClusterVersion = "3.5.0";
    private const int ChunkBytes = 1 << 20;

    /// <summary>Exports.</summary>
    /// <param name="dataDirectory">Where to; must be empty, or not be there.</param>
    /// <param name="logDirectory">Where the log goes, the same holds for it; null for within the data directory.</param>
    /// <param name="cancelled">Ends it, and leaves a directory that no server takes.</param>
    /// <returns>Bytes of the backend.</returns>
    public async Task<long> RunAsync(string dataDirectory, string? logDirectory, CancellationToken cancelled)
    {
        if (new[] { dataDirectory, logDirectory }.FirstOrDefault(OfflineCommand.IsInUse) is { } used)
        {
            throw new OfflineException($"{used} is not empty: name a directory that is, or one that is not there");
        }

        var capture = store.State.Capture();
        if (capture.Applied.Index == 0)
        {
            throw new OfflineException("the member has applied nothing yet, so there is nothing to export");
        }

        Entry[] tail = [.. store.Log.Entries.Where(entry => entry.Index > capture.Applied.Index)];
        if (tail.FirstOrDefault(MembershipReplay.IsUnknownToEtcd) is { Index: > 0 } own)
        {
            throw new OfflineException($"entry {own.Index} of the log is one that etcd does not know, and not known to be committed: start the member, let it catch up, stop it, and try again");
        }

        var members = capture.Members with { ClusterVersion = capture.Members.ClusterVersion is null ? null : ClusterVersion, Downgrade = null };
        using var disk = new RealDisk(dataDirectory, Log, logDirectory);
        disk.CreateDirectory($"{Unfinished}/snap");
        var bytes = await WriteBackendAsync(disk, capture, members, cancelled);
        var config = new ConfState { Voters = members.Voters, Learners = members.Learners };
        await WriteSnapshotAsync(disk, capture, members, config);

        // A log of its own place is there before the rest: etcd starts neither on that alone, nor on what is not finished beside it.
        await WriteLogAsync(disk, disk.IsApart ? Log : $"{Unfinished}/wal", capture, tail, config);
        await disk.SyncDirectoryAsync($"{Unfinished}/snap");
        await disk.SyncDirectoryAsync(Unfinished);
        disk.Rename(Unfinished, Finished);
        await disk.SyncDirectoryAsync("");
        return bytes;
    }

    private async Task<long> WriteBackendAsync(RealDisk disk, StateCapture capture, MemberTable members, CancellationToken cancelled)
    {
        var image = BboltImage.Plan(SchemaImage.Buckets(capture, store.State.View, members));
        var progress = new Progress("exporting", image.Length, Console.Error);
        using var file = disk.Open($"{Unfinished}/snap/db", OpenIntent.Create);
        long at = 0;
        foreach (var chunk in image.Emit(ChunkBytes))
        {
            cancelled.ThrowIfCancellationRequested();
            await file.WriteAsync(at, chunk);
            at += chunk.Length;
            progress.Report(chunk.Length);
        }

        await file.SyncAsync();
        return at;
    }

    private static async Task WriteSnapshotAsync(RealDisk disk, StateCapture capture, MemberTable members, ConfState config)
    {
        var (index, term) = capture.Applied;
        var snapshot = new Snapshot(V2Tree.Encode(members), new SnapshotMetadata(config, index, term));
        using var file = disk.Open($"{Unfinished}/snap/{SnapFile.NameOf(term, index)}", OpenIntent.Create);
        await file.WriteAsync(0, SnapFile.Encode(snapshot));
        await file.SyncAsync();
    }

    private async Task WriteLogAsync(RealDisk disk, string directory, StateCapture capture, Entry[] tail, ConfState config)
    {
        var (index, term) = capture.Applied;
        await using var log = await WriteAheadLog.CreateAsync(disk, directory, store.Log.Metadata, new WalOptions());
        await log.MarkSnapshotAsync(new WalSnapshotMark(index, term, config));
        var state = store.Log.State;
        await log.AppendAsync(tail, state with { Term = Math.Max(state.Term, term), Commit = Math.Max(state.Commit, index) }, mustSync: true);
    }
}
