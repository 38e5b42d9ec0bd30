using Cairn.Raft;
using Cairn.Server.Loops;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Wal;

namespace Cairn.Server;

/// <summary>Opens the log of a member, and checks that it and the state go together.</summary>
/// <remarks>Entries that are in the state already are kept too, as many as are there within bounds: members that are a little behind need them after a restart.</remarks>
internal static class LogStart
{
    /// <summary>Opens the log, or makes it for a member that has just got its ids.</summary>
    /// <param name="world">What the node touches.</param>
    /// <param name="newest">The newest state.</param>
    /// <param name="identity">The ids that the log must bear.</param>
    /// <param name="entriesBefore">Entries wanted that are in the state already.</param>
    /// <returns>The log, and what it holds; null if it was just made.</returns>
    /// <exception cref="CorruptionException">It is gone, of somebody else, or does not reach the state.</exception>
    public static async Task<(WriteAheadLog Wal, WalContents? Contents)> OpenAsync(
        NodeWorld world, ManifestContents newest, ManifestIdentity identity, ulong entriesBefore)
    {
        if (!WriteAheadLog.Exists(world.Disk, DataDirectory.Wal))
        {
            if (newest.Identity.MemberId != 0)
            {
                throw new CorruptionException(DataDirectory.Wal, 0, "the log is gone, and with it what this member promised. If it lies in a directory of its own, name it with --wal-dir");
            }

            var metadata = new WalMetadata(identity.MemberId, identity.ClusterId);
            return (await WriteAheadLog.CreateAsync(world.Disk, DataDirectory.Wal, metadata, world.WalOptions), null);
        }

        var (wal, contents) = await ReadAsync(world, newest.AppliedIndex, entriesBefore);
        try
        {
            if (contents.Metadata != new WalMetadata(identity.MemberId, identity.ClusterId))
            {
                throw new CorruptionException(DataDirectory.Wal, 0, $"the log is of {contents.Metadata}, the state is not");
            }

            if (IsMarkMissing(newest, contents))
            {
                await MarkAsync(wal, newest, contents.State);
                await wal.DisposeAsync();
                (wal, contents) = await ReadAsync(world, newest.AppliedIndex, entriesBefore);
            }

            CheckReach(wal, contents, newest.AppliedIndex);
            return (wal, contents);
        }
        catch
        {
            // The caller gets no log to dispose.
            wal.Dispose();
            throw;
        }
    }

    /// <summary>Makes the log as the core reads it.</summary>
    /// <param name="newest">The newest state.</param>
    /// <param name="contents">What the log on disk holds; null if it was just made.</param>
    /// <returns>The log in memory: some entries that are in the state, and all behind it.</returns>
    public static MemoryLog Fill(ManifestContents newest, WalContents? contents)
    {
        var log = new MemoryLog();
        var applied = newest.AppliedIndex;
        if (applied == 0)
        {
            log.Append([.. contents?.Entries ?? []]);
            log.SetHardState(contents?.State ?? default);
            return log;
        }

        Entry[] entries = [.. contents?.Entries ?? []];
        var kept = entries.AsSpan(FindKept(entries, applied));
        var hasKept = !kept.IsEmpty && kept[0].Index <= applied;
        var (index, term) = hasKept ? (kept[0].Index, kept[0].Term) : (applied, newest.AppliedTerm);
        Invariant.Holds(log.TryApplySnapshot(new Snapshot(default, new SnapshotMetadata(newest.ConfState, index, term))));
        log.Append(hasKept ? kept[1..] : kept);
        Invariant.Holds(index == applied || log.TryCreateSnapshot(applied, newest.ConfState, default)?.Term == newest.AppliedTerm);

        // The commit index on disk may lag: it is synced with the entries behind it, not by itself. What was applied was committed.
        var state = contents?.State ?? default;
        log.SetHardState(state with { Commit = Math.Max(state.Commit, applied) });
        return log;
    }

    /// <summary>Reads the log. Damage in what is only wanted, and not needed, is none.</summary>
    private static async Task<(WriteAheadLog Wal, WalContents Contents)> ReadAsync(NodeWorld world, ulong applied, ulong entriesBefore)
    {
        try
        {
            return await WriteAheadLog.OpenAsync(world.Disk, DataDirectory.Wal, applied, world.WalOptions, entriesBefore, LoopLimits.CatchUpBytesMax);
        }
        catch (CorruptionException) when (entriesBefore > 0)
        {
            return await WriteAheadLog.OpenAsync(world.Disk, DataDirectory.Wal, applied, world.WalOptions);
        }
    }

    /// <summary>Finds the first entry to keep: bounded in bytes, those behind the state not counted.</summary>
    private static int FindKept(Entry[] entries, ulong applied)
    {
        var first = entries.Length;
        for (long bytes = 0; first > 0 && bytes <= LoopLimits.CatchUpBytesMax; first--)
        {
            bytes += entries[first - 1].Index <= applied ? entries[first - 1].Data.Length : 0;
        }

        return first;
    }

    /// <summary>Whether the process ended between installing a state and telling the log of it.</summary>
    private static bool IsMarkMissing(ManifestContents newest, WalContents contents) =>
        newest.IsInstalled && !contents.Marks.Any(mark => mark.Index == newest.AppliedIndex && mark.Term == newest.AppliedTerm);

    private static async Task MarkAsync(WriteAheadLog wal, ManifestContents newest, HardState state)
    {
        var term = Math.Max(state.Term, newest.AppliedTerm);
        var vote = term == state.Term ? state.Vote : LocalTarget.None;
        var mark = new WalSnapshotMark(newest.AppliedIndex, newest.AppliedTerm, newest.ConfState);
        await wal.MarkSnapshotAsync(mark, new HardState(term, vote, Math.Max(state.Commit, mark.Index)));
    }

    private static void CheckReach(WriteAheadLog wal, WalContents contents, ulong applied)
    {
        if (wal.LastIndex < applied)
        {
            throw new CorruptionException(DataDirectory.Wal, 0, $"the log ends at {wal.LastIndex}, the state is of {applied}");
        }

        if ((contents.Entries is [var first, ..] ? first.Index : wal.LastIndex + 1) > applied + 1)
        {
            throw new CorruptionException(DataDirectory.Wal, 0, $"the log begins behind a snapshot that is newer than the state, which is of {applied}");
        }
    }
}
