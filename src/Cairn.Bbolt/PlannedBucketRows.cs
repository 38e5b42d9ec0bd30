using System.Buffers.Binary;

namespace Cairn.Bbolt;

/// <summary>The rows of the root tree: a bucket each.</summary>
/// <param name="buckets">The buckets, in the order of their names.</param>
internal sealed class PlannedBucketRows(IReadOnlyList<PlannedBucket> buckets) : IBboltRows
{
    private int _index = -1;

    public ReadOnlySpan<byte> Key => buckets[_index].Content.Name.Span;

    public int ValueLength => buckets[_index].ValueLength;

    public bool MoveNext() => ++_index < buckets.Count;

    public void CopyValue(Span<byte> destination)
    {
        var bucket = buckets[_index];
        Invariant.Holds(destination.Length == bucket.ValueLength);
        destination.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(destination, bucket.RootPage);
        if (!bucket.IsInline)
        {
            return;
        }

        var draft = new PageDraft(isLeaf: true);
        var items = 0;
        using var rows = bucket.Content.OpenRows();
        for (; rows.MoveNext(); items++)
        {
            rows.CopyValue(draft.AddRow(LeafContent.Rows, rows.Key, rows.ValueLength));
        }

        Invariant.Holds(draft.Bytes == bucket.InlineBytes);
        draft.MoveTo(items, page: 0, overflow: 0, destination[PageFormat.BucketHeaderBytes..]);
    }

    public void Dispose()
    {
    }
}
