namespace Cairn.Storage.Revisions;

/// <summary>Where a record lies: 12 bytes, because an index holds one for each revision of each key.</summary>
/// <param name="Segment">Number of the segment.</param>
/// <param name="Offset">First byte of the record (its header) in the segment.</param>
/// <param name="Length">Bytes of the payload, without the header.</param>
public readonly record struct RecordPlace(uint Segment, uint Offset, int Length)
{
    /// <summary>Bytes of the record, header included.</summary>
    public long RecordBytes => RecordFormat.BytesOf(this);
}
