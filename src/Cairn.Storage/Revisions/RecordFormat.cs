using System.Buffers.Binary;

namespace Cairn.Storage.Revisions;

/// <summary>How a record lies in a segment. Little-endian:</summary>
/// <remarks>
/// <code>
///  0  CRC-32C   u32   of the segment's number, the record's offset, and all that follows
///  4  length    u32   bytes of the payload
///  8  main      i64   revision
/// 16  sub       i32
/// 20  kind      u8
/// 21  zero      3 bytes
/// 24  payload
/// </code>
/// The checksum covers the place, so that a sound block of another place (a stale sector, a misdirected write) is recognised as damage.
/// </remarks>
internal static class RecordFormat
{
    /// <summary>Bytes before the payload.</summary>
    public const int HeaderBytes = 24;

    /// <summary>Longest payload: far above the largest request anybody configures, and so small that no length overflows.</summary>
    public const int PayloadBytesMax = 512 << 20;

    /// <summary>Bytes that a record takes in its segment.</summary>
    /// <param name="place">Where it lies.</param>
    /// <returns>Header and payload.</returns>
    public static long BytesOf(RecordPlace place) => HeaderBytes + (long)place.Length;

    /// <summary>Fills in a header.</summary>
    /// <param name="header"><see cref="HeaderBytes"/> bytes.</param>
    /// <param name="place">Where the record will lie.</param>
    /// <param name="kind">What it says.</param>
    /// <param name="revision">Its revision.</param>
    /// <param name="payload">Its payload.</param>
    public static void Write(Span<byte> header, RecordPlace place, RecordKind kind, Revision revision, ReadOnlySpan<byte> payload)
    {
        Invariant.Holds(header.Length == HeaderBytes && payload.Length == place.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], payload.Length);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], revision.Main);
        BinaryPrimitives.WriteInt32LittleEndian(header[16..], revision.Sub);
        BinaryPrimitives.WriteInt32LittleEndian(header[20..], (int)kind);
        BinaryPrimitives.WriteUInt32LittleEndian(header, Checksum(place.Segment, place.Offset, header, payload));
    }

    /// <summary>Reads the payload's length from a header that is not verified yet.</summary>
    /// <param name="header">At least <see cref="HeaderBytes"/> bytes.</param>
    /// <returns>What the header claims; may be anything.</returns>
    public static int LengthOf(ReadOnlySpan<byte> header) => BinaryPrimitives.ReadInt32LittleEndian(header[4..]);

    /// <summary>Reads the revision.</summary>
    /// <param name="header">A verified header.</param>
    /// <returns>The revision.</returns>
    public static Revision RevisionOf(ReadOnlySpan<byte> header) =>
        new(BinaryPrimitives.ReadInt64LittleEndian(header[8..]), BinaryPrimitives.ReadInt32LittleEndian(header[16..]));

    /// <summary>Reads the kind.</summary>
    /// <param name="header">A verified header.</param>
    /// <returns>The kind.</returns>
    public static RecordKind KindOf(ReadOnlySpan<byte> header) => (RecordKind)header[20];

    /// <summary>Ends with an exception unless the bytes are the record that was written at this place.</summary>
    /// <param name="path">The segment's file.</param>
    /// <param name="place">Where the record was read.</param>
    /// <param name="header">Its header as read.</param>
    /// <param name="payload">Its payload as read.</param>
    /// <exception cref="CorruptionException">They are not.</exception>
    public static void Verify(string path, RecordPlace place, ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload)
    {
        var expected = BinaryPrimitives.ReadUInt32LittleEndian(header);
        var actual = Checksum(place.Segment, place.Offset, header, payload);
        if (expected != actual)
        {
            throw new CorruptionException(path, place.Offset, $"record checksum {actual:x8}, expected {expected:x8}");
        }

        if (LengthOf(header) != payload.Length)
        {
            throw new CorruptionException(path, place.Offset, $"record of {LengthOf(header)} bytes, expected {payload.Length}");
        }

        if (KindOf(header) is not (RecordKind.Put or RecordKind.Tombstone))
        {
            throw new CorruptionException(path, place.Offset, $"record of unknown kind {header[20]}");
        }
    }

    /// <summary>Whether the bytes are a record that was written at this place.</summary>
    /// <param name="place">Where they were read.</param>
    /// <param name="header">What would be its header.</param>
    /// <param name="payload">What would be its payload.</param>
    /// <returns>True if they verify.</returns>
    public static bool IsSound(RecordPlace place, ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload) =>
        LengthOf(header) == payload.Length
        && KindOf(header) is RecordKind.Put or RecordKind.Tombstone
        && BinaryPrimitives.ReadUInt32LittleEndian(header) == Checksum(place.Segment, place.Offset, header, payload);

    private static uint Checksum(uint segment, uint offset, ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload)
    {
        Span<byte> place = stackalloc byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(place, segment);
        BinaryPrimitives.WriteUInt32LittleEndian(place[4..], offset);
        return Crc32C.Update(Crc32C.Update(Crc32C.Update(0, place), header[4..HeaderBytes]), payload);
    }
}
