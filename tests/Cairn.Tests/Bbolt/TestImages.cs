using System.Buffers.Binary;
using System.Text;
using Cairn.Bbolt;

namespace Cairn.Tests.Bbolt;

/// <summary>Rows of a bucket, in the order of their keys: the trivial model of a bbolt file.</summary>
internal sealed class ModelBucket() : SortedDictionary<byte[], byte[]>(Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)))
{
    public static ModelBucket Of(int rows, Func<int, string> key, Func<int, int> valueLength)
    {
        var model = new ModelBucket();
        for (var row = 0; row < rows; row++)
        {
            model[Encoding.ASCII.GetBytes(key(row))] = Pattern(row, valueLength(row));
        }

        return model;
    }

    public static byte[] Pattern(int seed, int length)
    {
        var value = new byte[length];
        for (var at = 0; at < length; at++)
        {
            // Never zero, so that a value cannot be mistaken for the empty rest of a page.
            value[at] = (byte)(1 + ((seed * 31) + at) % 255);
        }

        return value;
    }
}

/// <summary>Buckets by name: what an image is made from, and what is read from it.</summary>
internal sealed class Model : SortedDictionary<string, ModelBucket>
{
    public Model()
        : base(StringComparer.Ordinal)
    {
    }

    public static Model Read(BboltFile file)
    {
        var model = new Model();
        foreach (var bucket in file.Buckets())
        {
            var rows = new ModelBucket();
            var cursor = bucket.OpenCursor();
            while (cursor.MoveNext())
            {
                rows.Add(cursor.Key.ToArray(), cursor.Value.ToArray());
            }

            model.Add(Encoding.Latin1.GetString(bucket.Name.Span), rows);
        }

        return model;
    }

    /// <summary>One line a bucket and a row, so that two models can be compared, and a difference be read.</summary>
    public List<string> Lines()
    {
        var lines = new List<string>();
        foreach (var (name, rows) in this)
        {
            lines.Add($"[{name}]");
            lines.AddRange(rows.Select(row => $"{Convert.ToHexString(row.Key)}={Convert.ToHexString(row.Value)}"));
        }

        return lines;
    }

    public IReadOnlyList<BboltBucketContent> Contents()
    {
        return [.. this.Select(bucket => BboltBucketContent.Of(
            Encoding.Latin1.GetBytes(bucket.Key),
            [.. bucket.Value.Select(row => new KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>(row.Key, row.Value))]))];
    }

    public byte[] Write(int pageSize, int chunkBytes = 1000) => TestImages.Emit(BboltImage.Plan(Contents(), pageSize), chunkBytes);
}

internal static class TestImages
{
    public static byte[] Emit(BboltImage image, int chunkBytes)
    {
        using var bytes = new MemoryStream();
        foreach (var chunk in image.Emit(chunkBytes))
        {
            bytes.Write(chunk.Span);
        }

        return bytes.ToArray();
    }

    public static BboltFile Open(byte[] image) => BboltFile.Open(Source(image), image.Length);

    public static BboltReadAt Source(byte[] image)
    {
        return (offset, destination) =>
        {
            var count = (int)Math.Clamp(image.Length - offset, 0, destination.Length);
            image.AsSpan((int)Math.Min(offset, image.Length), count).CopyTo(destination);
            return count;
        };
    }

    /// <summary>The buckets of etcd, empty but for <paramref name="keyRows"/>: one tree, the rest inline.</summary>
    public static Model Etcd(ModelBucket keyRows)
    {
        var model = new Model();
        foreach (var name in "alarm auth authRoles authUsers cluster lease members members_removed meta".Split(' '))
        {
            model[name] = [];
        }

        model["auth"] = ModelBucket.Of(2, row => row == 0 ? "authEnabled" : "authRevision", row => row == 0 ? 1 : 8);
        model["meta"] = ModelBucket.Of(2, row => row == 0 ? "consistent_index" : "term", _ => 8);
        model["key"] = keyRows;
        return model;
    }

    /// <summary>Appends a page that nothing refers to, for each id free, and a free list that names them; both metas are made to name the list.</summary>
    public static byte[] WithFreeList(byte[] image, int freePages)
    {
        var meta = Open(image).Meta;
        var list = meta.HighWaterMark + (ulong)freePages;
        var listPages = (16 + (freePages * 8) + meta.PageSize - 1) / meta.PageSize;
        var longer = new byte[image.Length + ((freePages + listPages) * meta.PageSize)];
        image.CopyTo(longer, 0);
        var page = longer.AsSpan((int)list * meta.PageSize);
        BinaryPrimitives.WriteUInt64LittleEndian(page, list);
        BinaryPrimitives.WriteUInt16LittleEndian(page[8..], 0x10);
        BinaryPrimitives.WriteUInt16LittleEndian(page[10..], (ushort)freePages);
        BinaryPrimitives.WriteUInt32LittleEndian(page[12..], (uint)listPages - 1);
        for (var index = 0; index < freePages; index++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(page[(16 + (index * 8))..], meta.HighWaterMark + (ulong)index);
        }

        return WithMetas(longer, meta with { FreeListPage = list, HighWaterMark = list + (ulong)listPages });
    }

    /// <summary>Replaces both metas, as a snapshot has them.</summary>
    public static byte[] WithMetas(byte[] image, BboltMeta meta)
    {
        (meta with { Page = 0 }).Write(image.AsSpan(0, meta.PageSize));
        (meta with { Page = 1, TransactionId = meta.TransactionId - 1 }).Write(image.AsSpan(meta.PageSize, meta.PageSize));
        return image;
    }
}
