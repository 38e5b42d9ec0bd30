using Cairn.Raft;
using Cairn.State;
using Cairn.State.Persistence;
using Cairn.Storage;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Storage.Wal;

namespace Cairn.Offline;

/// <summary>The files of a member that does not run, opened to be looked at: its manifest, its log, and its state up to the last entry that is known to be committed.</summary>
/// <remarks>Changes nothing; keeps a server off while it is open. One user at a time.</remarks>
internal sealed class LocalStore : IDisposable
{
    public const string Wal = "member/wal";
    public const string Store = "member/store";
    private const string Lock = "member/lock";

    private readonly RealDisk _real;
    private readonly IDisposable _held;
    private readonly RevisionLog _rows;

    private LocalStore(RealDisk real, IDisposable held, ManifestContents manifest, WalContents log, StoredState stored)
    {
        _real = real;
        _held = held;
        _rows = stored.Log;
        Manifest = manifest;
        Log = log;
        State = stored.State;
    }

    /// <summary>The newest manifest.</summary>
    public ManifestContents Manifest { get; }

    /// <summary>The log; its entries are those not known to be committed.</summary>
    public WalContents Log { get; }

    /// <summary>The state.</summary>
    public StateMachine State { get; }

    /// <summary>What the members agree on, where nothing else is known: what follows from the defaults of their flags.</summary>
    public static StateOptions Options { get; } = new() { LeaseTtlMinimum = 2, LearnersMax = 1 };

    /// <summary>Opens.</summary>
    /// <param name="dataDirectory">The data directory.</param>
    /// <param name="logDirectory">Directory of the log; null for within the data directory.</param>
    /// <returns>The store.</returns>
    /// <exception cref="OfflineException">There is none, or it was never used.</exception>
    /// <exception cref="CorruptionException">Something is damaged.</exception>
    /// <exception cref="IOException">A server uses it, or it cannot be read.</exception>
    public static async Task<LocalStore> OpenAsync(string dataDirectory, string? logDirectory)
    {
        var real = OpenDisk(dataDirectory, logDirectory);
        IDisposable? held = null;
        try
        {
            if (!real.DirectoryExists(Store))
            {
                throw new OfflineException($"{dataDirectory} has no {Store}: no Cairn member ever ran on it");
            }

            held = Hold(real, dataDirectory);
            var disk = new ReadOnlyDisk(real);
            var manifest = (await ManifestStore.OpenAsync(disk, Store)).Newest;
            if (manifest is null || manifest.Identity.MemberId == 0)
            {
                throw new OfflineException($"{dataDirectory} belongs to a member that never served");
            }

            var log = WriteAheadLog.Inspect(disk, Wal, entry => entry.Index > manifest.AppliedIndex);
            Verify(manifest, log);
            var stored = StoredState.Open(disk, Store, manifest, new RevisionLogOptions(), Options);
            var commit = IsAlone(manifest, log) ? log.LastIndex : log.State.Commit;
            Apply(stored.State, log.Entries.Where(entry => entry.Index <= commit));
            log = log with { Entries = [.. log.Entries.Where(entry => entry.Index > commit)] };
            return new LocalStore(real, held, manifest, log, stored);
        }
        catch
        {
            // The caller gets no store to dispose.
            held?.Dispose();
            real.Dispose();
            throw;
        }
    }

    /// <summary>Opens a data directory that must exist.</summary>
    /// <param name="dataDirectory">Its path.</param>
    /// <param name="logDirectory">Directory of the log; null for within the data directory.</param>
    /// <returns>The disk.</returns>
    public static RealDisk OpenDisk(string dataDirectory, string? logDirectory) =>
        Directory.Exists(dataDirectory) ? new RealDisk(dataDirectory, Wal, logDirectory) : throw new OfflineException($"there is no directory {dataDirectory}");

    /// <summary>Keeps servers off a directory.</summary>
    /// <param name="disk">Its disk.</param>
    /// <param name="dataDirectory">Its path, for messages.</param>
    /// <returns>The lock.</returns>
    public static IDisposable Hold(IDisk disk, string dataDirectory) =>
        disk.TryLock(Lock) ?? throw new OfflineException($"a server uses {dataDirectory}: stop it first, or ask it by etcdctl");

    /// <summary>Applies entries, and shows what they made.</summary>
    /// <param name="state">The state.</param>
    /// <param name="entries">The entries that come next.</param>
    public static void Apply(StateMachine state, IEnumerable<Entry> entries)
    {
        foreach (var entry in entries)
        {
            var kind = entry.Type == EntryType.ConfChange ? EntryKind.ConfChange : EntryKind.Normal;
            state.Apply(new CommittedEntry(entry.Term, entry.Index, kind, entry.Data));
        }

        state.Publish();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _rows.Dispose();
        _held.Dispose();
        _real.Dispose();
    }

    /// <summary>Whether all that this member has is committed: nobody else ever votes, so it only has to start to find that out.</summary>
    private static bool IsAlone(ManifestContents manifest, WalContents log) =>
        manifest.ConfState.Voters is [var voter] && voter == manifest.Identity.MemberId && log.Entries.All(static entry => entry.Type == EntryType.Normal);

    private static void Verify(ManifestContents manifest, WalContents log)
    {
        if (log.Metadata != new WalMetadata(manifest.Identity.MemberId, manifest.Identity.ClusterId))
        {
            throw new CorruptionException(Wal, 0, $"the log is of {log.Metadata}, the state is not");
        }

        if (log.LastIndex < manifest.AppliedIndex || log.FirstIndex > manifest.AppliedIndex + 1)
        {
            throw new CorruptionException(Wal, 0, $"the log holds entries {log.FirstIndex} to {log.LastIndex}, the state is of {manifest.AppliedIndex}");
        }
    }
}
