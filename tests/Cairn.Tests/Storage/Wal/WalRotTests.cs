using Cairn.Storage;
using Cairn.Storage.Wal;
using Xunit;

namespace Cairn.Tests.Storage.Wal;

public sealed class WalRotTests(ITestOutputHelper output)
{
    [Fact]
    public async Task A_flipped_bit_in_what_was_synced_is_found_or_does_not_matter()
    {
        int found = 0, harmless = 0;
        for (ulong seed = 21; seed <= 22; seed++)
        {
            var image = await LogImage.MakeAsync(seed);
            foreach (var (path, bytes) in image.Files.Where(file => Covers(image, file.Path)))
            {
                var length = path == image.Last.Path ? image.Begin : bytes.Length;
                for (var at = 0; at < length; at++)
                {
                    var disk = image.ToDisk();
                    disk.FlipBit(path, (at * 8) + ((at * 5) + (at / 8)) % 8);
                    if (await FindsAsync(disk, image, path, at))
                    {
                        found++;
                    }
                    else
                    {
                        harmless++;
                    }
                }
            }
        }

        output.WriteLine($"{found} found, {harmless} harmless");
        Assert.True(found > 10_000, $"{found}");
    }

    [Fact]
    public async Task Rot_below_what_is_needed_costs_nothing_and_what_is_read_around_it_is_what_was_written()
    {
        int whole = 0, cut = 0;
        for (ulong seed = 26; seed <= 28; seed += 2)
        {
            var image = await LogImage.MakeAsync(seed);
            var needed = WriteAheadLog.ReadSound(image.ToDisk(), LogWorkload.Directory, image.Whole.Opened).Entries[^1].Index - 3;
            var written = WriteAheadLog.ReadSound(image.ToDisk(), LogWorkload.Directory, needed);
            Assert.True(written is { IsWhole: true, Entries.Count: 3 });
            foreach (var (path, bytes) in image.Files)
            {
                var length = path == image.Last.Path ? image.Begin : bytes.Length;
                for (var at = 0; at < length; at++)
                {
                    var disk = image.ToDisk();
                    disk.FlipBit(path, (at * 8) + (at % 8));
                    var sound = WriteAheadLog.ReadSound(disk, LogWorkload.Directory, needed);
                    Assert.True(!sound.IsWhole || (sound.Entries.SequenceEqual(written.Entries) && sound.State == written.State), $"{path}, byte {at}");
                    (whole, cut) = sound.IsWhole ? (whole + 1, cut) : (whole, cut + 1);
                }
            }
        }

        output.WriteLine($"{whole} cost nothing, {cut} cost entries");
        Assert.True(whole > 2 * cut, $"{whole} {cut}");
    }

    [Fact]
    public async Task Rot_in_each_batch_but_the_last_is_found()
    {
        var image = await LogImage.MakeAsync(23);
        var frames = 0;
        foreach (var at in FramesBefore(image))
        {
            foreach (var bit in new[] { (at * 8) + 1, (at + 9) * 8, ((at + 9) * 8) + 1, ((at + 12) * 8) + 2 })
            {
                var disk = image.ToDisk();
                disk.FlipBit(image.Last.Path, bit);
                Assert.True(await FindsAsync(disk, image, image.Last.Path, bit / 8));
            }

            frames++;
        }

        Assert.True(frames > 8, $"{frames}");
    }

    [Fact]
    public void A_flipped_bit_in_what_etcd_synced_is_found_or_does_not_matter()
    {
        var segment = LogImage.MakeOfEtcd(out var lastWrite, out var end);
        var whole = Describe(segment, end);
        var entriesBefore = DescribeEntries(segment, lastWrite);
        var found = 0;
        for (var bit = 0; bit < lastWrite * 8; bit++)
        {
            var rotten = segment.ToArray();
            rotten[bit / 8] ^= (byte)(1 << (bit % 8));
            try
            {
                var scanned = SegmentScan.Find("wal", rotten, null);
                if (scanned.Offset == end)
                {
                    Assert.Equal(whole, Describe(rotten, scanned.Offset));
                    continue;
                }

                // States alone, which etcd writes without a sync, may go with the last write; no entry before it does.
                Assert.NotNull(scanned.Tear);
                Assert.Equal(entriesBefore, DescribeEntries(rotten, scanned.Offset));
            }
            catch (CorruptionException rot)
            {
                // What turned one record into another that means something shows where the two contradict each other.
                Assert.InRange(rot.Offset, 0, end);
                found++;
            }
        }

        output.WriteLine($"{found} of {lastWrite * 8} found");
        Assert.True(found > lastWrite * 7, $"{found}");
    }

    [Fact]
    public async Task A_missing_segment_and_an_index_out_of_reach_are_named()
    {
        var image = await LogImage.MakeAsync(24);
        Assert.True(image.Files.Count >= 3);
        var disk = image.ToDisk();
        disk.Delete(image.Files[^2].Path);
        var missing = await Assert.ThrowsAsync<CorruptionException>(async () => await WriteAheadLog.OpenAsync(disk, LogWorkload.Directory, 0, LogWorkload.Options));
        Assert.Equal(image.Last.Path, missing.Path);
    }

    [Fact]
    public async Task Segments_of_another_member_are_refused()
    {
        var image = await LogImage.MakeAsync(25);
        var other = new WalEncoder();
        var disk = image.ToDisk();
        Assert.True(WalFrame.TryRead(image.Last.Bytes, 0, out var seed));
        other.Begin(seed.Crc);
        other.AppendCrc();
        other.Append(WalRecordType.Metadata, WalPayload.EncodeMetadata(new WalMetadata(7, 8)));
        other.Append(new Cairn.Raft.HardState(9, 1, 1), 0);
        disk.Put(image.Last.Path, other.Batch.Span);
        await Assert.ThrowsAsync<CorruptionException>(async () => await WriteAheadLog.OpenAsync(disk, LogWorkload.Directory, 0, LogWorkload.Options));
    }

    private static List<int> FramesBefore(LogImage image)
    {
        var frames = new List<int>();
        for (var at = 0; at < image.Begin;)
        {
            frames.Add(at);
            Assert.True(WalFrame.TryRead(image.Last.Bytes, at, out var frame));
            at = frame.End;
        }

        return frames;
    }

    // Segments before the one with which opening begins are not read.
    private static bool Covers(LogImage image, string path)
    {
        var disk = image.ToDisk();
        var reader = new WalReader(disk, LogWorkload.Directory);
        return reader.Names.Skip(reader.FindStart(image.Whole.Opened)).Any(name => reader.PathOf(name) == path);
    }

    private static async Task<bool> FindsAsync(IDisk disk, LogImage image, string path, int at)
    {
        try
        {
            var (log, contents) = await WriteAheadLog.OpenAsync(disk, LogWorkload.Directory, image.Whole.Opened, LogWorkload.Options);
            await log.DisposeAsync();
            Assert.True(image.Whole.Matches(contents), $"{path}, byte {at}: wrong entries");
            return false;
        }
        catch (CorruptionException rot)
        {
            Assert.True(rot.Path == path || rot.Offset == 0 || at < 16, $"{rot.Message}; damaged {path} at {at}");
            return true;
        }
    }

    private static string Describe(byte[] segment, int end)
    {
        var contents = Replay(segment, end);
        return $"{contents.State} {contents.Metadata} {DescribeEntries(segment, end)}";
    }

    private static string DescribeEntries(byte[] segment, int end) =>
        string.Join(' ', Replay(segment, end).Entries.Select(entry => $"{entry.Term}/{entry.Index}/{entry.Type}/{Convert.ToHexString(entry.Data.Span)}"));

    private static WalContents Replay(byte[] segment, int end)
    {
        var replay = new WalReplay(0, 0);
        replay.Take("wal", segment.AsMemory(0, end));
        return replay.Finish(null);
    }
}
