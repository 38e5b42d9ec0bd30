using System.Buffers.Binary;
using Cairn.Bbolt;
using Xunit;

namespace Cairn.Tests.Bbolt;

public sealed class BboltCheckTests
{
    private const int PageSize = 1024;

    [Fact]
    public void A_synced_free_list_of_any_length_is_sound()
    {
        foreach (var freePages in new[] { 0, 1, 126, 127, 1000 })
        {
            Assert.Empty(TestImages.Open(WithFreeList(freePages)).Check());
        }
    }

    [Fact]
    public void A_free_list_with_the_escaped_count_is_read()
    {
        var image = WithFreeList(freePages: 10);
        var list = ListPage(image);
        BinaryPrimitives.WriteUInt16LittleEndian(list[10..], 0xFFFF);
        list.Slice(16, 80).ToArray().CopyTo(list[24..]);
        BinaryPrimitives.WriteUInt64LittleEndian(list[16..], 10);

        Assert.Empty(TestImages.Open(image).Check());
    }

    [Fact]
    public void A_page_that_is_neither_used_nor_listed_is_found()
    {
        var image = WithFreeList(freePages: 10);
        BinaryPrimitives.WriteUInt16LittleEndian(ListPage(image)[10..], 9);

        Assert.EndsWith("is neither in use nor on the free list", Assert.Single(TestImages.Open(image).Check()).What, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_free_list_an_unused_page_is_free()
    {
        var image = WithFreeList(freePages: 10);
        var meta = TestImages.Open(image).Meta;

        Assert.Empty(TestImages.Open(TestImages.WithMetas(image, meta with { FreeListPage = BboltMeta.NoFreeList })).Check());
    }

    [Fact]
    public void A_page_in_use_that_is_listed_as_free_is_found()
    {
        var image = WithFreeList(freePages: 10);
        BinaryPrimitives.WriteUInt64LittleEndian(ListPage(image)[16..], 3);

        var findings = TestImages.Open(image).Check();

        Assert.Contains(findings, finding => finding == new BboltFinding(3 * PageSize, "page 3 is in use, but also on the free list"));
    }

    [Theory]
    [InlineData(1, 0)]
    [InlineData(1, 1)]
    [InlineData(0, 1)]
    [InlineData(5, 1_000_000)]
    public void A_free_list_out_of_order_or_range_is_found(int index, int id)
    {
        var image = WithFreeList(freePages: 10);
        BinaryPrimitives.WriteUInt64LittleEndian(ListPage(image)[(16 + (index * 8))..], (ulong)id);
        var place = ((long)TestImages.Open(image).Meta.FreeListPage * PageSize) + 16 + (index * 8);

        Assert.Equal(place, TestImages.Open(image).Check()[0].Offset);
    }

    [Fact]
    public void Two_buckets_with_one_root_are_found()
    {
        var image = new Model { ["a"] = Rows(), ["b"] = Rows() }.Write(PageSize);
        var file = TestImages.Open(image);
        var (a, b) = (file.Buckets().First(), file.Buckets().Last());
        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan((int)b.HeaderOffset), a.RootPage);

        Assert.Equal(new BboltFinding(b.HeaderOffset, $"a second reference to page {a.RootPage}"), Assert.Single(TestImages.Open(image).Check()));
    }

    [Fact]
    public void Many_references_to_one_tree_do_not_multiply_the_work()
    {
        var model = new Model { ["a"] = ModelBucket.Of(20_000, row => $"{row:d6}", _ => 10) };
        for (var bucket = 0; bucket < 500; bucket++)
        {
            model[$"b{bucket:d3}"] = Rows();
        }

        var image = model.Write(PageSize);
        var root = TestImages.Open(image).Buckets().First().RootPage;
        foreach (var bucket in TestImages.Open(image).Buckets().Skip(1).ToList())
        {
            BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan((int)bucket.HeaderOffset), root);
        }

        var reads = 0;
        var source = TestImages.Source(image);
        var file = BboltFile.Open(Counted, image.Length);

        Assert.Equal(500, file.Check(findingsMax: 1000).Count);
        Assert.InRange(reads, 1, 4 * image.Length / PageSize);

        int Counted(long offset, Span<byte> destination)
        {
            reads++;
            return source(offset, destination);
        }
    }

    [Fact]
    public void A_chain_of_branches_with_one_child_each_ends_at_the_depth_limit()
    {
        var image = new Model { ["a"] = ModelBucket.Of(10_000, row => $"{row:d6}", _ => 10) }.Write(PageSize);
        var bucket = TestImages.Open(image).Buckets().Single();
        for (var page = 2; page < 200; page++)
        {
            WriteBranch(image.AsSpan(page * PageSize, PageSize), page, child: page + 1);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(image.AsSpan((int)bucket.HeaderOffset), 2);

        var damage = Assert.Throws<BboltCorruptionException>(() => Model.Read(TestImages.Open(image)));

        Assert.Contains("deeper than 64 levels", damage.Message, StringComparison.Ordinal);
        Assert.Contains(damage.Finding, TestImages.Open(image).Check());
    }

    [Fact]
    public void A_branch_that_is_its_own_only_child_ends_at_the_depth_limit()
    {
        var image = new Model { ["a"] = Rows() }.Write(PageSize);
        var bucket = TestImages.Open(image).Buckets().Single();
        var page = (int)bucket.RootPage;
        WriteBranch(image.AsSpan(page * PageSize, PageSize), page, child: page);

        Assert.Throws<BboltCorruptionException>(() => Model.Read(TestImages.Open(image)));
        Assert.Equal($"a second reference to page {page}", Assert.Single(TestImages.Open(image).Check()).What);
    }

    [Fact]
    public void A_last_value_that_became_shorter_is_found()
    {
        var image = new Model { ["a"] = ModelBucket.Of(1, _ => "k", _ => 900) }.Write(PageSize);
        BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan((2 * PageSize) + 16 + 12), 899);

        Assert.Equal((2 * PageSize) + 16 + 16 + 1 + 899, Assert.Single(TestImages.Open(image).Check()).Offset);
    }

    [Fact]
    public void A_bucket_within_a_bucket_is_refused()
    {
        var image = new Model { ["a"] = Rows() }.Write(PageSize);
        image[(2 * PageSize) + 16] = 1;

        var damage = Assert.Throws<BboltCorruptionException>(() => Model.Read(TestImages.Open(image)));

        Assert.Equal("element 0 of page 2 has flags 1, expected 0 (a row)", damage.Finding.What);
    }

    [Fact]
    public void Findings_stop_at_the_number_asked_for()
    {
        var image = TestImages.Etcd(ModelBucket.Of(1000, row => $"{row:d4}", _ => 10)).Write(PageSize);
        for (var page = 3; page < 30; page++)
        {
            image[page * PageSize] ^= 0x80;
        }

        Assert.Equal(5, TestImages.Open(image).Check(findingsMax: 5).Count);
        Assert.True(TestImages.Open(image).Check().Count > 20);
    }

    private static ModelBucket Rows() => ModelBucket.Of(10, row => $"{row:d3}", _ => 50);

    private static byte[] WithFreeList(int freePages) => TestImages.WithFreeList(TestImages.Etcd(Rows()).Write(PageSize), freePages);

    private static Span<byte> ListPage(byte[] image) => image.AsSpan((int)TestImages.Open(image).Meta.FreeListPage * PageSize);

    private static void WriteBranch(Span<byte> page, int id, int child)
    {
        page.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(page, (ulong)id);
        BinaryPrimitives.WriteUInt16LittleEndian(page[8..], 1);
        BinaryPrimitives.WriteUInt16LittleEndian(page[10..], 1);
        BinaryPrimitives.WriteUInt32LittleEndian(page[16..], 16);
        BinaryPrimitives.WriteUInt32LittleEndian(page[20..], 1);
        BinaryPrimitives.WriteUInt64LittleEndian(page[24..], (ulong)child);
        page[32] = (byte)'0';
    }
}
