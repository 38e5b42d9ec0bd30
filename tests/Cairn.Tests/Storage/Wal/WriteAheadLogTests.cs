using Cairn.Raft;
using Cairn.Storage;
using Cairn.Storage.Wal;
using Cairn.Simulation.Disks;
using Xunit;

namespace Cairn.Tests.Storage.Wal;

public sealed class WriteAheadLogTests
{
    private const string Directory = LogWorkload.Directory;
    private static readonly ConfState Members = new() { Voters = [1, 2, 3] };

    [Fact]
    public async Task A_log_begins_with_the_bytes_that_etcd_writes()
    {
        // Recorded from etcd 3.5.16: checksum, metadata of this member and cluster, and the mark of the empty snapshot.
        var recorded = Convert.FromHexString(
            "0400000000000084" + "0804100000000000"
            + "1d00000000000083" + "0801108d9cf9161a" + "1408c0c0caafc1ba" + "96892e1087d5edba" + "8fd59dc104000000"
            + "0e00000000000082" + "08051087" + "8cc58d0d1a040800" + "10000000");
        var disk = new SimulatedDisk(1);
        await using var log = await WriteAheadLog.CreateAsync(
            disk, Directory, new WalMetadata(3319814642761637952, 324952591200643719), LogWorkload.Options);

        var segment = disk.ReadAll($"{Directory}/0000000000000000-0000000000000000.wal");

        Assert.Equal(8192, segment.Length);
        Assert.Equal(recorded, segment[..recorded.Length]);
    }

    [Fact]
    public async Task An_entry_replaces_the_one_at_its_index_and_all_behind_it()
    {
        var disk = new SimulatedDisk(1);
        await using (var log = await CreateAsync(disk))
        {
            await log.AppendAsync(Entries(1, 5, term: 1), new HardState(1, 1, 0), true);
            await log.AppendAsync(Entries(3, 1, term: 2), new HardState(2, 0, 0), true);
        }

        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 0, LogWorkload.Options);
        Assert.Equal([(1UL, 1UL), (1, 2), (2, 3)], contents.Entries.Select(entry => (entry.Term, entry.Index)));
        Assert.Equal(3UL, reopened.LastIndex);
        await reopened.DisposeAsync();
    }

    [Fact]
    public async Task An_entry_below_the_index_asked_for_still_removes_those_above_it()
    {
        var disk = new SimulatedDisk(1);
        await using (var log = await CreateAsync(disk))
        {
            await log.AppendAsync(Entries(1, 5, term: 1), new HardState(1, 1, 0), true);
            await log.AppendAsync(Entries(3, 1, term: 2), new HardState(2, 0, 3), true);
        }

        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 3, LogWorkload.Options);
        Assert.Empty(contents.Entries);
        await reopened.DisposeAsync();
    }

    [Theory]
    [InlineData(3UL, 2UL)]
    [InlineData(100UL, 2UL)]
    public async Task A_snapshot_of_a_leader_replaces_a_log_that_does_not_hold_its_last_entry(ulong index, ulong term)
    {
        var disk = new SimulatedDisk(1);
        await using (var log = await CreateAsync(disk))
        {
            await log.AppendAsync(Entries(1, 5, term: 1), new HardState(1, 1, 0), true);
            await log.MarkSnapshotAsync(new WalSnapshotMark(index, term, Members));
        }

        // Asked for from before the snapshot: the manifest before the one of the snapshot may be all there is.
        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 1, LogWorkload.Options);
        Assert.Empty(contents.Entries);
        Assert.Equal([new WalSnapshotMark(0, 0, ConfState.Empty), new WalSnapshotMark(index, term, Members)], contents.Marks);
        await reopened.AppendAsync(Entries(index + 1, 1, term: 2), new HardState(2, 0, index), true);
        await reopened.DisposeAsync();

        var (again, after) = await WriteAheadLog.OpenAsync(disk, Directory, 1, LogWorkload.Options);
        Assert.Equal([index + 1], after.Entries.Select(entry => entry.Index));
        await again.DisposeAsync();
    }

    [Fact]
    public async Task A_snapshot_of_the_members_own_leaves_the_log_as_it_is()
    {
        var disk = new SimulatedDisk(1);
        await using (var log = await CreateAsync(disk))
        {
            await log.AppendAsync(Entries(1, 5, term: 1), new HardState(1, 1, 4), true);
            await log.MarkSnapshotAsync(new WalSnapshotMark(4, 1, Members));
        }

        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 2, LogWorkload.Options);
        Assert.Equal([3UL, 4, 5], contents.Entries.Select(entry => entry.Index));
        await reopened.DisposeAsync();
    }

    [Fact]
    public async Task A_state_that_only_moves_the_commit_index_costs_no_call_of_the_disk()
    {
        var disk = new SimulatedDisk(1);
        var log = await CreateAsync(disk);
        await log.AppendAsync(Entries(1, 2, term: 1), new HardState(1, 1, 0), true);
        var before = disk.Operations;

        var append = log.AppendAsync(default, new HardState(1, 1, 2), false);

        Assert.True(append.IsCompletedSuccessfully);
        Assert.Equal(before, disk.Operations);

        // It rides along with the next batch, or with an orderly shutdown.
        await log.FlushAsync();
        await log.FlushAsync();
        Assert.Equal(before + 2, disk.Operations);
        await log.DisposeAsync();
        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 0, LogWorkload.Options);
        Assert.Equal(2UL, contents.State.Commit);
        await reopened.DisposeAsync();
    }

    [Fact]
    public async Task A_batch_is_one_write_and_one_sync()
    {
        var disk = new SimulatedDisk(1);
        await using var log = await CreateAsync(disk);
        var before = disk.Operations;
        await log.AppendAsync(Entries(1, 20, term: 1), new HardState(1, 1, 0), true);
        Assert.Equal(before + 2, disk.Operations);
    }

    [Fact]
    public async Task Released_segments_are_gone_and_the_log_opens_after_the_index()
    {
        var disk = new SimulatedDisk(1);
        await using (var log = await CreateAsync(disk))
        {
            for (ulong index = 1; index <= 200; index++)
            {
                await log.AppendAsync(Entries(index, 1, term: 1), new HardState(1, 1, index - 1), true);
            }

            var before = WalReader.ListSegments(disk, Directory).Count;
            await log.ReleaseAsync(120);
            Assert.InRange(WalReader.ListSegments(disk, Directory).Count, 2, before - 2);
            Assert.InRange(log.FirstIndex, 60UL, 120UL);
        }

        disk.CutPower(CrashMode.Lose);
        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 120, LogWorkload.Options);
        Assert.Equal(Enumerable.Range(121, 80).Select(index => (ulong)index), contents.Entries.Select(entry => entry.Index));
        await reopened.DisposeAsync();
        var unreachable = await Assert.ThrowsAsync<CorruptionException>(async () => await WriteAheadLog.OpenAsync(disk, Directory, 5, LogWorkload.Options));
        Assert.Contains("does not reach back to index 6", unreachable.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_the_entries_that_are_only_wanted_the_newest_are_kept_and_all_that_are_needed()
    {
        var disk = new SimulatedDisk(1);
        await using (var log = await CreateAsync(disk))
        {
            for (ulong index = 1; index <= 100; index++)
            {
                await log.AppendAsync(Entries(index, 1, term: 1), new HardState(1, 1, index - 1), true);
            }
        }

        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 60, LogWorkload.Options, entriesBefore: 50, bytesBefore: 1000);

        await reopened.DisposeAsync();
        var wanted = contents.Entries.TakeWhile(static entry => entry.Index <= 60).Sum(static entry => entry.Data.Length);
        Assert.InRange(wanted, 1000, 1000 + contents.Entries.Max(static entry => entry.Data.Length));
        Assert.Equal(contents.Entries.Select((_, i) => contents.Entries[0].Index + (ulong)i), contents.Entries.Select(static entry => entry.Index));
        Assert.Equal(100UL, contents.Entries[^1].Index);
    }

    [Fact]
    public async Task A_batch_larger_than_a_segment_gets_one_of_its_size()
    {
        var disk = new SimulatedDisk(1);
        await using (var log = await CreateAsync(disk))
        {
            await log.AppendAsync(new[] { new Entry(1, 1, EntryType.Normal, new byte[50_000]) }, new HardState(1, 1, 0), true);
            await log.AppendAsync(Entries(2, 1, term: 1), new HardState(1, 1, 1), true);
        }

        var (reopened, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 0, LogWorkload.Options);
        Assert.Equal([50_000, 150], contents.Entries.Select(entry => entry.Data.Length));
        await reopened.DisposeAsync();
    }

    [Fact]
    public async Task A_log_that_is_open_cannot_be_opened_again()
    {
        var disk = new SimulatedDisk(1);
        await using var log = await CreateAsync(disk);
        var refused = await Assert.ThrowsAsync<DiskException>(async () => await WriteAheadLog.OpenAsync(disk, Directory, 0, LogWorkload.Options));
        Assert.Equal(Errno.Again, refused.Errno);
    }

    [Fact]
    public async Task Looking_into_a_log_finds_its_marks_and_changes_nothing()
    {
        var disk = new SimulatedDisk(1);
        await using var log = await CreateAsync(disk);
        await log.AppendAsync(Entries(1, 5, term: 1), new HardState(1, 1, 4), true);
        await log.MarkSnapshotAsync(new WalSnapshotMark(4, 1, Members));
        var before = disk.Operations;

        var contents = WriteAheadLog.Inspect(disk, Directory);

        Assert.Equal(before, disk.Operations);
        Assert.Equal([0UL, 4], contents.Marks.Select(mark => mark.Index));
        Assert.Equal(new HardState(1, 1, 4), contents.State);
        Assert.Equal(LogWorkload.Metadata, contents.Metadata);
    }

    [Fact]
    public async Task A_log_of_etcd_is_continued_in_place()
    {
        // Given a directory of etcd's,
        var disk = new SimulatedDisk(1);
        disk.Put($"{Directory}/0000000000000000-0000000000000000.wal", LogImage.MakeOfEtcd(out _, out _));
        disk.Put($"{Directory}/0.tmp", new byte[64]);

        // when Cairn opens it and goes on,
        var (log, contents) = await WriteAheadLog.OpenAsync(disk, Directory, 3, LogWorkload.Options);
        Assert.Equal(Enumerable.Range(4, 10).Select(index => (ulong)index), contents.Entries.Select(entry => entry.Index));
        Assert.Equal(new HardState(2, 1, 13), contents.State);
        for (ulong index = 14; index <= 60; index++)
        {
            await log.AppendAsync(Entries(index, 1, term: 3), new HardState(3, 1, 13), true);
        }

        // then both parts are one log.
        disk.CutPower(CrashMode.Lose);
        var (again, after) = await WriteAheadLog.OpenAsync(disk, Directory, 3, LogWorkload.Options);
        Assert.Equal(Enumerable.Range(4, 57).Select(index => (ulong)index), after.Entries.Select(entry => entry.Index));
        await again.DisposeAsync();
    }

    [Fact]
    public void Entries_that_a_log_lacks_are_named()
    {
        var encoder = new WalEncoder();
        encoder.Begin(0);
        encoder.AppendCrc();
        encoder.Append(WalRecordType.Metadata, WalPayload.EncodeMetadata(LogWorkload.Metadata));
        encoder.Append(WalRecordType.Snapshot, WalPayload.EncodeMark(default));
        encoder.Append(new Entry(1, 1, EntryType.Normal, default));
        encoder.Append(new Entry(1, 5, EntryType.Normal, default));
        var hole = Assert.Throws<CorruptionException>(() => new WalReplay(0, 0).Take("wal", encoder.Batch));
        Assert.Contains("entries 2 to 4 are missing", hole.Message, StringComparison.Ordinal);
    }

    private static ValueTask<WriteAheadLog> CreateAsync(IDisk disk) =>
        WriteAheadLog.CreateAsync(disk, Directory, LogWorkload.Metadata, LogWorkload.Options);

    private static Entry[] Entries(ulong first, int count, ulong term) =>
        Enumerable.Range(0, count).Select(i => new Entry(term, first + (ulong)i, EntryType.Normal, new byte[150])).ToArray();
}
