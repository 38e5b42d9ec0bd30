using System.Security.Cryptography;
using Cairn.Bbolt;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.State.Members;
using Cairn.State.Schema;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;

namespace Cairn.Offline;

/// <summary>Makes the data directory of a member of a new cluster from a snapshot, etcd's or Cairn's.</summary>
/// <remarks>
/// As etcdutl: the log begins with an entry for each member, all committed in term 1; key space, leases, users and alarms are those of the snapshot. Everything is
/// written under another name, which becomes that of a member at the very end: half a restore is nothing that a server would start on.
/// </remarks>
/// <param name="plan">The new cluster.</param>
/// <param name="skippedRevisions">By how much the revision is raised, and all below marked compacted; 0 to leave both as they were.</param>
internal sealed class SnapshotRestore(RestorePlan plan, long skippedRevisions)
{
    private const string Finished = "member";
    private const string Unfinished = "member.restoring";
    private const string Store = $"{Unfinished}/store";
    private const string Log = $"{Finished}/wal";

    /// <summary>Restores.</summary>
    /// <param name="path">Of the snapshot, for messages.</param>
    /// <param name="image">The snapshot.</param>
    /// <param name="dataDirectory">Where to; must be empty, or not be there.</param>
    /// <param name="logDirectory">Where the log goes, the same holds for it; null for within the data directory.</param>
    /// <param name="cancelled">Ends it, and leaves a directory that no server takes.</param>
    /// <returns>What was restored.</returns>
    public async Task<EtcdState> RunAsync(string path, BboltFile image, string dataDirectory, string? logDirectory, CancellationToken cancelled)
    {
        if (OfflineCommand.IsInUse(dataDirectory))
        {
            throw new OfflineException($"data-dir \"{dataDirectory}\" not empty or could not be read");
        }

        if (OfflineCommand.IsInUse(logDirectory))
        {
            throw new OfflineException($"wal-dir \"{logDirectory}\" exists and is not empty");
        }

        var state = SchemaReader.Read(path, image);
        state = plan.Begin(state);
        state = skippedRevisions > 0 ? state.Skip(skippedRevisions) : state;
        using var disk = new RealDisk(dataDirectory, Log, logDirectory);
        disk.CreateDirectory(Unfinished);
        using (disk.TryLock($"{Unfinished}/lock") ?? throw new OfflineException($"another process restores to {dataDirectory}"))
        {
            var manifests = await ManifestStore.OpenAsync(disk, Store);
            RevisionLogEnds ends;
            using (var log = RevisionLog.Open(disk, Store, RevisionLogEnds.Empty, new RevisionLogOptions()))
            {
                ends = await BackendRows.WriteAsync(SchemaReader.OpenRows(path, image), log, new Progress("restoring", state.RowBytes, Console.Error), cancelled);
            }

            await manifests.WriteAsync(Describe(state, ends));
            await (disk.IsApart ? Task.CompletedTask : WriteLogAsync(disk, $"{Unfinished}/wal"));
            await disk.SyncDirectoryAsync(Unfinished);
            disk.Rename(Unfinished, Finished);
            await disk.SyncDirectoryAsync("");

            // A log of its own place comes last: without it no server starts on the rest, while on it alone one would begin with nothing.
            await (disk.IsApart ? WriteLogAsync(disk, Log) : Task.CompletedTask);
        }

        return state;
    }

    private async Task WriteLogAsync(RealDisk disk, string directory)
    {
        await using var log = await WriteAheadLog.CreateAsync(disk, directory, new WalMetadata(plan.MemberId, plan.ClusterId), new WalOptions());
        Entry[] entries = [.. plan.Members.Select(static (member, i) => new Entry(
            RestorePlan.Term,
            (ulong)i + 1,
            EntryType.ConfChange,
            ConfChangeWire.ToBytes(new ConfChange(0, ConfChangeType.AddNode, member.Id, MemberJson.Encode(member)))))];
        await log.AppendAsync(entries, new HardState(RestorePlan.Term, plan.Members[0].Id, (ulong)entries.Length), mustSync: true);
    }

    private ManifestContents Describe(EtcdState state, RevisionLogEnds ends) => new()
    {
        Identity = new ManifestIdentity
        {
            ClusterId = plan.ClusterId,
            MemberId = plan.MemberId,
            Incarnation = BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(sizeof(ulong))) | 1,
            Token = plan.Token,
        },
        AppliedIndex = state.Applied.Index,
        AppliedTerm = state.Applied.Term,
        ConfState = new ConfState { Voters = state.Members.Voters },
        CurrentRevision = state.Revision,
        Compaction = new CompactionFloor(Math.Max(state.CompactedRevision, 0), 0),
        Segments = ends,
        SmallState = state.ToSmallState(),
    };
}
