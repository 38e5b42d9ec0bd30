using System.Buffers;
using Cairn.Storage;
using Cairn.Storage.Revisions;
using Cairn.Simulation.Disks;
using Xunit;

namespace Cairn.Tests.Storage.Revisions;

/// <summary>One property of the revision log at a time.</summary>
public sealed class RevisionLogTests
{
    private const string Directory = "store";

    private readonly SimulatedDisk _disk = new(1);
    private readonly RevisionLog _log;

    public RevisionLogTests()
    {
        _disk.Put("store/LOCK", []);
        _log = RevisionLog.Open(_disk, Directory, RevisionLogEnds.Empty, StoreWorkload.Options);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(511)]
    [InlineData(4096)]
    [InlineData(100_000)]
    public async Task A_record_reads_the_same_in_memory_and_in_the_file(int length)
    {
        var payload = Payload(length, length);
        var place = _log.Append(RecordKind.Put, new Revision(2, 0), payload);
        Assert.Equal(payload, StoreWorkload.Read(_log.View, place));
        await _log.FlushAsync();
        Assert.Equal(payload, StoreWorkload.Read(_log.View, place));

        // Push it out of memory.
        Fill(from: 3, count: 100);
        await _log.SyncAsync(_log.Capture());
        Fill(from: 103, count: 100);
        Assert.Equal(payload, StoreWorkload.Read(_log.View, place));
        var writer = new ArrayBufferWriter<byte>();
        _log.View.Read(place, writer);
        Assert.Equal(payload, writer.WrittenSpan.ToArray());
    }

    [Fact]
    public void Appending_never_calls_the_disk()
    {
        var before = _disk.Operations;
        _disk.CrashAt(before + 1);
        Fill(from: 2, count: 500);
        Assert.Equal(before, _disk.Operations);
        Assert.True(_log.TailRoomBytes < 0);
        Assert.Equal(500, CountFrom(2));
    }

    [Fact]
    public async Task The_tail_has_room_again_when_the_disk_caught_up_and_is_not_before()
    {
        Fill(from: 2, count: 100);
        Assert.True(_log.TailRoomBytes < 0);
        _disk.HoldSyncs = true;
        var sync = _log.SyncAsync(_log.Capture()).AsTask();
        Assert.True(_log.TailRoomBytes < 0);
        _disk.HoldSyncs = false;
        _disk.ReleaseSyncs();
        await sync;
        Assert.Equal(StoreWorkload.Options.TailBytes, _log.TailRoomBytes);
    }

    [Fact]
    public async Task Flushing_alone_frees_memory_in_the_end()
    {
        for (var i = 0; i < 50; i++)
        {
            Fill(from: 2 + (i * 10), count: 10);
            await _log.FlushAsync();
            Assert.True(_log.TailRoomBytes > 0);
        }
    }

    [Fact]
    public void A_reader_stops_at_the_transaction_it_was_told()
    {
        Fill(from: 2, count: 10);
        var reader = _log.View.ReadFrom(new Revision(5, 0), throughMain: 7);
        var seen = new List<long>();
        while (reader.MoveNext())
        {
            seen.Add(reader.Revision.Main);
        }

        Assert.Equal([5, 6, 7], seen);
        Assert.False(_log.View.ReadFrom(new Revision(12, 0), long.MaxValue).MoveNext());
    }

    [Fact]
    public async Task A_segment_goes_on_after_a_restart_and_what_no_manifest_covers_is_cut_off()
    {
        Fill(from: 2, count: 5);
        var ends = _log.Capture();
        Fill(from: 7, count: 5);
        await _log.SyncAsync(_log.Capture());

        var reopened = RevisionLog.Open(_disk, Directory, ends, StoreWorkload.Options);
        Assert.Equal([2, 3, 4, 5, 6], Mains(reopened));
        Assert.Equal(ends, reopened.Capture());
        Assert.Equal(ends.Segments[^1].End, _disk.ReadAll("store/00000001.segment").Length);
        var place = reopened.Append(RecordKind.Tombstone, new Revision(7, 0), Payload(40, 1));
        Assert.Equal(ends.Segments[^1].Id, place.Segment);
        Assert.Equal((uint)ends.Segments[^1].End, place.Offset);
        Assert.Equal([2, 3, 4, 5, 6, 7], Mains(reopened));
    }

    [Fact]
    public void Numbers_of_files_that_a_crash_left_behind_are_not_used_again()
    {
        _disk.Put("store/0000002a.segment", new byte[10]);
        var log = RevisionLog.Open(_disk, Directory, RevisionLogEnds.Empty, StoreWorkload.Options);
        Assert.Equal(0x2bu, log.Append(RecordKind.Put, new Revision(2, 0), [1]).Segment);
        Assert.Equal(0x2cu, log.ReserveIds(10));
        Assert.Equal(0x36u, log.ReserveIds(1));
    }

    [Fact]
    public async Task A_missing_tail_of_a_file_and_a_swapped_file_are_damage()
    {
        Fill(from: 2, count: 60);
        var ends = _log.Capture();
        await _log.SyncAsync(ends);
        Assert.True(ends.Segments.Length >= 2);
        var first = _disk.ReadAll("store/00000001.segment");
        _disk.Damage("store/00000001.segment", 0, _disk.ReadAll("store/00000002.segment"));
        Assert.Equal(0, Assert.Throws<CorruptionException>(() => RevisionLog.Open(_disk, Directory, ends, StoreWorkload.Options)).Offset);

        _disk.Damage("store/00000001.segment", 0, first);
        _disk.Truncate("store/00000001.segment", ends.Segments[0].End - 1);
        var damage = Assert.Throws<CorruptionException>(() => RevisionLog.Open(_disk, Directory, ends, StoreWorkload.Options));
        Assert.Equal(("store/00000001.segment", ends.Segments[0].End - 1), (damage.Path, damage.Offset));
    }

    [Fact]
    public async Task Cleaning_keeps_order_and_old_views_and_comes_out_of_the_next_capture()
    {
        // Given segments of which every second record is dead.
        var places = Fill(from: 2, count: 200);
        await WriteManifestAsync();
        var view = _log.View;
        for (var i = 0; i < places.Count; i += 2)
        {
            _log.MarkDead(places[i]);
        }

        var live = places.Select((place, i) => (place, i)).Where(row => row.i % 2 == 1).ToDictionary(row => row.place, row => row.i);
        var total = _log.TotalBytes;

        // When all of them are cleaned.
        var moved = await CleanAsync(live);

        // Then what lives lies elsewhere, in order and once, and who still has the old places can use them.
        Assert.True(moved > 50);
        Assert.True(_log.TotalBytes < total * 2 / 3);
        Assert.Equal(live.Count, live.Values.Distinct().Count());
        foreach (var (place, i) in live)
        {
            Assert.Equal(Payload(100, i + 2), StoreWorkload.Read(_log.View, place));
            Assert.Equal(Payload(100, i + 2), StoreWorkload.Read(view, places[i]));
        }

        Assert.Equal(Mains(_log), Mains(_log).Order().Distinct());
        Assert.DoesNotContain(_log.Capture().Segments, segment => segment.Id == places[0].Segment);
    }

    [Fact]
    public async Task Copies_of_the_cleaner_are_durable_with_their_name_before_anybody_is_told()
    {
        var places = Fill(from: 2, count: 100);
        await WriteManifestAsync();
        places.Take(20).ToList().ForEach(_log.MarkDead);
        var round = _log.BeginCleaning(new CleaningPolicy { DeadPercentMin = 10 });
        Assert.NotNull(round);
        var step = await round.StepAsync((_, _, place, _) => places.IndexOf(place) >= 20 ? place : null, 6000);
        _disk.CutPower(CrashMode.Lose);
        var move = step.Moves[^1];
        var copied = _disk.ReadAll($"store/{move.To.Segment:x8}.segment").AsSpan((int)move.To.Offset + RecordFormat.HeaderBytes, move.To.Length);
        Assert.Equal(Payload(100, (int)move.Revision.Main), copied.ToArray());
    }

    [Fact]
    public async Task A_record_that_a_manifest_does_not_cover_is_never_a_victim()
    {
        Assert.Null(_log.BeginCleaning(new CleaningPolicy()));
        var places = Fill(from: 2, count: 100);
        places.ForEach(_log.MarkDead);
        await _log.SyncAsync(_log.Capture());
        Assert.Null(_log.BeginCleaning(new CleaningPolicy()));
        await WriteManifestAsync();
        Assert.NotNull(_log.BeginCleaning(new CleaningPolicy()));
        Assert.Null(_log.BeginCleaning(new CleaningPolicy()));
    }

    [Fact]
    public async Task A_needed_record_that_the_lookup_denies_stops_everything_before_it_is_lost()
    {
        var places = Fill(from: 2, count: 100);
        await WriteManifestAsync();
        places.Take(60).ToList().ForEach(_log.MarkDead);
        var round = _log.BeginCleaning(new CleaningPolicy { DeadPercentMin = 1 });
        Assert.NotNull(round);
        var step = await round.StepAsync((_, _, _, _) => null, 1 << 20);
        Assert.True(step.IsLast);
        var failure = Assert.ThrowsAny<Exception>(() => _log.Complete(step, (in RecordMove _) => true));
        Assert.Contains("live bytes", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dead_record_that_the_owner_needs_all_the_same_is_kept()
    {
        var places = Fill(from: 2, count: 100);
        await WriteManifestAsync();
        places.ForEach(_log.MarkDead);
        while (_log.BeginCleaning(new CleaningPolicy()) is { } round)
        {
            var step = await round.StepAsync((_, revision, _, _) => revision.Main == 5 ? "needed" : null, 1 << 20);
            Assert.True(step.IsLast);
            _log.Complete(step, (in RecordMove _) => false);
        }

        Assert.Contains(5, Mains(_log));
        Assert.DoesNotContain(6, Mains(_log));
        Assert.Equal(_log.Capture().Segments[^1].LiveBytes, _log.LiveBytes);
    }

    [Fact]
    public async Task Many_small_segments_become_one()
    {
        // Given nine segments of one record each, as failed syncs leave them behind.
        var live = new Dictionary<RecordPlace, int>();
        for (var i = 0; i < 9; i++)
        {
            live.Add(Fill(from: 2 + i, count: 1)[0], i);
            _disk.Fail("fdatasync", "segment", Errno.InputOutput);
            await Assert.ThrowsAsync<DiskException>(async () => await _log.SyncAsync(_log.Capture()));
            _log.Salvage((_, _, place, _) => live[place], (in RecordMove move) => live.Remove(move.From) && live.TryAdd(move.To, (int)move.Handle));
            await WriteManifestAsync();
        }

        Assert.Equal(9, _log.Capture().Segments.Length);

        Assert.Equal(9, await CleanAsync(live));
        Assert.Single(_log.Capture().Segments);
        Assert.Equal(9, Mains(_log).Count);
    }

    [Fact]
    public async Task The_scrubber_finds_rot_that_nobody_reads_and_goes_on_behind_it()
    {
        // Given damage in the file, of a record that is in memory too, and of a later segment.
        var places = Fill(from: 2, count: 100);
        var scrubber = new RevisionLogScrubber(_log);
        Assert.False(ScrubAll(scrubber));
        await _log.SyncAsync(_log.Capture());
        Assert.False(ScrubAll(scrubber));
        var damaged = new[] { places[3], places[^1] };
        foreach (var place in damaged)
        {
            _disk.FlipBit($"store/{place.Segment:x8}.segment", (place.Offset + 50) * 8);
        }

        // Then each pass names both.
        for (var pass = 0; pass < 2; pass++)
        {
            foreach (var place in damaged)
            {
                var damage = Assert.Throws<CorruptionException>(() => ScrubAll(scrubber));
                Assert.Equal(($"store/{place.Segment:x8}.segment", (long)place.Offset), (damage.Path, damage.Offset));
            }

            Assert.False(ScrubAll(scrubber));
        }
    }

    [Fact]
    public async Task After_a_failed_sync_nothing_of_that_file_is_relied_on_but_what_was_synced()
    {
        // Given five synced records, and five whose sync fails, so that the disk may or may not have them.
        var places = Fill(from: 2, count: 5);
        await _log.SyncAsync(_log.Capture());
        places.AddRange(Fill(from: 7, count: 5));
        _disk.Fail("fdatasync", "segment", Errno.InputOutput);
        var capture = _log.Capture();
        await Assert.ThrowsAsync<DiskException>(async () => await _log.SyncAsync(capture));
        await Assert.ThrowsAsync<IOException>(async () => await _log.SyncAsync(capture));
        places.AddRange(Fill(from: 12, count: 2));
        var before = _log.View;

        // When the owner salvages them.
        var moves = new List<RecordMove>();
        _log.Salvage((_, revision, place, _) => places[(int)revision.Main - 2] == place ? place : null, (in RecordMove move) =>
        {
            moves.Add(move);
            places[(int)move.Revision.Main - 2] = move.To;
            return true;
        });

        // Then they lie in another segment, and a power cut after the next sync loses nothing.
        Assert.Equal([7, 8, 9, 10, 11], moves.Select(move => move.Revision.Main));
        Assert.All(moves, move => Assert.NotEqual(move.From.Segment, move.To.Segment));
        Assert.All(moves, move => Assert.Equal(Payload(100, (int)move.Revision.Main), StoreWorkload.Read(before, move.From)));
        _log.AssertInvariants();
        var ends = _log.Capture();
        await _log.SyncAsync(ends);
        _disk.CutPower(CrashMode.Lose);
        var reopened = RevisionLog.Open(_disk, Directory, ends, StoreWorkload.Options);
        Assert.Equal(Enumerable.Range(2, 12).Select(main => (long)main), Mains(reopened));
        for (var i = 0; i < places.Count; i++)
        {
            Assert.Equal(Payload(100, i + 2), StoreWorkload.Read(reopened.View, places[i]));
        }
    }

    [Fact]
    public void Readers_on_other_threads_see_every_record_whole_while_buffers_are_used_again()
    {
        var options = new RevisionLogOptions { SegmentBytes = 1 << 14, ChunkBytes = 256, TailBytes = 1024 };
        var log = RevisionLog.Open(_disk, Directory, RevisionLogEnds.Empty, options);
        var places = new RecordPlace[4000];
        var count = 0;
        var failure = (Exception?)null;
        var readers = Enumerable.Range(0, 3).Select(seed => new Thread(() =>
        {
            try
            {
                var prng = new Prng((ulong)seed);
                for (var last = 0; last < places.Length - 1;)
                {
                    last = Volatile.Read(ref count) - 1;
                    if (last >= 0)
                    {
                        var i = Math.Max(0, last - prng.Below(60));
                        Assert.Equal(Payload(100, i), StoreWorkload.Read(log.View, places[i]));
                    }
                }
            }
            catch (Exception caught)
            {
                // Whatever it is, the test reports it from its own thread.
                failure = caught;
            }
        })).ToList();
        readers.ForEach(reader => reader.Start());
        for (var i = 0; i < places.Length; i++)
        {
            places[i] = log.Append(RecordKind.Put, new Revision(i + 1, 0), Payload(100, i));
            Volatile.Write(ref count, i + 1);
            if (i % 5 == 0)
            {
                Assert.True(log.SyncAsync(log.Capture()).AsTask().IsCompletedSuccessfully);
            }
        }

        readers.ForEach(reader => reader.Join());
        Assert.Null(failure);
    }

    private static byte[] Payload(int length, int seed)
    {
        var payload = new byte[length];
        new Prng((ulong)seed).Fill(payload);
        return payload;
    }

    private static bool ScrubAll(RevisionLogScrubber scrubber)
    {
        while (scrubber.Step(1000))
        {
        }

        return false;
    }

    private static List<long> Mains(RevisionLog log)
    {
        var mains = new List<long>();
        var reader = log.View.ReadFrom(new Revision(0, 0), long.MaxValue);
        while (reader.MoveNext())
        {
            mains.Add(reader.Revision.Main);
        }

        return mains;
    }

    private int CountFrom(long main)
    {
        var count = 0;
        for (var reader = _log.View.ReadFrom(new Revision(main, 0), long.MaxValue); reader.MoveNext();)
        {
            count++;
        }

        return count;
    }

    private List<RecordPlace> Fill(int from, int count) =>
        [.. Enumerable.Range(from, count).Select(main => _log.Append(RecordKind.Put, new Revision(main, 0), Payload(100, main)))];

    private async Task WriteManifestAsync()
    {
        var ends = _log.Capture();
        await _log.SyncAsync(ends);
        _log.ManifestWritten(ends);
    }

    private async Task<int> CleanAsync(Dictionary<RecordPlace, int> live)
    {
        var moved = 0;
        while (_log.BeginCleaning(new CleaningPolicy { DeadPercentMin = 40 }) is { } round)
        {
            CleaningStep step;
            do
            {
                step = await round.StepAsync((_, _, place, _) => live.TryGetValue(place, out var i) ? i : null, 500);
                moved += step.Moves.Count;
                _log.Complete(step, (in RecordMove move) =>
                {
                    live.Remove(move.From);
                    live.Add(move.To, (int)move.Handle);
                    return true;
                });
            }
            while (!step.IsLast);
        }

        return moved;
    }
}
