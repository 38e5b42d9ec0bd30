using System.Text;
using System.Text.Json.Nodes;
using Cairn.Bbolt;
using Cairn.Simulation.Disks;
using Cairn.Storage;
using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Server.Nodes;

/// <summary>What etcd can leave in a directory beside a log and its backend: what is taken over all the same, and what is refused, with the directory left as it was.</summary>
public sealed class EtcdLayoutTests
{
    private static readonly Lazy<EtcdMember> Etcd = new(EtcdMember.Make);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_backend_that_was_received_and_not_put_in_place_counts(bool isOldOneThere)
    {
        SingleNodeWorld.Run(async world =>
        {
            var files = await Etcd.Value.PurgeAsync("{0}.snap.db");
            if (isOldOneThere)
            {
                files["member/snap/db"] = Etcd.Value.OldBackend;
            }

            await EtcdMember.InstallAsync(world.Disk, files);

            var node = await world.StartAsync();

            Assert.Equal(Etcd.Value.Contents, await EtcdMember.ReadAsync(node));
            await node.DisposeAsync();
            Assert.Empty(world.Disk.List("member/snap"));
            var aside = world.Disk.List($"quarantine/{Assert.Single(world.Disk.List("quarantine"))}");
            Assert.Equal(files.Keys.Count(static path => path.StartsWith("member/snap/", StringComparison.Ordinal)), aside.Count);
        });
    }

    [Fact]
    public void A_backend_older_than_the_snapshot_with_nothing_to_replace_it_is_refused() =>
        Refuse(
            async () => new Dictionary<string, byte[]>(await Etcd.Value.PurgeAsync("gone")) { ["member/snap/db"] = Etcd.Value.OldBackend }, "older than the snapshot");

    [Fact]
    public void Keys_of_the_v2_API_in_the_log_are_refused()
    {
        // Field 2 the method, field 3 the path, field 4 the value.
        byte[] put = [0x12, 3, .. "PUT"u8, 0x1A, 6, .. "/1/foo"u8, 0x22, 3, .. "bar"u8];

        Refuse(() => Etcd.Value.PurgeAsync(more: [put]), "keys of etcd's v2 API");
    }

    [Fact]
    public void Keys_of_the_v2_API_in_the_snapshot_are_refused() => Refuse(
        () => Etcd.Value.PurgeAsync(changeMembers: static members =>
        {
            var tree = JsonNode.Parse(members)!;
            tree["Root"]!["Children"]!["1"]!["Children"]!["foo"] = JsonNode.Parse("""{"Path":"/1/foo","Value":"bar","Children":null}""");
            return Encoding.UTF8.GetBytes(tree.ToJsonString());
        }),
        "keys of etcd's v2 API");

    [Fact]
    public void A_backend_of_before_3_5_is_refused() => Refuse(
        async () => await WithMetaAsync(static rows => rows.RemoveAll(static row => row.Key.Span.SequenceEqual("term"u8))), "Start etcd 3.5 on it once");

    [Fact]
    public void A_backend_of_a_version_that_is_not_known_is_refused() => Refuse(
        async () => await WithMetaAsync(static rows =>
        {
            rows.RemoveAll(static row => row.Key.Span.SequenceEqual("storageVersion"u8));
            rows.Add(new("storageVersion"u8.ToArray(), "3.7.0"u8.ToArray()));
        }),
        "a storage version that is known");

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Both_schemas_are_taken_over(bool namesItsVersion)
    {
        SingleNodeWorld.Run(async world =>
        {
            var files = await WithMetaAsync(rows =>
            {
                rows.RemoveAll(static row => row.Key.Span.SequenceEqual("storageVersion"u8));
                if (namesItsVersion)
                {
                    rows.Add(new("storageVersion"u8.ToArray(), "3.6.0"u8.ToArray()));
                }
            });
            await EtcdMember.InstallAsync(world.Disk, files);

            var node = await world.StartAsync();

            Assert.Equal(Etcd.Value.Contents, await EtcdMember.ReadAsync(node));
            await node.DisposeAsync();
        });
    }

    /// <summary>The files of the member, the bucket "meta" of its backend changed.</summary>
    private static async Task<Dictionary<string, byte[]>> WithMetaAsync(Action<List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>>> change)
    {
        var files = await Etcd.Value.PurgeAsync();
        var bytes = files["member/snap/db"];
        var file = BboltFile.Open(
            (offset, destination) =>
            {
                var count = (int)Math.Min(destination.Length, bytes.Length - offset);
                bytes.AsSpan((int)offset, count).CopyTo(destination);
                return count;
            },
            bytes.Length);
        var image = BboltImage.Plan([.. file.Buckets().Select(bucket => bucket.Name.Span.SequenceEqual("meta"u8) ? Changed(bucket, change) : BboltBucketContent.Of(bucket))]);
        using var written = new MemoryStream();
        foreach (var chunk in image.Emit(1 << 16))
        {
            written.Write(chunk.Span);
        }

        files["member/snap/db"] = written.ToArray();
        return files;
    }

    private static BboltBucketContent Changed(BboltBucket bucket, Action<List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>>> change)
    {
        var rows = new List<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>>();
        for (var row = bucket.OpenCursor(); row.MoveNext();)
        {
            rows.Add(new(row.Key.ToArray(), row.Value.ToArray()));
        }

        change(rows);
        rows.Sort(static (left, right) => left.Key.Span.SequenceCompareTo(right.Key.Span));
        return BboltBucketContent.Of(bucket.Name, rows);
    }

    private static void Refuse(Func<Task<Dictionary<string, byte[]>>> make, string reason) => SingleNodeWorld.Run(async world =>
    {
        var files = await make();
        await EtcdMember.InstallAsync(world.Disk, files);

        var refusal = await Assert.ThrowsAsync<CorruptionException>(world.StartAsync);

        Assert.Contains(reason, refusal.Message, StringComparison.Ordinal);
        Assert.StartsWith("member/", refusal.Message, StringComparison.Ordinal);
        Assert.Equal(files.OrderBy(static file => file.Key), FilesOf(world.Disk, "").OrderBy(static file => file.Key));
    });

    private static IEnumerable<KeyValuePair<string, byte[]>> FilesOf(SimulatedDisk disk, string directory)
    {
        foreach (var name in disk.List(directory))
        {
            var path = directory.Length == 0 ? name : $"{directory}/{name}";
            foreach (var file in disk.DirectoryExists(path) ? FilesOf(disk, path) : [new(path, EtcdMember.ReadFile(disk, path))])
            {
                yield return file;
            }
        }
    }
}
