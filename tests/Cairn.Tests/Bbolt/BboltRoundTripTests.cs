using System.Buffers.Binary;
using Cairn.Bbolt;
using Xunit;

namespace Cairn.Tests.Bbolt;

public sealed class BboltRoundTripTests
{
    public static TheoryData<int> PageSizes => [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];

    [Theory]
    [MemberData(nameof(PageSizes))]
    public void What_was_written_is_read_at_every_page_size(int pageSize)
    {
        var model = TestImages.Etcd(ModelBucket.Of(3000, row => $"key-{row:d6}", row => row % 97 == 0 ? 3 * pageSize : row % 200));

        var image = model.Write(pageSize);

        var file = TestImages.Open(image);
        Assert.Equal(pageSize, file.PageSize);
        Assert.Equal(model.Lines(), Model.Read(file).Lines());
        Assert.Empty(file.Check());
    }

    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    [InlineData(65536)]
    public void More_rows_than_a_page_can_count_are_read_back(int pageSize)
    {
        var model = TestImages.Etcd(ModelBucket.Of(70_000, row => $"{row:x}", row => row % 3));

        var file = TestImages.Open(model.Write(pageSize));

        Assert.Equal(model.Lines(), Model.Read(file).Lines());
        Assert.Empty(file.Check());
    }

    [Theory]
    [InlineData(512)]
    [InlineData(65536)]
    public void Keys_of_the_largest_size_are_read_back_through_several_levels(int pageSize)
    {
        var model = new Model { ["b"] = ModelBucket.Of(40, row => $"{row:d8}" + new string('k', 32768 - 8), _ => 1) };

        var file = TestImages.Open(model.Write(pageSize));

        Assert.Equal(model.Lines(), Model.Read(file).Lines());
        Assert.Empty(file.Check());
    }

    [Fact]
    public void A_file_without_buckets_has_none()
    {
        var file = TestImages.Open(new Model().Write(pageSize: 4096));

        Assert.Empty(file.Buckets());
        Assert.False(file.TryOpenBucket("key"u8, out _));
        Assert.Empty(file.Check());
        Assert.Equal(3 * 4096, file.ImageLength);
    }

    [Fact]
    public void Many_buckets_make_a_root_tree_of_several_levels()
    {
        var model = new Model();
        for (var bucket = 0; bucket < 2000; bucket++)
        {
            model[$"bucket-{bucket:d5}"] = ModelBucket.Of(bucket % 40, row => $"k{row:d3}", _ => bucket % 7);
        }

        var file = TestImages.Open(model.Write(pageSize: 512));

        Assert.Equal(model.Lines(), Model.Read(file).Lines());
        Assert.Empty(file.Check());
        Assert.True(file.TryOpenBucket("bucket-01234"u8, out var found));
        Assert.Equal("bucket-01234"u8, found.Name.Span);
        Assert.False(file.TryOpenBucket("bucket-01234x"u8, out _));
    }

    [Theory]
    [InlineData(1024 - 16 - 16 - 1, true)]
    [InlineData(1024 - 16 - 16, false)]
    public void A_bucket_lies_inline_up_to_a_quarter_of_a_page(int valueLength, bool isInline)
    {
        // A page of 16 + 16 + 1 + value bytes; the limit at page size 4096 is 1024.
        var model = new Model { ["b"] = ModelBucket.Of(1, _ => "k", _ => valueLength) };

        var file = TestImages.Open(model.Write(pageSize: 4096));

        Assert.True(file.TryOpenBucket("b"u8, out var bucket));
        Assert.Equal(isInline, bucket.RootPage == 0);
        Assert.Equal(model.Lines(), Model.Read(file).Lines());
    }

    [Theory]
    [InlineData(4096 - 16 - 16 - 1, 3 + 1)]
    [InlineData(4096 - 16 - 16, 3 + 2)]
    [InlineData(8192 - 16 - 16 - 1, 3 + 2)]
    [InlineData(8192 - 16 - 16, 3 + 3)]
    public void A_row_takes_as_many_pages_as_it_needs(int valueLength, int pages)
    {
        var model = new Model { ["b"] = ModelBucket.Of(1, _ => "k", _ => valueLength) };

        var image = model.Write(pageSize: 4096);

        Assert.Equal(pages * 4096, image.Length);
        Assert.Equal(model.Lines(), Model.Read(TestImages.Open(image)).Lines());
        Assert.Empty(TestImages.Open(image).Check());
    }

    [Fact]
    public void Random_buckets_are_read_as_the_model_has_them()
    {
        for (var seed = 1UL; seed <= 300; seed++)
        {
            var prng = new Prng(seed);
            var model = RandomModel(prng);
            var pageSize = 512 << prng.Below(8);

            var file = TestImages.Open(model.Write(pageSize, 1 + prng.Below(3 * pageSize)));

            Assert.Equal(model.Lines(), Model.Read(file).Lines());
            Assert.Empty(file.Check());
        }
    }

    [Fact]
    public void Seeking_finds_what_the_model_finds()
    {
        for (var seed = 1UL; seed <= 100; seed++)
        {
            var prng = new Prng(seed);
            var model = new Model { ["b"] = RandomBucket(prng) };
            var file = TestImages.Open(model.Write(pageSize: 512));
            Assert.True(file.TryOpenBucket("b"u8, out var bucket));
            var cursor = bucket.OpenCursor();
            for (var attempt = 0; attempt < 50; attempt++)
            {
                var wanted = RandomKey(prng);
                var expected = model["b"].Keys.Where(key => key.AsSpan().SequenceCompareTo(wanted) >= 0).Take(3).Select(Convert.ToHexString);

                var found = new List<string>();
                for (var more = cursor.Seek(wanted); more && found.Count < 3; more = cursor.MoveNext())
                {
                    found.Add(Convert.ToHexString(cursor.Key));
                }

                Assert.Equal(expected, found);
            }
        }
    }

    [Fact]
    public void Chunks_have_the_length_asked_for_and_the_plan_knows_their_sum()
    {
        var model = TestImages.Etcd(ModelBucket.Of(500, row => $"{row:d4}", row => row * 10));
        var image = BboltImage.Plan(model.Contents());

        var lengths = image.Emit(32 * 1024).Select(chunk => chunk.Length).ToList();

        Assert.All(lengths.SkipLast(1), length => Assert.Equal(32 * 1024, length));
        Assert.Equal(image.Length, lengths.Sum(length => (long)length));
        Assert.Equal(TestImages.Emit(image, 7), TestImages.Emit(image, 1 << 20));
    }

    [Fact]
    public void A_short_read_of_the_source_is_continued()
    {
        var model = TestImages.Etcd(ModelBucket.Of(200, row => $"{row:d4}", _ => 100));
        var bytes = model.Write(pageSize: 1024);
        var whole = TestImages.Source(bytes);

        var file = BboltFile.Open((offset, destination) => whole(offset, destination[..Math.Min(destination.Length, 7)]), bytes.Length);

        Assert.Equal(model.Lines(), Model.Read(file).Lines());
    }

    [Fact]
    public void A_bucket_is_copied_from_file_to_file_without_being_held_in_memory()
    {
        var model = TestImages.Etcd(ModelBucket.Of(5000, row => $"{row:d6}", row => row % 300));
        var original = TestImages.Open(model.Write(pageSize: 512));

        var contents = original.Buckets().Select(bucket => new BboltBucketContent(bucket.Name, () => new CopiedRows(bucket.OpenCursor())));
        var copy = BboltImage.Plan([.. contents], pageSize: 4096);

        Assert.Equal(model.Write(pageSize: 4096), TestImages.Emit(copy, 4096));
    }

    [Fact]
    public void Ten_times_the_rows_take_no_more_memory_to_write_and_to_read()
    {
        // The first round warms up what is allocated once in a process.
        MeasureAllocation(rows: 2_000);
        var few = MeasureAllocation(rows: 20_000);
        var many = MeasureAllocation(rows: 200_000);

        Assert.InRange(many - few, -32_768, 32_768);
    }

    [Fact]
    public void Names_out_of_order_are_refused()
    {
        BboltBucketContent[] buckets = [BboltBucketContent.Of("b"u8.ToArray(), []), BboltBucketContent.Of("a"u8.ToArray(), [])];

        Assert.Throws<ArgumentException>(() => BboltImage.Plan(buckets));
        Assert.Throws<ArgumentException>(() => BboltImage.Plan([], pageSize: 3000));
        Assert.Throws<ArgumentException>(() => BboltImage.Plan([], pageSize: 256));
    }

    [Fact]
    public void Keys_out_of_order_end_the_process_rather_than_make_a_file()
    {
        KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>[] rows = [new("b"u8.ToArray(), default), new("a"u8.ToArray(), default)];

        var failure = Assert.ThrowsAny<Exception>(() => BboltImage.Plan([BboltBucketContent.Of("k"u8.ToArray(), rows)]));

        Assert.StartsWith("invariant violated", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_second_enumeration_with_other_rows_ends_the_process_rather_than_make_a_file()
    {
        var count = 100;
        var bucket = new BboltBucketContent("k"u8.ToArray(), () => new CountedRows(count, valueLength: 100));
        var image = BboltImage.Plan([bucket]);
        count = 200;

        var failure = Assert.ThrowsAny<Exception>(() => TestImages.Emit(image, 4096));

        Assert.StartsWith("invariant violated", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Every_enumeration_is_disposed_even_if_the_receiver_goes_away()
    {
        var rows = new CountedRows(1000, valueLength: 100);
        var image = BboltImage.Plan([new BboltBucketContent("k"u8.ToArray(), () => rows = new CountedRows(1000, valueLength: 100))]);
        Assert.True(rows.IsDisposed);

        foreach (var chunk in image.Emit(4096).Skip(3))
        {
            Assert.False(rows.IsDisposed);
            break;
        }

        Assert.True(rows.IsDisposed);
    }

    private static long MeasureAllocation(int rows)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var image = BboltImage.Plan([new BboltBucketContent("key"u8.ToArray(), () => new CountedRows(rows, valueLength: 50))]);
        var planned = 0L;
        foreach (var chunk in image.Emit(32 * 1024))
        {
            planned += chunk.Length;
        }

        var written = GC.GetAllocatedBytesForCurrentThread() - before;
        var bytes = TestImages.Emit(image, 1 << 20);
        before = GC.GetAllocatedBytesForCurrentThread();
        Assert.True(TestImages.Open(bytes).TryOpenBucket("key"u8, out var bucket));
        var cursor = bucket.OpenCursor();
        var found = 0;
        while (cursor.MoveNext())
        {
            found++;
        }

        Assert.Equal(rows, found);
        Assert.Equal(bytes.Length, planned);
        return written + GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static Model RandomModel(Prng prng)
    {
        var model = new Model();
        for (var bucket = prng.Below(6); bucket > 0; bucket--)
        {
            model[$"bucket{prng.Below(1000)}"] = RandomBucket(prng);
        }

        return model;
    }

    private static ModelBucket RandomBucket(Prng prng)
    {
        var model = new ModelBucket();
        var largest = 1 + prng.Below(prng.Chance(1, 10) ? 20_000 : 300);
        for (var row = prng.Below(prng.Chance(1, 2) ? 20 : 400); row > 0; row--)
        {
            model[RandomKey(prng)] = ModelBucket.Pattern(row, prng.Below(largest));
        }

        return model;
    }

    private static byte[] RandomKey(Prng prng)
    {
        var key = new byte[1 + prng.Below(prng.Chance(1, 20) ? 700 : 4)];
        prng.Fill(key);
        return key;
    }

    private sealed class CopiedRows(BboltCursor cursor) : IBboltRows
    {
        public ReadOnlySpan<byte> Key => cursor.Key;

        public int ValueLength => cursor.Value.Length;

        public bool MoveNext() => cursor.MoveNext();

        public void CopyValue(Span<byte> destination) => cursor.Value.CopyTo(destination);

        public void Dispose()
        {
        }
    }

    private sealed class CountedRows(int rows, int valueLength) : IBboltRows
    {
        private readonly byte[] _key = new byte[8];
        private int _row;

        public bool IsDisposed { get; private set; }

        public ReadOnlySpan<byte> Key => _key;

        public int ValueLength => valueLength;

        public bool MoveNext()
        {
            BinaryPrimitives.WriteInt64BigEndian(_key, ++_row);
            return _row <= rows;
        }

        public void CopyValue(Span<byte> destination) => destination.Fill((byte)_row);

        public void Dispose() => IsDisposed = true;
    }
}
