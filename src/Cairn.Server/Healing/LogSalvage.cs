using Cairn.Raft;
using Cairn.Server.Membership;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Wal;

namespace Cairn.Server.Healing;

/// <summary>What a member that is alone does if its log is damaged above its state: there is no other copy, so it goes on with what is sound, and says what is lost.</summary>
/// <remarks>
/// The damaged log goes to quarantine, as it was found. The new one begins at the state and has the entries up to the damage. That clients may have been told of
/// more is noted before; from then on nothing is written until the alarm CORRUPT stands, under which reads are served and writes are not, as in etcd. A person
/// who disarms it accepts the loss.
/// </remarks>
internal static class LogSalvage
{
    /// <summary>Whether there is a log whose place another one can take: not if it is gone, and not if it lies in a directory of its own, which may be a mount point.</summary>
    /// <param name="disk">The disk.</param>
    /// <returns>True if so.</returns>
    public static bool IsPossible(IDisk disk) =>
        WriteAheadLog.Exists(disk, DataDirectory.Wal) && disk.List(DataDirectory.Member).Contains(DataDirectory.Wal[(DataDirectory.Member.Length + 1)..]);

    /// <summary>Ends what a crash interrupted. To be called before the log is looked for.</summary>
    /// <param name="disk">The disk.</param>
    /// <returns>Completes when there is a log if there was one.</returns>
    public static async Task FinishAsync(IDisk disk)
    {
        if (!disk.DirectoryExists(DataDirectory.NewLog))
        {
            return;
        }

        if (!disk.DirectoryExists(DataDirectory.Wal))
        {
            disk.Rename(DataDirectory.NewLog, DataDirectory.Wal);
            await disk.SyncDirectoryAsync(DataDirectory.Member);
            return;
        }

        // It was not complete: the damaged one is still in its place.
        foreach (var name in disk.List(DataDirectory.NewLog))
        {
            disk.Delete($"{DataDirectory.NewLog}/{name}");
        }
    }

    /// <summary>Puts the sound part in the place of the damaged log.</summary>
    /// <param name="world">What the member touches.</param>
    /// <param name="manifests">The manifests; the newest is the state.</param>
    /// <param name="memory">What the member remembers.</param>
    /// <param name="damage">What was found.</param>
    /// <returns>Completes when durable; the log is to be opened anew.</returns>
    public static async Task RunAsync(NodeWorld world, ManifestStore manifests, MemberMemory memory, CorruptionException damage)
    {
        var newest = manifests.Newest!; // A start has written one.
        var applied = newest.AppliedIndex;
        var (_, entries, state) = WriteAheadLog.ReadSound(world.Disk, DataDirectory.Wal, applied);
        var last = applied + (ulong)entries.Count;
        memory.LogLoss = $"{damage.Message}: what was written behind index {last} is lost";
        await manifests.WriteAsync(newest with { MemberState = memory.Encode() });

        var metadata = new WalMetadata(newest.Identity.MemberId, newest.Identity.ClusterId);
        var log = await WriteAheadLog.CreateAsync(world.Disk, DataDirectory.NewLog, metadata, world.WalOptions);
        await using (log)
        {
            var term = Math.Max(Math.Max(state.Term, newest.AppliedTerm), entries is [.., var end] ? end.Term : 0);
            var hard = new HardState(term, term == state.Term ? state.Vote : LocalTarget.None, Math.Max(Math.Min(state.Commit, last), applied));
            if (applied > 0)
            {
                await log.MarkSnapshotAsync(new WalSnapshotMark(applied, newest.AppliedTerm, newest.ConfState), hard);
            }

            if (entries.Count > 0)
            {
                await log.AppendAsync(entries.ToArray(), hard, mustSync: true);
            }
        }

        await SwapAsync(world);
        world.LoggerFactory.CreateLogger("cairn.server").LogSalvaged(newest.Identity.MemberId, memory.LogLoss);
    }

    private static async Task SwapAsync(NodeWorld world)
    {
        var disk = world.Disk;
        disk.CreateDirectory(DataDirectory.Quarantine);
        await disk.SyncDirectoryAsync("");
        if (disk.DirectoryExists(DataDirectory.Wal))
        {
            disk.Rename(DataDirectory.Wal, $"{DataDirectory.Quarantine}/{Quarantine.FreeName(disk, "log", world.Time.GetUtcNow())}");
            await disk.SyncDirectoryAsync(DataDirectory.Quarantine);
        }

        disk.Rename(DataDirectory.NewLog, DataDirectory.Wal);
        await disk.SyncDirectoryAsync(DataDirectory.Member);
    }
}
