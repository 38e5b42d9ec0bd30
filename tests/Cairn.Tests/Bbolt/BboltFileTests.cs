using System.Text;
using Cairn.Bbolt;
using Xunit;

namespace Cairn.Tests.Bbolt;

public sealed class BboltFileTests
{
    [Fact]
    public void A_file_that_bbolt_wrote_is_sound_and_holds_what_was_put_there()
    {
        var expected = new Model { ["empty"] = [], ["small"] = [], ["rows"] = [] };
        expected["small"].Add("a"u8.ToArray(), "1"u8.ToArray());
        foreach (var row in Enumerable.Range(0, 120).Where(row => row <= 30 || row % 3 != 0))
        {
            expected["rows"].Add(
                Encoding.ASCII.GetBytes($"row{row:d3}"), Encoding.ASCII.GetBytes(new string((char)('a' + (row % 26)), row == 50 ? 2500 : row % 40)));
        }

        var file = TestImages.Open(FileOfBbolt.Read());

        Assert.Equal(expected.Lines(), Model.Read(file).Lines());
        Assert.Empty(file.Check());
        Assert.NotEqual(BboltMeta.NoFreeList, file.Meta.FreeListPage);
        Assert.True(file.TryOpenBucket("rows"u8, out var rows));
        Assert.Equal(77UL, rows.Sequence);
    }

    [Fact]
    public void The_larger_transaction_counts_on_whichever_meta_page_it_stands()
    {
        var image = TestImages.Etcd([]).Write(pageSize: 4096);
        var meta = TestImages.Open(image).Meta;
        (meta with { Page = 1, TransactionId = meta.TransactionId + 1 }).Write(image.AsSpan(4096, 4096));

        Assert.Equal(0, meta.Page);
        Assert.Equal((1, meta.TransactionId + 1), (TestImages.Open(image).Meta.Page, TestImages.Open(image).Meta.TransactionId));
    }

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    [InlineData(65536)]
    public void A_damaged_meta_is_passed_over_and_reported(int pageSize)
    {
        var model = TestImages.Etcd(ModelBucket.Of(100, row => $"{row:d3}", _ => 10));
        for (var page = 0; page < 2; page++)
        {
            var image = model.Write(pageSize);
            image[(page * pageSize) + 16 + 40] ^= 1;

            var file = TestImages.Open(image);

            Assert.Equal(1 - page, file.Meta.Page);
            Assert.Equal(model.Lines(), Model.Read(file).Lines());
            Assert.Single(file.MetaFindings);
            Assert.Equal(file.MetaFindings, file.Check());
        }
    }

    [Fact]
    public void Two_damaged_metas_are_refused_with_both_reasons()
    {
        var image = TestImages.Etcd([]).Write(pageSize: 4096);
        image[16] ^= 1;
        image[4096 + 16] ^= 1;

        var damage = Assert.Throws<BboltCorruptionException>(() => TestImages.Open(image));

        Assert.Contains("meta page 0 has magic", damage.Message, StringComparison.Ordinal);
        Assert.Contains("no valid meta page 1", damage.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_behind_the_high_water_mark_do_not_matter()
    {
        var model = TestImages.Etcd(ModelBucket.Of(100, row => $"{row:d3}", _ => 10));
        byte[] image = [.. model.Write(pageSize: 4096), .. ModelBucket.Pattern(1, 32)];

        var file = TestImages.Open(image);

        Assert.Equal(image.Length - 32, file.ImageLength);
        Assert.Equal(model.Lines(), Model.Read(file).Lines());
        Assert.Empty(file.Check());
    }

    [Fact]
    public void A_failure_of_the_source_passes_through()
    {
        var image = TestImages.Etcd(ModelBucket.Of(1000, row => $"{row:d4}", _ => 10)).Write(pageSize: 512);
        var source = TestImages.Source(image);
        var file = BboltFile.Open((offset, destination) => offset < 5000 ? source(offset, destination) : throw new IOException("EIO"), image.Length);

        Assert.Throws<IOException>(() => Model.Read(file));
    }

    [Fact]
    public void A_cursor_that_met_damage_says_so_again()
    {
        var image = TestImages.Etcd(ModelBucket.Of(100, row => $"{row:d3}", _ => 100)).Write(pageSize: 1024);
        image[(4 * 1024) + 8] = 0;
        Assert.True(TestImages.Open(image).TryOpenBucket("key"u8, out var bucket));
        var cursor = bucket.OpenCursor();
        var rows = 0;

        var first = Assert.Throws<BboltCorruptionException>(() =>
        {
            while (cursor.MoveNext())
            {
                rows++;
            }
        });

        Assert.True(rows > 0);
        Assert.Equal((4 * 1024) + 8, first.Offset);
        Assert.Equal(first.Finding, Assert.Throws<BboltCorruptionException>(() => cursor.MoveNext()).Finding);
    }
}
