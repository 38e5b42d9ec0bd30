using System.Globalization;
using Cairn.Bbolt;
using Cairn.Raft;
using Cairn.Storage;
using Cairn.Storage.Wal;

namespace Cairn.State.Schema;

/// <summary>The files of an etcd member, 3.5 or 3.6, read and verified as a whole. Changes nothing. One user at a time.</summary>
/// <remarks>
/// <code>
///   member/wal/…                     the log: goes on as it is
///   member/snap/db                   the backend: the state at some index of the log
///   member/snap/TERM-INDEX.snap      the members at an index below that; counts if the log has a mark of it
///   member/snap/INDEX.snap.db        a backend that was received and not put in place before a crash
/// </code>
/// <para>
/// Whom the backend of 3.5 names as members may be stale (<see cref="MembershipReplay"/>); that of 3.6 is right. Source: etcd
/// server/etcdserver/bootstrap.go, server/storage/backend.go.
/// </para>
/// </remarks>
public sealed class EtcdDirectory : IDisposable
{
    private const string Wal = "member/wal";

    private readonly IDiskFile _handle;
    private readonly BboltFile _file;

    private EtcdDirectory(string backend, IDiskFile handle, BboltFile file, WalContents log, EtcdState state)
    {
        BackendPath = backend;
        _handle = handle;
        _file = file;
        Log = log;
        State = state;
    }

    /// <summary>Where etcd keeps everything but its log.</summary>
    public static string Snap => "member/snap";

    /// <summary>The backend that counts, relative to the data directory.</summary>
    public string BackendPath { get; }

    /// <summary>What the log says of itself.</summary>
    public WalContents Log { get; }

    /// <summary>The state at the index of the backend, its members those that the log says.</summary>
    public EtcdState State { get; }

    /// <summary>Finds the backend files of a directory.</summary>
    /// <param name="disk">The disk.</param>
    /// <returns>Their paths; empty if etcd never used the directory, or not any more.</returns>
    public static IReadOnlyList<string> FindBackends(IDisk disk)
    {
        ArgumentNullException.ThrowIfNull(disk);
        return !disk.DirectoryExists(Snap) ? []
            : [.. disk.List(Snap).Where(static name => name == "db" || name.EndsWith(".snap.db", StringComparison.Ordinal)).Select(static name => $"{Snap}/{name}")];
    }

    /// <summary>Opens a directory; reads everything once.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="learnersMax">Most learners at a time, as the members have it: by default 1.</param>
    /// <returns>The directory.</returns>
    /// <exception cref="CorruptionException">It cannot be taken over; says which file, where, why, and what to do.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public static EtcdDirectory Open(IDisk disk, int learnersMax)
    {
        ArgumentNullException.ThrowIfNull(disk);
        if (!WriteAheadLog.Exists(disk, Wal))
        {
            throw new CorruptionException(Wal, 0, "there is a backend, and no log beside it, so nobody knows what this member promised. If the log lies in a directory of its own, name it with --wal-dir; else start from a snapshot: 'cairn snapshot restore'");
        }

        var summary = WriteAheadLog.Inspect(disk, Wal);
        var snapshot = FindSnapshot(disk, summary);
        var backend = $"{Snap}/db";
        var received = string.Create(CultureInfo.InvariantCulture, $"{Snap}/{snapshot.Index:x16}.snap.db");
        var directory = disk.FileExists(backend) ? Read(disk, backend, snapshot, learnersMax) : null;
        if (directory is null && disk.FileExists(received))
        {
            directory = Read(disk, received, snapshot, learnersMax);
        }

        return directory ?? throw new CorruptionException(
            backend,
            0,
            $"the backend is missing or older than the snapshot at index {snapshot.Index}, and {received} is not there to replace it. Remove the member and add it anew, or restore a snapshot");
    }

    /// <summary>Opens a backend file, and verifies each page of it.</summary>
    /// <param name="path">Of the file, for messages.</param>
    /// <param name="handle">The file; stays open while the other is used.</param>
    /// <returns>The file.</returns>
    /// <exception cref="CorruptionException">It is damaged; says where.</exception>
    public static BboltFile OpenBackend(string path, IDiskFile handle)
    {
        ArgumentNullException.ThrowIfNull(handle);
        try
        {
            var file = BboltFile.Open(handle.Read, handle.Length);

            // One meta page may be torn: the other one is the transaction before.
            var damage = file.Check(findingsMax: file.MetaFindings.Count + 1).Except(file.MetaFindings);
            foreach (var finding in damage)
            {
                throw new CorruptionException(path, finding.Offset, finding.What);
            }

            return file;
        }
        catch (BboltCorruptionException damage)
        {
            throw new CorruptionException(path, damage.Offset, damage.Finding.What);
        }
    }

    /// <summary>Begins to walk over the rows of the key space.</summary>
    /// <returns>The rows, before the first.</returns>
    public EtcdRows OpenRows() => SchemaReader.OpenRows(BackendPath, _file);

    /// <summary>Lists the buckets of the backend as they are, but for the members, which are those that the log says.</summary>
    /// <returns>The buckets; their rows are read when they are asked for.</returns>
    public IReadOnlyList<BboltBucketContent> Buckets() =>
    [
        .. _file.Buckets().Select(bucket => bucket.Name.Span.SequenceEqual(SchemaNames.Members) ? SchemaImage.MembersBucket(State.Members) : BboltBucketContent.Of(bucket)),
    ];

    /// <inheritdoc/>
    public void Dispose() => _handle.Dispose();

    /// <summary>Reads a backend, and the log for what goes with it.</summary>
    /// <returns>Null if the backend is older than the snapshot.</returns>
    private static EtcdDirectory? Read(IDisk disk, string backend, Snapshot snapshot, int learnersMax)
    {
        var handle = disk.Open(backend, OpenIntent.Read);
        try
        {
            var file = OpenBackend(backend, handle);
            var state = SchemaReader.Read(backend, file);
            if (!state.NamesTerm)
            {
                throw new CorruptionException(
                    backend, 0, "the backend says at which index it is, and not of which term: etcd before 3.5 wrote it. Start etcd 3.5 on it once, stop it, and try again");
            }

            if (state.Applied.Index < snapshot.Index)
            {
                handle.Dispose();
                return null;
            }

            var (index, term) = state.Applied;
            var log = WriteAheadLog.Inspect(disk, Wal, entry =>
            {
                term = entry.Index == index ? entry.Term : term;
                return entry.Index > snapshot.Index && MembershipReplay.Concerns(entry);
            });
            Verify(backend, state, snapshot, log);
            return new EtcdDirectory(backend, handle, file, log, WithMembers(state.At(new AppliedPosition(index, term)), backend, snapshot, log, learnersMax));
        }
        catch
        {
            // The caller gets no directory to dispose.
            handle.Dispose();
            throw;
        }
    }

    private static void Verify(string backend, EtcdState state, Snapshot snapshot, WalContents log)
    {
        if (state.Applied.Index > log.LastIndex)
        {
            throw new CorruptionException(backend, 0, $"the backend is at index {state.Applied.Index}, but the log ends at {log.LastIndex}: it lost what this member promised");
        }

        if (log.FirstIndex > snapshot.Index + 1)
        {
            throw new CorruptionException(Wal, 0, $"the log begins at index {log.FirstIndex}, and there is no snapshot of what was before");
        }
    }

    private static EtcdState WithMembers(EtcdState state, string backend, Snapshot snapshot, WalContents log, int learnersMax)
    {
        var replay = new MembershipReplay(learnersMax);
        if (!snapshot.IsEmpty)
        {
            replay.Begin($"{Snap}/{SnapFile.NameOf(snapshot.Term, snapshot.Index)}", snapshot);
        }

        var later = new MembershipReplay(learnersMax);
        foreach (var entry in log.Entries)
        {
            // Those behind the backend are applied when the member runs; here they are only seen to be such as can be.
            (entry.Index <= state.Applied.Index ? replay : later).Take(Wal, entry);
        }

        state = state.Reconciled(replay.Members);
        return state.Applied.Index > 0 && state.Members.Voters.IsEmpty
            ? throw new CorruptionException(backend, 0, "neither the log nor the backend names a member with a vote")
            : state;
    }

    /// <summary>Finds the newest snapshot that counts: marked in the log, committed, and its file sound.</summary>
    private static Snapshot FindSnapshot(IDisk disk, WalContents log)
    {
        foreach (var mark in log.Marks.Where(mark => mark.Index > 0 && mark.Index <= log.State.Commit).OrderByDescending(static mark => mark.Index))
        {
            var path = $"{Snap}/{SnapFile.NameOf(mark.Term, mark.Index)}";
            try
            {
                if (disk.FileExists(path) && SnapFile.Read(disk, path) is var snapshot && (snapshot.Index, snapshot.Term) == (mark.Index, mark.Term))
                {
                    return snapshot;
                }
            }
            catch (CorruptionException)
            {
                // As etcd does: an older one will do, if the log reaches back to it.
            }
        }

        return Snapshot.Empty;
    }
}
