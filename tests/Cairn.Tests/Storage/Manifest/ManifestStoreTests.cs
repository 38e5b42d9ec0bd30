using Cairn.Raft;
using Cairn.Storage;
using Cairn.Storage.Checkpoints;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Tests.Storage.Revisions;
using Cairn.Simulation.Disks;
using Xunit;

namespace Cairn.Tests.Storage.Manifest;

/// <summary>What a manifest says, which one counts, and what is kept beside it.</summary>
public sealed class ManifestStoreTests
{
    private const string Directory = "member/store";

    private readonly SimulatedDisk _disk = new(1);

    [Fact]
    public async Task A_fresh_directory_has_no_manifest_and_needs_the_whole_log()
    {
        var store = await ManifestStore.OpenAsync(_disk, Directory);
        Assert.Null(store.Newest);
        Assert.Equal(0ul, store.ReplayFrom);
        _disk.CutPower(CrashMode.Lose);
        Assert.True(_disk.DirectoryExists(Directory));
    }

    [Fact]
    public async Task Everything_comes_back_as_it_was_written()
    {
        var store = await ManifestStore.OpenAsync(_disk, Directory);
        _disk.Put($"{Directory}/00000005.segment", new byte[100]);
        _disk.Put($"{Directory}/0000000000000007.checkpoint", new byte[50]);
        var contents = new ManifestContents
        {
            Identity = new ManifestIdentity
            {
                ClusterId = ulong.MaxValue,
                MemberId = 1ul << 63,
                Incarnation = 0xdead_beef_0000_0001,
                StartCounter = 17,
                Token = "etcd-cluster-ü",
            },
            AppliedIndex = ulong.MaxValue - 1,
            AppliedTerm = 42,
            ConfState = new ConfState { Voters = [1, 2, 3], Learners = [4], VotersOutgoing = [1, 2], LearnersNext = [5], AutoLeave = true },
            CurrentRevision = 1_000_000_000_123,
            Compaction = new CompactionFloor(Scheduled: 99, Finished: 98),
            Segments = new RevisionLogEnds([new SegmentState(5, End: 77, LiveBytes: 13, new RevisionRange(FirstMain: 2, LastMain: 1_000_000_000_123), Sealed: true)]),
            Checkpoint = new CheckpointFile("0000000000000007.checkpoint", 50),
            SmallState = new byte[] { 1, 2, 3 },
            MemberState = new byte[] { 4, 5 },
        };
        await store.WriteAsync(contents);
        _disk.CutPower(CrashMode.Lose);

        var reopened = await ManifestStore.OpenAsync(_disk, Directory);
        Assert.Equal(contents with { Number = 1 }, reopened.Newest);
        Assert.Equal(8ul, reopened.TakeCheckpointNumber());
    }

    [Fact]
    public async Task The_log_is_kept_for_the_second_newest()
    {
        var store = await ManifestStore.OpenAsync(_disk, Directory);
        await store.WriteAsync(Contents(10));
        Assert.Equal(0ul, store.ReplayFrom);
        await store.WriteAsync(Contents(20));
        Assert.Equal(10ul, store.ReplayFrom);
        await store.WriteAsync(Contents(30));
        Assert.Equal(20ul, store.ReplayFrom);
        Assert.Equal(["MANIFEST-2", "MANIFEST-3"], _disk.List(Directory));
    }

    [Fact]
    public async Task A_damaged_newest_one_is_put_aside_for_the_one_before()
    {
        var store = await ManifestStore.OpenAsync(_disk, Directory);
        await store.WriteAsync(Contents(10));
        await store.WriteAsync(Contents(20));
        await store.WriteAsync(Contents(30));
        var length = _disk.ReadAll($"{Directory}/MANIFEST-3").Length;
        for (var at = 0; at < length; at++)
        {
            _disk.FlipBit($"{Directory}/MANIFEST-3", at * 8L);
            var reopened = await ManifestStore.OpenAsync(_disk, Directory);
            Assert.Equal(20ul, reopened.Newest?.AppliedIndex);
            Assert.Equal(0ul, reopened.ReplayFrom);
            var damage = Assert.Single(reopened.Damage);
            Assert.Equal($"{Directory}/MANIFEST-3", damage.Path);
            Assert.InRange(damage.Offset, 0, at);
            Assert.Equal(["MANIFEST-2", "MANIFEST-3.broken"], _disk.List(Directory));

            _disk.Rename($"{Directory}/MANIFEST-3.broken", $"{Directory}/MANIFEST-3");
            _disk.FlipBit($"{Directory}/MANIFEST-3", at * 8L);
        }
    }

    [Fact]
    public async Task A_number_is_not_used_again_after_damage()
    {
        var store = await ManifestStore.OpenAsync(_disk, Directory);
        await store.WriteAsync(Contents(10));
        await store.WriteAsync(Contents(20));
        _disk.Truncate($"{Directory}/MANIFEST-2", 20);
        var reopened = await ManifestStore.OpenAsync(_disk, Directory);
        await reopened.WriteAsync(Contents(25));
        Assert.Equal(3ul, reopened.Newest?.Number);
        Assert.Equal(["MANIFEST-1", "MANIFEST-2.broken", "MANIFEST-3"], _disk.List(Directory));
    }

    [Fact]
    public async Task A_newest_one_that_was_lost_is_known_until_another_one_is_written()
    {
        var store = await ManifestStore.OpenAsync(_disk, Directory);
        await store.WriteAsync(Contents(10));
        await store.WriteAsync(Contents(20));
        _disk.Truncate($"{Directory}/MANIFEST-2", 20);
        Assert.True((await ManifestStore.OpenAsync(_disk, Directory)).HasLostNewest);

        // As after a crash right behind the first start.
        var reopened = await ManifestStore.OpenAsync(_disk, Directory);
        Assert.Empty(reopened.Damage);
        Assert.True(reopened.HasLostNewest);
        await reopened.WriteAsync(Contents(25));

        Assert.False((await ManifestStore.OpenAsync(_disk, Directory)).HasLostNewest);
    }

    [Fact]
    public async Task Without_any_sound_manifest_the_damage_is_reported_and_nothing_touched()
    {
        var store = await ManifestStore.OpenAsync(_disk, Directory);
        await store.WriteAsync(Contents(10));
        _disk.FlipBit($"{Directory}/MANIFEST-1", 300);
        var damage = await Assert.ThrowsAsync<CorruptionException>(async () => await ManifestStore.OpenAsync(_disk, Directory));
        Assert.Equal($"{Directory}/MANIFEST-1", damage.Path);
        Assert.Equal(["MANIFEST-1"], _disk.List(Directory));
    }

    [Fact]
    public async Task Segments_without_any_manifest_are_not_garbage()
    {
        _disk.Put($"{Directory}/00000001.segment", new byte[100]);
        _disk.Put($"{Directory}/MANIFEST.tmp", new byte[100]);
        var damage = await Assert.ThrowsAsync<CorruptionException>(async () => await ManifestStore.OpenAsync(_disk, Directory));
        Assert.Equal($"{Directory}/00000001.segment", damage.Path);
        Assert.Equal(["00000001.segment", "MANIFEST.tmp"], _disk.List(Directory));
    }

    [Fact]
    public async Task A_manifest_of_a_later_version_stops_the_start_and_is_left_alone()
    {
        var store = await ManifestStore.OpenAsync(_disk, Directory);
        await store.WriteAsync(Contents(10));
        await store.WriteAsync(Contents(20));
        var bytes = _disk.ReadAll($"{Directory}/MANIFEST-2");
        bytes[8]++;
        BitConverter.TryWriteBytes(bytes.AsSpan(24), Crc32C.Update(0, bytes.AsSpan(0, 24)));
        _disk.Damage($"{Directory}/MANIFEST-2", 0, bytes);
        var unknown = await Assert.ThrowsAsync<UnknownFormatException>(async () => await ManifestStore.OpenAsync(_disk, Directory));
        Assert.Equal(2, unknown.Version);
        Assert.Equal(["MANIFEST-1", "MANIFEST-2"], _disk.List(Directory));
    }

    [Fact]
    public async Task A_failed_write_changes_nothing_and_may_be_repeated()
    {
        foreach (var call in new[] { "create", "pwrite", "fdatasync", "rename", "fsync" })
        {
            var disk = new SimulatedDisk(3);
            var store = await ManifestStore.OpenAsync(disk, Directory);
            await store.WriteAsync(Contents(10));
            await store.WriteAsync(Contents(20));
            disk.Fail(call, Directory, Errno.InputOutput);
            await Assert.ThrowsAsync<DiskException>(async () => await store.WriteAsync(Contents(30)));
            Assert.Equal((20ul, 10ul), (store.Newest?.AppliedIndex, store.ReplayFrom));

            await store.WriteAsync(Contents(30));
            Assert.Equal(["MANIFEST-2", "MANIFEST-4"], disk.List(Directory));
            disk.CutPower(CrashMode.Lose);
            Assert.Equal(30ul, (await ManifestStore.OpenAsync(disk, Directory)).Newest?.AppliedIndex);
        }
    }

    [Fact]
    public async Task Files_stay_until_neither_of_the_two_newest_names_them()
    {
        var store = await ManifestStore.OpenAsync(_disk, Directory);
        foreach (var id in new[] { 1, 2 })
        {
            _disk.Put($"{Directory}/0000000{id}.segment", new byte[100]);
        }

        await store.WriteAsync(Contents(10, 1));
        await store.WriteAsync(Contents(20, 1, 2));
        await store.WriteAsync(Contents(30, 2));
        Assert.True(_disk.FileExists($"{Directory}/00000001.segment"));
        await store.WriteAsync(Contents(40, 2));
        Assert.False(_disk.FileExists($"{Directory}/00000001.segment"));
        Assert.True(_disk.FileExists($"{Directory}/00000002.segment"));
    }

    [Fact]
    public async Task What_a_crash_left_behind_is_removed_and_what_is_not_ours_stays()
    {
        var store = await ManifestStore.OpenAsync(_disk, Directory);
        await store.WriteAsync(Contents(10));
        foreach (var name in new[] { "MANIFEST.tmp", "00000009.segment", "0000000000000001.checkpoint", "notes.txt", "9.segment" })
        {
            _disk.Put($"{Directory}/{name}", [1]);
        }

        await ManifestStore.OpenAsync(_disk, Directory);
        Assert.Equal(["9.segment", "MANIFEST-1", "notes.txt"], _disk.List(Directory));
    }

    [Theory]
    [InlineData(".segment")]
    [InlineData(".checkpoint")]
    [InlineData("MANIFEST-")]
    public async Task If_the_newest_state_is_not_all_there_the_one_before_is_in_full(string victim)
    {
        for (var seed = 1ul; seed <= 20; seed++)
        {
            var disk = new SimulatedDisk(seed);
            var store = await StoreWorkload.OpenAsync(disk, seed);
            await store.RunAsync(40);
            await store.WriteManifestAsync(withCheckpoint: true);
            var previous = store.DurableNumber;
            store.AppendSome();
            await store.CleanSomeAsync();
            store.AppendSome();
            await store.WriteManifestAsync(withCheckpoint: true);
            store.AppendSome();
            await store.Log.FlushAsync();

            // When the file that only the newest manifest needs is cut, and the power with it.
            disk.CutPower(CrashMode.Keep);
            var name = disk.List(Directory).Where(name => name.Contains(victim, StringComparison.Ordinal)).MaxBy(name => (name.Length, name)) ?? "";
            var end = store.Captures[store.DurableNumber].Contents.Segments.Segments
                .First(segment => !store.Captures[previous].Contents.Segments.Segments.Any(before => before.Id == segment.Id && before.End == segment.End));
            var cut = victim == ".segment" ? end.End - 1 : 10;
            if (victim == ".segment")
            {
                name = $"{end.Id:x8}.segment";
            }

            disk.Truncate($"{Directory}/{name}", cut);

            // Then the store is what it was one manifest earlier, and goes on from there.
            var next = await StoreWorkload.OpenAsync(disk, seed);
            Assert.Equal(previous, next.Manifests.Newest?.Number);
            Assert.Equal($"{Directory}/{name}", Assert.Single(next.Manifests.Damage).Path);
            next.Continue(store);
            next.Check();
            await next.RunAsync(10);
            next.Check();
        }
    }

    private static ManifestContents Contents(ulong applied, params uint[] segments) => new()
    {
        Identity = new ManifestIdentity { ClusterId = 1, MemberId = 2, Incarnation = 3 },
        AppliedIndex = applied,
        AppliedTerm = 1,
        CurrentRevision = (long)applied,
        Segments = new RevisionLogEnds([.. segments.Select(id => new SegmentState(id, 100, 10, new RevisionRange(FirstMain: 1, LastMain: 2), Sealed: true))]),
        SmallState = new byte[] { 9, 9, 9 },
    };
}
