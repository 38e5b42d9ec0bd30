using System.Globalization;
using Cairn.Protocol;
using Cairn.Raft;
using Cairn.Server;
using Cairn.Simulation.Disks;
using Cairn.State.Schema;
using Cairn.Storage;
using Cairn.Storage.Wal;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

/// <summary>The files of an etcd member: a log from its first entry on, and a backend as of some entry of it.</summary>
internal sealed class EtcdMember
{
    private EtcdMember(IReadOnlyDictionary<string, byte[]> files, string contents, ulong memberId, byte[] oldBackend)
    {
        Files = files;
        OldBackend = oldBackend;
        Contents = contents;
        MemberId = memberId;
    }

    /// <summary>All files, by their path in the data directory.</summary>
    public IReadOnlyDictionary<string, byte[]> Files { get; }

    /// <summary>The backend as it was some time before.</summary>
    public byte[] OldBackend { get; }

    /// <summary>What whoever opens the files must say that is in them.</summary>
    public string Contents { get; }

    /// <summary>The member.</summary>
    public ulong MemberId { get; }

    /// <summary>Makes one: puts, deletions, leases and a compaction, some of them only in the log.</summary>
    public static EtcdMember Make()
    {
        EtcdMember? made = null;
        SingleNodeWorld.Run(async world =>
        {
            var node = await world.StartAsync();
            await node.PutAsync("first", "1");
            var oldBackend = await BackendAsync(node);
            await FillAsync(node, "early");
            await node.CompactAsync(new CompactionRequest { Revision = node.Look().Revision - 10, Physical = true }, Anyone);
            var backend = await BackendAsync(node);
            await FillAsync(node, "late");
            var contents = await ReadAsync(node);
            var id = node.Look().MemberId;
            await node.DisposeAsync();
            var files = world.Disk.List("member/wal").Where(static name => name.EndsWith(".wal", StringComparison.Ordinal))
                .ToDictionary(static name => $"member/wal/{name}", name => ReadFile(world.Disk, $"member/wal/{name}"));
            files["member/snap/db"] = backend;
            made = new EtcdMember(files, contents, id, oldBackend);
        });
        return made!;
    }

    /// <summary>Says what a member has stored: hash, keys, leases.</summary>
    public static async Task<string> ReadAsync(Node node)
    {
        // A linearizable read first: the others show what was applied so far.
        var keys = (await node.RangeAsync(new RangeRequest { Key = Bytes("\0"), RangeEnd = Bytes("\0") }, Anyone)).Value!.ToMessage();
        var hash = (await node.HashKvAsync(new HashKVRequest(), Anyone)).Value!;
        var leases = (await node.LeaseLeasesAsync(new LeaseLeasesRequest(), Anyone)).Value!.Leases.Select(static lease => lease.ID).Order();
        return $"{hash.Hash} at {hash.Header.Revision}, compacted {hash.CompactRevision}; {keys.Count} keys; leases {string.Join(' ', leases)}";
    }

    /// <summary>Puts the files on a disk, durably.</summary>
    public Task InstallAsync(SimulatedDisk disk) => InstallAsync(disk, Files);

    /// <summary>Puts files on a disk, durably.</summary>
    public static async Task InstallAsync(SimulatedDisk disk, IReadOnlyDictionary<string, byte[]> files)
    {
        foreach (var (path, bytes) in files)
        {
            var directory = path[..path.LastIndexOf('/')];
            disk.CreateDirectory(directory);
            using var file = disk.Open(path, OpenIntent.Create);
            file.Write(0, bytes);
            await file.SyncAsync();
            await disk.SyncDirectoryAsync(directory);
        }

        await disk.SyncDirectoryAsync("member");
        await disk.SyncDirectoryAsync("");
    }

    /// <summary>Makes the files of the same member as they are after etcd wrote a snapshot at the backend's index, and purged the log before it.</summary>
    /// <param name="backend">Name of the backend file; {0} is the index of the snapshot.</param>
    /// <param name="changeMembers">Changes the tree of the v2 store in the snapshot.</param>
    /// <param name="more">Data of entries at the end of the log.</param>
    public async Task<Dictionary<string, byte[]>> PurgeAsync(string backend = "db", Func<byte[], byte[]>? changeMembers = null, params byte[][] more)
    {
        var disk = new SimulatedDisk(seed: 1);
        await InstallAsync(disk);
        EtcdState state;
        using (var directory = EtcdDirectory.Open(disk, learnersMax: 1))
        {
            state = directory.State;
        }

        var whole = WriteAheadLog.Inspect(disk, "member/wal", static _ => true);
        var (index, term) = state.Applied;
        var config = new ConfState { Voters = state.Members.Voters };
        var written = new SimulatedDisk(seed: 1);
        await using (var log = await WriteAheadLog.CreateAsync(written, "member/wal", whole.Metadata, new WalOptions { SegmentBytes = 64 * 1024 }))
        {
            Entry[] added = [.. more.Select((data, i) => new Entry(whole.State.Term, whole.LastIndex + 1 + (ulong)i, EntryType.Normal, data))];
            await log.MarkSnapshotAsync(new WalSnapshotMark(index, term, config));
            await log.AppendAsync(whole.Entries.Where(entry => entry.Index > index).Concat(added).ToArray(), whole.State, mustSync: true);
        }

        var members = V2Tree.Encode(state.Members);
        var files = written.List("member/wal").Where(static name => name.EndsWith(".wal", StringComparison.Ordinal))
            .ToDictionary(static name => $"member/wal/{name}", name => ReadFile(written, $"member/wal/{name}"));
        files["member/snap/" + string.Format(CultureInfo.InvariantCulture, backend, index.ToString("x16", CultureInfo.InvariantCulture))] = Files["member/snap/db"];
        files[$"member/snap/{SnapFile.NameOf(term, index)}"] = SnapFile.Encode(new Snapshot(changeMembers?.Invoke(members) ?? members, new SnapshotMetadata(config, index, term)));
        return files;
    }

    public static byte[] ReadFile(SimulatedDisk disk, string path)
    {
        using var file = disk.Open(path, OpenIntent.Read);
        var bytes = new byte[file.Length];
        Assert.Equal(bytes.Length, file.Read(0, bytes));
        return bytes;
    }

    private static async Task FillAsync(Node node, string prefix)
    {
        var lease = await node.GrantAsync(100_000);
        for (var i = 0; i < 30; i++)
        {
            await node.PutAsync($"{prefix}/{i % 10}", new string('v', 10 * i), i % 3 == 0 ? lease : 0);
        }

        await node.DeleteAsync($"{prefix}/4");
        await node.PutAsync("both", prefix);
    }

    private static async Task<byte[]> BackendAsync(Node node)
    {
        using var pieces = (await node.SnapshotAsync(new SnapshotRequest(), Anyone)).Value!;
        using var file = new MemoryStream();
        while (await pieces.NextAsync(CancellationToken.None) is { } piece)
        {
            file.Write(piece.Blob.Span);
        }

        return file.ToArray()[..^32];
    }
}
