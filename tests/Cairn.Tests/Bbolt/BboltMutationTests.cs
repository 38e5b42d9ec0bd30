using System.Buffers.Binary;
using System.Text;
using Cairn.Bbolt;
using Xunit;

namespace Cairn.Tests.Bbolt;

/// <summary>
/// Damages sound images and reads them. Faults: one flipped bit; one byte replaced; a sector zeroed or filled with noise; the file cut; a page overwritten by
/// another one or two pages swapped; a number replaced by an extreme one; a meta with a valid checksum and a wrong field; a branch that points at another
/// page, its parent or itself.
/// </summary>
public sealed class BboltMutationTests
{
    private const int SectorBytes = 512;

    private static readonly ulong[] ExtremeNumbers =
        [0, 1, 2, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF];

    public static TheoryData<string> Subjects => ["small pages", "overflow", "many buckets", "synced free list", "one page", "large pages"];

    [Theory]
    [MemberData(nameof(Subjects))]
    public void Every_damage_ends_in_a_message_with_an_offset_or_in_the_right_answer(string name)
    {
        var subject = new Subject(Build(name));
        for (var seed = 1UL; seed <= 1500; seed++)
        {
            var damaged = Damage((byte[])subject.Image.Clone(), new Prng(seed));

            if (subject.Judge(damaged) is { } verdict)
            {
                Assert.Fail($"{name}, seed {seed}: {verdict}");
            }
        }
    }

    [Fact]
    public void Every_single_flipped_bit_ends_in_a_message_with_an_offset_or_in_the_right_answer()
    {
        var subject = new Subject(TestImages.Etcd(ModelBucket.Of(30, row => $"{row:d3}", row => row * 2)).Write(pageSize: 512));
        for (var bit = 0; bit < subject.Image.Length * 8; bit++)
        {
            subject.Image[bit / 8] ^= (byte)(1 << (bit % 8));
            var verdict = subject.Judge(subject.Image);
            subject.Image[bit / 8] ^= (byte)(1 << (bit % 8));

            if (verdict is not null)
            {
                Assert.Fail($"bit {bit}: {verdict}");
            }
        }
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused()
    {
        var image = TestImages.Etcd(ModelBucket.Of(30, row => $"{row:d3}", row => row * 2)).Write(pageSize: 512);
        for (var length = 0; length < image.Length; length++)
        {
            Assert.Throws<BboltCorruptionException>(() => TestImages.Open(image[..length]));
        }
    }

    private static byte[] Build(string name)
    {
        return name switch
        {
            "small pages" => TestImages.Etcd(ModelBucket.Of(300, row => $"{row:d5}", row => row % 90)).Write(pageSize: 512),
            "overflow" => TestImages.Etcd(ModelBucket.Of(30, row => $"{row:d5}", row => row % 5 == 0 ? 5000 : 30)).Write(pageSize: 1024),
            "many buckets" => ManyBuckets().Write(pageSize: 512),
            "synced free list" => TestImages.WithFreeList(
                TestImages.Etcd(ModelBucket.Of(100, row => $"{row:d5}", _ => 40)).Write(pageSize: 1024), freePages: 150),
            "one page" => TestImages.Etcd([]).Write(pageSize: 4096),
            "large pages" => TestImages.Etcd(ModelBucket.Of(400, row => $"{row:d5}", _ => 300)).Write(pageSize: 65536),
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };
    }

    private static Model ManyBuckets()
    {
        var model = new Model();
        for (var bucket = 0; bucket < 60; bucket++)
        {
            model[$"bucket{bucket:d3}"] = ModelBucket.Of(bucket % 20, row => $"{row:d3}", _ => bucket % 9);
        }

        return model;
    }

    private static byte[] Damage(byte[] image, Prng prng)
    {
        var at = prng.Below(image.Length);
        var sector = image.AsSpan(at / SectorBytes * SectorBytes, SectorBytes);
        switch (prng.Below(9))
        {
            case 0:
                image[at] ^= (byte)(1 << prng.Below(8));
                return image;
            case 1:
                image[at] = (byte)prng.NextUInt64();
                return image;
            case 2:
                sector.Clear();
                return image;
            case 3:
                prng.Fill(sector);
                return image;
            case 4:
                return image[..at];
            case 5:
                return MovePage(image, prng);
            case 6:
                return PutExtremeNumber(image, prng);
            case 7:
                return ForgeMeta(image, prng);
            default:
                return Redirect(image, prng);
        }
    }

    private static byte[] MovePage(byte[] image, Prng prng)
    {
        var pageSize = TestImages.Open(image).PageSize;
        var a = image.AsSpan(prng.Below(image.Length / pageSize) * pageSize, pageSize);
        var b = image.AsSpan(prng.Below(image.Length / pageSize) * pageSize, pageSize);
        var saved = a.ToArray();
        b.CopyTo(a);
        if (prng.Chance(1, 2))
        {
            saved.CopyTo(b);
        }

        return image;
    }

    private static byte[] PutExtremeNumber(byte[] image, Prng prng)
    {
        var width = 2 << prng.Below(3);
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, ExtremeNumbers[prng.Below(ExtremeNumbers.Length)]);

        // Headers and element tables stand at the beginning of pages: numbers are aligned there.
        var page = prng.Below(image.Length / 512) * 512;
        bytes.AsSpan(0, width).CopyTo(image.AsSpan(page + (prng.Below(128 / width) * width)));
        return image;
    }

    private static byte[] ForgeMeta(byte[] image, Prng prng)
    {
        var meta = TestImages.Open(image).Meta;
        var pages = (ulong)(image.Length / meta.PageSize);
        var number = prng.Chance(1, 3) ? ExtremeNumbers[prng.Below(ExtremeNumbers.Length)] : prng.Below(pages + 5);
        var rootIsLeaf = image[(int)meta.RootPage * meta.PageSize + 8] == 2;
        var forged = prng.Below(4) switch
        {
            // Below a root branch there are leaves that are trees of buckets, too: a meta that names one, and proves it by its checksum, cannot be seen
            // through.
            0 when rootIsLeaf => meta with { RootPage = number },
            1 => meta with { FreeListPage = number },
            2 => meta with { HighWaterMark = number },
            _ => meta with { TransactionId = number + 1 },
        };
        return prng.Chance(1, 4) ? WithPageSize(image, meta, prng) : TestImages.WithMetas(image, forged);
    }

    private static byte[] WithPageSize(byte[] image, BboltMeta meta, Prng prng)
    {
        var other = meta with { PageSize = 512 << prng.Below(8) };
        var page = new byte[other.PageSize];
        other.Write(page);
        page.AsSpan(0, 80).CopyTo(image);
        return image;
    }

    private static byte[] Redirect(byte[] image, Prng prng)
    {
        var pageSize = TestImages.Open(image).PageSize;
        var pages = image.Length / pageSize;
        var start = prng.Below(pages);
        for (var step = 0; step < pages; step++)
        {
            var page = image.AsSpan((start + step) % pages * pageSize, pageSize);
            if (BinaryPrimitives.ReadUInt16LittleEndian(page[8..]) == 1)
            {
                var element = prng.Below((int)BinaryPrimitives.ReadUInt16LittleEndian(page[10..]));
                var target = prng.Chance(1, 3) ? (start + step) % pages : prng.Below(pages + 2);
                BinaryPrimitives.WriteUInt64LittleEndian(page[(16 + (element * 16) + 8)..], (ulong)target);
                break;
            }
        }

        return image;
    }

    /// <summary>A sound image, what it holds, and where: which changes of its bytes may change the answer.</summary>
    /// <remarks>
    /// Three kinds of bytes are not repeated anywhere in the format, so that a change of them cannot be seen: names, keys and values, unless they leave their
    /// order; the sizes of the last element of a page, as long as it ends within the page; the reference from a bucket to its root page, if what it then names
    /// is another page of rows.
    /// </remarks>
    private sealed class Subject
    {
        private readonly byte[] _sound;
        private readonly List<Bucket> _buckets;

        public Subject(byte[] image)
        {
            Image = image;
            _sound = (byte[])image.Clone();
            _buckets = Read(TestImages.Open(image));
        }

        public byte[] Image { get; }

        /// <summary>Reads a damaged image in every way there is.</summary>
        /// <returns>Null, or why the outcome is not acceptable.</returns>
        public string? Judge(byte[] damaged)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            BboltFile? file = null;
            string? verdict;
            try
            {
                file = TestImages.Open(damaged);
                verdict = Compare(Read(file), damaged);
            }
            catch (BboltCorruptionException damage)
            {
                verdict = damage.Offset >= 0 && damage.Offset <= damaged.Length && damage.Message.Length > 20 ? null : $"an unusable message: {damage.Message}";
                verdict ??= file is not null && file.Check().Count == 0 ? $"the check found nothing, but reading did: {damage.Message}" : null;
            }

            file?.Check();
            var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            return allocated > (20L * _sound.Length) + (4 << 20) ? $"{allocated} bytes were allocated" : verdict;
        }

        private string? Compare(List<Bucket> found, byte[] damaged)
        {
            if (found.Count != _buckets.Count)
            {
                return $"{found.Count} buckets instead of {_buckets.Count}, without a word";
            }

            var resized = 0;
            for (var index = 0; index < found.Count; index++)
            {
                var (was, now) = (_buckets[index], found[index]);
                if (IsChanged(damaged, was.HeaderOffset, sizeof(ulong)))
                {
                    continue;
                }

                if (now.Rows.Count != was.Rows.Count)
                {
                    return $"{now.Rows.Count} rows instead of {was.Rows.Count} in bucket {index}, without a word";
                }

                foreach (var (before, after) in was.Rows.Zip(now.Rows))
                {
                    var isPayload = before.Text.Length == after.Text.Length && IsChanged(damaged, before.Offset, before.Text.Length);
                    var isResized = after.Text.StartsWith(before.Text, StringComparison.Ordinal)
                        || before.Text.StartsWith(after.Text, StringComparison.Ordinal);
                    if (before.Text != after.Text && !isPayload && (!isResized || ++resized > 1))
                    {
                        return $"bucket {index} has {after.Text} instead of {before.Text}, without a word";
                    }
                }
            }

            return null;
        }

        private bool IsChanged(byte[] damaged, long offset, int length)
        {
            return !damaged.AsSpan((int)offset, length).SequenceEqual(_sound.AsSpan((int)offset, length));
        }

        private static List<Bucket> Read(BboltFile file)
        {
            var buckets = new List<Bucket>();
            foreach (var bucket in file.Buckets())
            {
                var rows = new List<Row> { new(bucket.HeaderOffset - bucket.Name.Length, Encoding.Latin1.GetString(bucket.Name.Span)) };
                var cursor = bucket.OpenCursor();
                while (cursor.MoveNext())
                {
                    rows.Add(new Row(cursor.Offset, Encoding.Latin1.GetString(cursor.Key) + Encoding.Latin1.GetString(cursor.Value)));
                }

                buckets.Add(new Bucket(bucket.HeaderOffset, rows));
            }

            return buckets;
        }

        private sealed record Bucket(long HeaderOffset, List<Row> Rows);

        private sealed record Row(long Offset, string Text);
    }
}
