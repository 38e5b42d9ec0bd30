using Cairn.Raft;
using Cairn.Server.Membership;
using Cairn.State;
using Cairn.State.Persistence;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Wal;

namespace Cairn.Server.Healing;

/// <summary>What a member that is alone does if its log is damaged: there is no other copy, so it goes on with what is sound, and says what is lost.</summary>
/// <remarks>
/// <para>What is damaged below the state is in the state, and nobody needs it: all above it becomes part of the state, the damaged log goes to quarantine, and nothing is lost.</para>
/// <para>
/// Damage above the state costs what stands behind it.
/// The entries up to the damage become part of the state, whose revision is raised above all that clients may have been told of, so that none is ever used twice, and
/// all below is compacted. The damaged log goes to quarantine, as it was found; the new one begins behind the state. The loss is noted with the state; from then on
/// nothing is written until the alarm CORRUPT stands, under which reads are served and writes are not, as in etcd. A person who disarms it accepts the loss.
/// </para>
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
    /// <param name="stateOptions">What the members agree on.</param>
    /// <param name="damage">What was found.</param>
    /// <returns>Completes when durable; the log is to be opened anew.</returns>
    /// <exception cref="CorruptionException">The state is damaged too.</exception>
    public static async Task RunAsync(NodeWorld world, ManifestStore manifests, MemberMemory memory, StateOptions stateOptions, CorruptionException damage)
    {
        var before = manifests.Newest!; // A start has written one.
        var sound = WriteAheadLog.ReadSound(world.Disk, DataDirectory.Wal, before.AppliedIndex);
        var state = sound.State;
        var (after, isWhole) = await ApplyAsync(world, before, sound, stateOptions);
        if (StoredState.MembersOf(after).Members.Length > 1)
        {
            // Who was added last may have what is lost.
            throw damage;
        }

        memory.Loss = isWhole ? memory.Loss : $"{damage.Message}: what was written behind index {after.AppliedIndex} is lost";
        after = after with { MemberState = memory.Encode() };

        // Twice: the one before the newest must not need what is lost.
        await manifests.WriteAsync(after);
        await manifests.WriteAsync(after);

        var newest = manifests.Newest!; // It was just written.
        var log = await WriteAheadLog.CreateAsync(
            world.Disk, DataDirectory.NewLog, new WalMetadata(newest.Identity.MemberId, newest.Identity.ClusterId), world.WalOptions);
        await using (log)
        {
            var term = Math.Max(state.Term, newest.AppliedTerm);
            var hard = new HardState(term, term == state.Term ? state.Vote : LocalTarget.None, newest.AppliedIndex);
            if (newest.AppliedIndex > 0)
            {
                await log.MarkSnapshotAsync(new WalSnapshotMark(newest.AppliedIndex, newest.AppliedTerm, newest.ConfState), hard);
            }
        }

        await SwapAsync(world);
        var logger = world.LoggerFactory.CreateLogger("cairn.server");
        if (isWhole)
        {
            logger.LogRestored(newest.Identity.MemberId, damage.Message, newest.AppliedIndex);
        }
        else
        {
            logger.LogSalvaged(newest.Identity.MemberId, memory.Loss);
        }
    }

    /// <summary>Makes the sound entries part of the state. All of them were committed: the member is alone.</summary>
    /// <returns>The state, and whether nothing is lost.</returns>
    private static async Task<(ManifestContents After, bool IsWhole)> ApplyAsync(NodeWorld world, ManifestContents before, SoundLog sound, StateOptions stateOptions)
    {
        try
        {
            var stored = StoredState.Open(world.Disk, DataDirectory.Store, before, world.RevisionLogOptions, stateOptions);
            using (stored.Log)
            {
                var replayed = await LogReplay.RunAsync(stored, sound.Entries, committed: ulong.MaxValue);
                var state = sound.IsWhole ? replayed : replayed.Raise();
                var after = state.Applied.Index == 0 ? before : before with
                {
                    AppliedIndex = state.Applied.Index,
                    AppliedTerm = state.Applied.Term,
                    ConfState = new ConfState { Voters = [.. state.Members.Voters.Order()], Learners = [.. state.Members.Learners.Order()] },
                    CurrentRevision = state.Revision,
                    Compaction = new CompactionFloor(state.CompactedRevision, Math.Max(before.Compaction.Finished, 0)),
                    Segments = state.Log,
                    SmallState = state.SmallState,
                };
                return (after, sound.IsWhole);
            }
        }
        catch (CorruptionException)
        {
            // The store is damaged too. What verifies of it is an earlier state, to which these entries do not fit (StoreSalvage).
            return (before, false);
        }
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
