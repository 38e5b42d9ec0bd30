using Cairn.Raft;
using Cairn.Storage;
using Cairn.Storage.Wal;
using Cairn.Simulation.Disks;
using Xunit;

namespace Cairn.Tests.Storage.Wal;

public sealed class WalFaultTests
{
    private const string Directory = LogWorkload.Directory;
    private static readonly HardState State = new(3, 1, 0);

    [Theory]
    [InlineData("fdatasync", Errno.InputOutput)]
    [InlineData("pwrite", Errno.InputOutput)]
    [InlineData("pwrite", Errno.NoSpace)]
    public async Task A_batch_whose_write_or_sync_fails_is_written_again_to_a_new_segment(string operation, int errno)
    {
        // Given a log with one entry,
        var disk = new SimulatedDisk(5);
        var log = await CreateAsync(disk);
        await log.AppendAsync(Entries(1, 1), State, true);

        // when the disk fails the next batch once,
        disk.Fail(operation, ".wal", errno);
        await log.AppendAsync(Entries(2, 2), State, true);
        await log.AppendAsync(Entries(4, 1), State with { Commit = 3 }, true);

        // then the batch is durable all the same, and the abandoned segment does not count beyond its last good batch.
        disk.CutPower(CrashMode.Lose);
        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 0, LogWorkload.Options);
        Assert.Equal([1UL, 2, 3, 4], contents.Entries.Select(entry => entry.Index));
        Assert.Equal(State with { Commit = 3 }, contents.State);
        Assert.Null(contents.Repair);
        Assert.Equal(2, WalReader.ListSegments(disk, Directory).Count);
        await reopened.DisposeAsync();
    }

    [Theory]
    [InlineData(CrashMode.Lose)]
    [InlineData(CrashMode.Keep)]
    [InlineData(CrashMode.Bytes)]
    [InlineData(CrashMode.Stale)]
    public async Task A_batch_that_failed_for_good_does_not_come_back_beside_the_one_written_later(CrashMode mode)
    {
        for (ulong seed = 1; seed <= 50; seed++)
        {
            var disk = new SimulatedDisk(seed);
            var log = await CreateAsync(disk);
            await log.AppendAsync(Entries(1, 2), State, true);

            disk.Fail("fdatasync", ".wal", Errno.InputOutput, 2);
            disk.Fail("ftruncate", ".wal", Errno.InputOutput, int.MaxValue);
            var failure = await Assert.ThrowsAsync<DiskException>(async () => await log.AppendAsync(Entries(3, 3), State, true));
            Assert.Equal(Errno.InputOutput, failure.Errno);
            await log.AppendAsync(Entries(3, 1, term: 9), State with { Term = 9 }, true);

            disk.CutPower(mode);
            var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 0, LogWorkload.Options);
            Assert.Equal([(3UL, 1UL), (3, 2), (9, 3)], contents.Entries.Select(entry => (entry.Term, entry.Index)));
            Assert.Equal(9UL, contents.State.Term);
            await reopened.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_full_disk_refuses_batches_whole_and_heals_when_there_is_room()
    {
        // Given a disk with room for two segments,
        var disk = new SimulatedDisk(6) { SpaceBytes = 2 * 8192 };
        var log = await CreateAsync(disk);
        ulong last = 0;
        DiskException? refused = null;

        // when batches fill it,
        while (refused is null)
        {
            try
            {
                await log.AppendAsync(Entries(last + 1, 1), State, true);
                last++;
            }
            catch (DiskException failure)
            {
                refused = failure;
            }
        }

        // then the one that finds no room says so, and so does the next one,
        Assert.True(refused.IsNoSpace);
        await Assert.ThrowsAsync<DiskException>(async () => await log.AppendAsync(Entries(last + 1, 1), State, true));

        // and with room again the same log goes on.
        disk.SpaceBytes = 10 * 8192;
        await log.AppendAsync(Entries(last + 1, 1), State, true);
        await log.AppendAsync(Entries(last + 2, 1), State, true);
        disk.CutPower(CrashMode.Lose);
        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 0, LogWorkload.Options);
        Assert.Equal(last + 2, contents.Entries[^1].Index);
        Assert.Equal((int)last + 2, contents.Entries.Count);
        await reopened.DisposeAsync();
    }

    [Fact]
    public async Task A_log_opens_on_a_full_disk_with_a_torn_tail()
    {
        var image = await LogImage.MakeAsync(3);
        var disk = image.ToDisk();
        disk.Truncate(image.Last.Path, image.End - 20);
        disk.SpaceBytes = 1;

        var (log, contents) = await WriteAheadLog.OpenAsync(disk, Directory, image.Whole.Opened, LogWorkload.Options);
        Assert.True(image.Acknowledged.Matches(contents));
        Assert.Equal("", contents.Repair?.Copy);
        await log.DisposeAsync();
    }

    [Theory]
    [InlineData(CrashMode.Lose)]
    [InlineData(CrashMode.Keep)]
    [InlineData(CrashMode.Bytes)]
    [InlineData(CrashMode.Stale)]
    public async Task Nothing_is_promised_before_the_directory_is_synced_and_the_log_goes_on_when_it_is(CrashMode mode)
    {
        for (ulong seed = 1; seed <= 50; seed++)
        {
            // Given a log that has to begin a segment whose name cannot be made durable,
            var disk = new SimulatedDisk(seed);
            var log = await CreateAsync(disk);
            await log.AppendAsync(Entries(1, 2), State, true);
            disk.Fail("fdatasync", ".wal", Errno.InputOutput);
            disk.Fail("fsync", Directory, Errno.InputOutput, 2);
            await Assert.ThrowsAsync<DiskException>(async () => await log.AppendAsync(Entries(3, 1), State, true));
            await Assert.ThrowsAsync<DiskException>(async () => await log.AppendAsync(Entries(3, 1), State, true));

            // when the power is cut then, or only after the directory was synced,
            var goesOn = seed % 2 == 0;
            if (goesOn)
            {
                await log.AppendAsync(Entries(3, 2), State, true);
                await log.AppendAsync(Entries(5, 1), State, true);
            }

            disk.CutPower(mode);

            // then all that was acknowledged is there; of what was not, it may be.
            var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 0, LogWorkload.Options);
            Assert.InRange(reopened.LastIndex, goesOn ? 5UL : 2, goesOn ? 5UL : 3);
            Assert.Equal((int)reopened.LastIndex, contents.Entries.Count);
            await reopened.DisposeAsync();
        }
    }

    [Fact]
    public async Task Segments_that_kept_their_room_through_a_power_cut_give_it_back_at_the_next_start()
    {
        var disk = new SimulatedDisk(11);
        var log = await CreateAsync(disk);
        disk.Fail("ftruncate", ".wal", Errno.InputOutput, int.MaxValue);
        for (ulong index = 1; index <= 3; index++)
        {
            disk.Fail("fdatasync", ".wal", Errno.InputOutput);
            await log.AppendAsync(Entries(index, 1), State, true);
        }

        disk.CutPower(CrashMode.Lose);
        disk.FailNoMore();
        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 0, LogWorkload.Options);

        Assert.Equal(3, contents.Entries.Count);
        var segments = WalReader.ListSegments(disk, Directory);
        Assert.Equal(4, segments.Count);
        Assert.All(segments.SkipLast(1), name => Assert.InRange(LengthOf(disk, name), 1, 1000));
        await reopened.DisposeAsync();
    }

    [Fact]
    public async Task A_cut_that_fails_ahead_of_need_does_not_fail_the_batches_before_it()
    {
        var disk = new SimulatedDisk(8);
        var log = await CreateAsync(disk);
        disk.Fail("fallocate", "0.tmp", Errno.NoSpace, 1);
        for (ulong index = 1; index <= 200; index++)
        {
            await log.AppendAsync(Entries(index, 1), State, true);
        }

        Assert.True(WalReader.ListSegments(disk, Directory).Count > 2);
    }

    [Fact]
    public async Task A_segment_that_has_its_name_and_cannot_be_opened_gives_it_to_another_and_nothing_is_written_before_it()
    {
        // Given a log whose next segment, begun ahead of need, gets its name and is not opened,
        var disk = new SimulatedDisk(10);
        var log = await CreateAsync(disk);
        disk.Fail("open", "0000000000000001-", Errno.InputOutput);

        // when batches go on,
        const ulong last = 200;
        for (ulong index = 1; index <= last; index++)
        {
            await log.AppendAsync(Entries(index, 1), State, true);
        }

        // then none is written behind the end that the new segment continues from: all that was acknowledged is there.
        disk.CutPower(CrashMode.Lose);
        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 0, LogWorkload.Options);
        Assert.Equal(last, reopened.LastIndex);
        Assert.Equal((int)last, contents.Entries.Count);
        await reopened.DisposeAsync();
    }

    [Fact]
    public async Task The_next_batch_waits_for_the_segment_that_is_begun_and_no_batch_is_written_before_the_sync_of_the_last()
    {
        var disk = new SimulatedDisk(9);
        var log = await CreateAsync(disk);
        disk.HoldSyncs = true;
        var append = log.AppendAsync(Entries(1, 1), State, true).AsTask();
        Assert.False(append.IsCompleted);
        Assert.Equal(1, disk.HeldSyncs);
        disk.HoldSyncs = false;
        disk.ReleaseSyncs();
        await append;
        Assert.Equal(1UL, log.LastIndex);
    }

    private static ValueTask<WriteAheadLog> CreateAsync(IDisk disk) =>
        WriteAheadLog.CreateAsync(disk, Directory, LogWorkload.Metadata, LogWorkload.Options);

    private static long LengthOf(SimulatedDisk disk, SegmentName name)
    {
        using var file = disk.Open($"{Directory}/{name}", OpenIntent.Read);
        return file.Length;
    }

    private static ReadOnlyMemory<Entry> Entries(ulong first, int count, ulong term = 3) =>
        Enumerable.Range(0, count).Select(i => new Entry(term, first + (ulong)i, EntryType.Normal, new byte[150])).ToArray();
}
