namespace Cairn.Bbolt;

/// <summary>A bucket to be written: its name, and how to enumerate its rows.</summary>
/// <param name="Name">Name, as bytes: 1 to 32768.</param>
/// <param name="OpenRows">Begins an enumeration of the rows, the same ones each time.</param>
public sealed record BboltBucketContent(ReadOnlyMemory<byte> Name, Func<IBboltRows> OpenRows)
{
    /// <summary>Makes a bucket of rows that are in memory.</summary>
    /// <param name="name">Name, as bytes: 1 to 32768.</param>
    /// <param name="rows">Keys and values, in ascending order of the keys; not copied, so they must not change until the image is written.</param>
    /// <returns>The bucket.</returns>
    public static BboltBucketContent Of(ReadOnlyMemory<byte> name, IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> rows)
    {
        ArgumentNullException.ThrowIfNull(rows);
        return new BboltBucketContent(name, () => new ListedRows(rows));
    }

    /// <summary>Makes a bucket of one that is in a file.</summary>
    /// <param name="bucket">The bucket; its file must stay open, and as it is, until the image is written.</param>
    /// <returns>The bucket. Enumerating it throws <see cref="BboltCorruptionException"/> where the file is damaged.</returns>
    public static BboltBucketContent Of(BboltBucket bucket)
    {
        ArgumentNullException.ThrowIfNull(bucket);
        return new BboltBucketContent(bucket.Name, () => new FileRows(bucket.OpenCursor()));
    }

    private sealed class FileRows(BboltCursor cursor) : IBboltRows
    {
        public ReadOnlySpan<byte> Key => cursor.Key;

        public int ValueLength => cursor.Value.Length;

        public bool MoveNext() => cursor.MoveNext();

        public void CopyValue(Span<byte> destination) => cursor.Value.CopyTo(destination);

        public void Dispose()
        {
        }
    }

    private sealed class ListedRows(IReadOnlyList<KeyValuePair<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>> rows) : IBboltRows
    {
        private int _index = -1;

        public ReadOnlySpan<byte> Key => rows[_index].Key.Span;

        public int ValueLength => rows[_index].Value.Length;

        public bool MoveNext() => ++_index < rows.Count;

        public void CopyValue(Span<byte> destination) => rows[_index].Value.Span.CopyTo(destination);

        public void Dispose()
        {
        }
    }
}
