using Cairn.Storage;
using Cairn.Storage.Checkpoints;
using Cairn.Storage.Manifest;
using Cairn.Storage.Revisions;
using Cairn.Simulation.Disks;
using Xunit;

namespace Cairn.Tests.Storage.Revisions;

/// <summary>The store on a disk that fails, fills up, or rots.</summary>
public sealed class StoreFaultTests
{
    private static readonly string[] Calls = ["pwrite", "fdatasync", "fsync", "create", "rename", "unlink"];

    [Fact]
    public async Task Failing_calls_lose_nothing_and_end_nothing()
    {
        var failures = 0;
        for (var seed = 1ul; seed <= 25; seed++)
        {
            var prng = new Prng(seed + 500);
            var disk = new SimulatedDisk(seed);
            var store = await StoreWorkload.OpenAsync(disk, seed);
            for (var i = 0; i < 150; i++)
            {
                if (prng.Chance(1, 6))
                {
                    disk.Fail(Calls[prng.Below(Calls.Length)], "member/store", prng.Chance(1, 2) ? Errno.InputOutput : Errno.NoSpace);
                }

                failures += await StepOrHealAsync(store) ? 0 : 1;
                store.Check();
            }

            disk.CutPower((CrashMode)prng.Below(5));
            await store.ReopenAndCheckAsync(seed);
        }

        Assert.True(failures > 150, $"only {failures} failures");
    }

    [Fact]
    public async Task A_full_disk_that_gets_room_again_goes_on()
    {
        for (var seed = 1ul; seed <= 10; seed++)
        {
            var disk = new SimulatedDisk(seed);
            var store = await StoreWorkload.OpenAsync(disk, seed);
            await store.RunAsync(20);
            disk.SpaceBytes = disk.MeasureSpace().TotalBytes - disk.MeasureSpace().AvailableBytes + 1000;
            var failed = 0;
            for (var i = 0; i < 30; i++)
            {
                failed += await StepOrHealAsync(store) ? 0 : 1;
                store.Check();
            }

            disk.SpaceBytes = long.MaxValue;
            await store.RunAsync(30);
            await store.WriteManifestAsync(withCheckpoint: true);
            disk.CutPower(CrashMode.Lose);
            await store.ReopenAndCheckAsync(seed);
            Assert.True(failed > 0);
        }
    }

    [Fact]
    public async Task A_flipped_bit_anywhere_is_named_by_file_and_offset_and_never_served()
    {
        var detected = 0;
        for (var seed = 1ul; seed <= 4; seed++)
        {
            var store = await MakeStoreAsync(seed, out var disk);
            var prng = new Prng(seed);
            var originals = disk.List(StoreWorkload.Directory).Select(name => $"{StoreWorkload.Directory}/{name}").ToDictionary(path => path, disk.ReadAll);
            foreach (var (path, original) in originals)
            {
                for (var i = 0; i < 150; i++)
                {
                    var at = prng.Below(original.Length);
                    disk.FlipBit(path, ((long)at * 8) + prng.Below(8));
                    detected += await OpenAndReadAllAsync(disk, store, path, at) ? 1 : 0;
                    Restore(disk, originals);
                }
            }
        }

        Assert.True(detected > 2500, $"only {detected} flips were detected");
    }

    [Fact]
    public async Task A_block_of_another_place_is_not_taken_for_a_record()
    {
        // Given records of one size, so that a sector of one place holds whole records for another.
        var disk = new SimulatedDisk(1);
        var manifests = await ManifestStore.OpenAsync(disk, StoreWorkload.Directory);
        var log = RevisionLog.Open(disk, StoreWorkload.Directory, RevisionLogEnds.Empty, new RevisionLogOptions());
        var places = Enumerable.Range(1, 256).Select(main => log.Append(RecordKind.Put, new Revision(main, 0), new byte[104])).ToList();
        await log.SyncAsync(log.Capture());
        var ends = log.Capture();
        var path = disk.List(StoreWorkload.Directory).Single(name => name.EndsWith(".segment", StringComparison.Ordinal));
        path = $"{StoreWorkload.Directory}/{path}";

        // When the first records lie where later ones should be.
        disk.Damage(path, places[100].Offset, disk.ReadAll(path).AsSpan((int)places[0].Offset, 128));

        // Then it is damage, there.
        var reopened = RevisionLog.Open(disk, StoreWorkload.Directory, ends, new RevisionLogOptions());
        var damage = Assert.Throws<CorruptionException>(() => StoreWorkload.Read(reopened.View, places[100]));
        Assert.Equal((path, places[100].Offset), (damage.Path, damage.Offset));
        Assert.Equal(104, StoreWorkload.Read(reopened.View, places[101]).Length);
        Assert.Null(manifests.Newest);
    }

    // The server's part: salvage after a flush that failed, another round of cleaning after one that failed.
    private static async Task<bool> StepOrHealAsync(StoreWorkload store)
    {
        try
        {
            await store.StepAsync();
            return true;
        }
        catch (IOException)
        {
            store.AbandonCleaning();
            store.Salvage();
            return false;
        }
    }

    private static Task<StoreWorkload> MakeStoreAsync(ulong seed, out SimulatedDisk disk)
    {
        disk = new SimulatedDisk(seed);
        return FillAsync(disk, seed);

        static async Task<StoreWorkload> FillAsync(SimulatedDisk disk, ulong seed)
        {
            var store = await StoreWorkload.OpenAsync(disk, seed);
            await store.RunAsync(40);
            await store.WriteManifestAsync(withCheckpoint: true);
            store.AppendSome();
            await store.WriteManifestAsync(withCheckpoint: true);
            return store;
        }
    }

    // A damaged manifest is put aside, and segments are cut to the one before.
    private static void Restore(SimulatedDisk disk, Dictionary<string, byte[]> originals)
    {
        foreach (var (path, original) in originals)
        {
            if (disk.FileExists(path + ".broken"))
            {
                disk.Rename(path + ".broken", path);
            }

            if (!disk.ReadAll(path).AsSpan().SequenceEqual(original))
            {
                disk.Truncate(path, original.Length);
                disk.Damage(path, 0, original);
            }
        }
    }

    // True if the damage was seen. Fails if it was not, and something else than what was written came back.
    private static async Task<bool> OpenAndReadAllAsync(SimulatedDisk disk, StoreWorkload store, string path, int at)
    {
        var manifests = await ManifestStore.OpenAsync(disk, StoreWorkload.Directory);
        var contents = manifests.Newest;
        Assert.NotNull(contents);
        var capture = store.Captures[contents.Number];
        Assert.Equal(capture.Contents, contents);
        var detected = manifests.Damage.Count;
        Assert.All(manifests.Damage, damage => AssertNames(damage, path, at));
        try
        {
            var view = RevisionLog.Open(disk, StoreWorkload.Directory, contents.Segments, StoreWorkload.Options).View;
            var reader = view.ReadFrom(new Revision(0, 0), long.MaxValue);
            while (reader.MoveNext())
            {
                Assert.True(reader.Payload.SequenceEqual(store.History[reader.Revision].Payload));
                Assert.Equal(store.History[reader.Revision].Kind, reader.Kind);
            }
        }
        catch (CorruptionException damage)
        {
            AssertNames(damage, path, at);
            detected++;
        }

        detected += ReadPlaces(disk, capture, path, at) + ReadCheckpoint(disk, capture, path, at);
        return detected > 0;
    }

    private static int ReadPlaces(SimulatedDisk disk, StoreWorkload.Capture capture, string path, int at)
    {
        var detected = 0;
        try
        {
            var view = RevisionLog.Open(disk, StoreWorkload.Directory, capture.Contents.Segments, StoreWorkload.Options).View;
            foreach (var row in capture.Rows.Values)
            {
                try
                {
                    Assert.Equal(row.Payload, StoreWorkload.Read(view, row.Place));
                }
                catch (CorruptionException damage)
                {
                    AssertNames(damage, path, at);
                    Assert.True(at < damage.Offset + RecordFormat.BytesOf(row.Place));
                    detected++;
                }
            }
        }
        catch (CorruptionException damage)
        {
            AssertNames(damage, path, at);
            detected++;
        }

        return detected;
    }

    private static int ReadCheckpoint(SimulatedDisk disk, StoreWorkload.Capture capture, string path, int at)
    {
        try
        {
            Assert.NotNull(capture.Contents.Checkpoint);
            using var reader = CheckpointReader.Open(disk, StoreWorkload.Directory, capture.Contents.Checkpoint);
            foreach (var (revision, row) in capture.Rows)
            {
                Assert.True(reader.TryReadNext(out var chunk));
                Assert.Equal((revision.Main, row.Place.Offset), (BitConverter.ToInt64(chunk.Span), BitConverter.ToUInt32(chunk.Span[8..])));
            }

            Assert.False(reader.TryReadNext(out _));
            return 0;
        }
        catch (CorruptionException damage)
        {
            AssertNames(damage, path, at);
            return 1;
        }
    }

    private static void AssertNames(CorruptionException damage, string path, int at)
    {
        Assert.Equal(path, damage.Path);
        Assert.InRange(damage.Offset, 0, at);
    }
}
