using Cairn.Storage;
using Cairn.Storage.Wal;
using Xunit;

namespace Cairn.Tests.Storage.Wal;

public sealed class WalTornTailTests(ITestOutputHelper output)
{
    private const int SectorBytes = 512;

    private static readonly Dictionary<string, Func<LogImage, int, byte[]>> Damages = new()
    {
        ["cut off"] = (image, at) => image.Last.Bytes[..at],
        ["zero to the end"] = (image, at) => With(image, at, image.Last.Bytes.Length, (_, _) => 0),
        ["zero up to here"] = (image, at) => With(image, image.Begin, at, (_, _) => 0),
        ["zero in the upper half of the sector"] = (image, at) => With(image, Sector(at) + (SectorBytes / 2), Sector(at) + SectorBytes, (_, _) => 0),
        ["one sector missing"] = (image, at) => With(image, Sector(at), Sector(at) + SectorBytes, (_, _) => 0),
        ["one byte garbled"] = (image, at) => With(image, at, at + 1, (_, old) => (byte)(old ^ (1 + (at * 37 % 255)))),
        ["one bit flipped"] = (image, at) => With(image, at, at + 1, (_, old) => (byte)(old ^ (1 << (at % 8)))),
        ["an old block here"] = (image, at) => With(image, Sector(at), Sector(at) + SectorBytes, (i, _) => image.Last.Bytes[i % SectorBytes]),
        ["the block before here"] = (image, at) => With(image, at, at + SectorBytes, (i, _) => image.Last.Bytes[Math.Max(i - SectorBytes, 0)]),
        ["old bytes from here on"] = (image, at) => With(image, at, image.End, (i, _) => image.Last.Bytes[i - at]),
        ["an old batch from here on"] = (image, at) => With(image, at, image.End, (i, _) => image.Files[0].Bytes[(i - at + 64) % 4096]),
    };

    public static TheoryData<string> Tears => [.. Damages.Keys];

    [Theory]
    [MemberData(nameof(Tears))]
    public async Task A_batch_torn_anywhere_is_cut_off_and_nothing_before_it(string tear)
    {
        var tried = 0;
        var cut = 0;
        for (ulong seed = 1; seed <= 3; seed++)
        {
            // Given a log whose last batch was under way,
            var image = await LogImage.MakeAsync(seed);
            for (var at = image.Begin; at < image.End; at++, tried++)
            {
                // when it is torn at any byte,
                var disk = image.ToDisk();
                disk.Put(image.Last.Path, Damages[tear](image, at));
                var (log, contents) = await WriteAheadLog.OpenAsync(disk, LogWorkload.Directory, image.Whole.Opened, LogWorkload.Options);

                // then all before it is there, and of the batch either all or nothing.
                var isWhole = image.Whole.Matches(contents);
                Assert.True(isWhole || image.Acknowledged.Matches(contents), $"{tear}, seed {seed}, byte {at}");
                cut += isWhole ? 0 : 1;
                await log.DisposeAsync();
            }
        }

        output.WriteLine($"{tear}: {tried} offsets, {cut} cut off");
        Assert.True(cut > 1000, $"{cut} of {tried}");
    }

    [Fact]
    public async Task A_torn_batch_whose_state_is_garbled_to_claim_another_batch_is_cut_off()
    {
        // Given a batch under way, of which an entry is broken,
        var image = await LogImage.MakeAsync(1);
        var torn = image.Last.Bytes.ToArray();
        torn[image.Begin + 40] ^= 1;
        for (var at = image.End - 48; at < image.End; at++)
        {
            for (var garbage = 0; garbage < 256; garbage++)
            {
                // when a byte near its end, where its state says where it begins, is any other,
                var bytes = torn.ToArray();
                bytes[at] = (byte)garbage;

                // then it is no proof of a batch behind the broken record.
                Assert.Equal(image.Begin, SegmentScan.Find("wal", bytes, null).Offset);
            }
        }
    }

    [Fact]
    public async Task What_is_cut_off_is_kept_and_reported()
    {
        var image = await LogImage.MakeAsync(1);
        var disk = image.ToDisk();
        var broken = image.Last.Bytes.ToArray();
        broken[image.Begin + 40] ^= 1;
        disk.Put(image.Last.Path, broken);

        var (log, contents) = await WriteAheadLog.OpenAsync(disk, LogWorkload.Directory, image.Whole.Opened, LogWorkload.Options);

        Assert.Equal(new WalRepair(image.Last.Path, image.Begin, image.End - image.Begin, "a batch with a broken record", image.Last.Path + ".broken"), Trim(contents.Repair));
        Assert.Equal(broken[..(image.End - 8)], disk.ReadAll(image.Last.Path + ".broken")[..(image.End - 8)]);
        await log.DisposeAsync();

        // The last bytes of the batch are padding, or are zero by chance, and do not count as found.
        WalRepair? Trim(WalRepair? repair) => repair is null ? null : repair with { Bytes = (repair.Bytes + 7) / 8 * 8 };
    }

    [Fact]
    public void A_tail_of_etcd_that_lacks_a_sector_is_cut_off_and_a_garbled_one_is_rot()
    {
        var segment = LogImage.MakeOfEtcd(out var lastWrite, out _);

        var torn = segment.ToArray();
        var sector = (lastWrite / SectorBytes * SectorBytes) + SectorBytes;
        torn.AsSpan(sector, SectorBytes).Clear();
        var end = SegmentScan.Find("wal", torn, null);
        Assert.Equal(lastWrite, end.Offset);
        Assert.Equal("a record with a sector of zeros", end.Tear);

        var garbled = segment.ToArray();
        garbled[sector] ^= 1;
        var rot = Assert.Throws<CorruptionException>(() => SegmentScan.Find("wal", garbled, null));
        Assert.Equal(lastWrite, rot.Offset);

        var cut = SegmentScan.Find("wal", segment.AsSpan(0, sector), null);
        Assert.Equal(lastWrite, cut.Offset);
    }

    [Fact]
    public void A_hole_in_what_etcd_synced_is_rot_even_if_it_looks_torn()
    {
        var segment = LogImage.MakeOfEtcd(out _, out _);

        // A sector of zeros in the middle: etcd would take it for the end of its log, and forget the entries behind.
        segment.AsSpan(SectorBytes, SectorBytes).Clear();

        Assert.Throws<CorruptionException>(() => SegmentScan.Find("wal", segment, null));
    }

    private static int Sector(int at) => at / SectorBytes * SectorBytes;

    // Only bytes of the batch change.
    private static byte[] With(LogImage image, int begin, int end, Func<int, byte, byte> change)
    {
        var bytes = image.Last.Bytes.ToArray();
        for (var i = Math.Max(begin, image.Begin); i < Math.Min(end, image.End); i++)
        {
            bytes[i] = change(i, bytes[i]);
        }

        return bytes;
    }
}
