using System.Buffers.Binary;

namespace Cairn.Storage.Wal;

/// <summary>One record in its frame, as it lies in a segment.</summary>
/// <remarks>
/// <para>
/// Example, the first sixteen bytes of every log: <c>04 00 00 00 00 00 00 84 | 08 04 10 00 | 00 00 00 00</c>. The length field says four bytes of record and,
/// in its top byte, four of padding; the record has type 4 (checksum), checksum 0 and no data. Frames begin at multiples of 8, so that the length field never
/// straddles a sector.
/// </para>
/// <para>Source: etcd server/storage/wal/encoder.go, decoder.go; walpb.Record.</para>
/// </remarks>
internal readonly ref struct WalFrame
{
    public const int LengthFieldBytes = 8;
    public const int Alignment = 8;
    public const byte TypeTag = 0x08;
    public const byte CrcTag = 0x10;
    public const byte DataTag = 0x1A;

    private const int PaddedFlag = 0x80;

    private WalFrame(int offset, int end, WalRecordType type, uint crc, ReadOnlySpan<byte> data)
    {
        Offset = offset;
        End = end;
        Type = type;
        Crc = crc;
        Data = data;
    }

    /// <summary>First byte of the frame in the segment.</summary>
    public int Offset { get; }

    /// <summary>First byte behind the frame.</summary>
    public int End { get; }

    /// <summary>What the record is; one of the known types.</summary>
    public WalRecordType Type { get; }

    /// <summary>Running checksum over the data of all records up to and including this one, as the record claims it.</summary>
    public uint Crc { get; }

    /// <summary>Payload.</summary>
    public ReadOnlySpan<byte> Data { get; }

    /// <summary>The length field for a record.</summary>
    /// <param name="recordBytes">Bytes of the record.</param>
    /// <param name="padding">Bytes of padding behind it, so that the next frame is aligned.</param>
    /// <returns>The field.</returns>
    public static ulong LengthField(int recordBytes, out int padding)
    {
        padding = -recordBytes & (Alignment - 1);
        return (uint)recordBytes | (padding == 0 ? 0 : (ulong)(PaddedFlag | padding) << 56);
    }

    /// <summary>Reads the length field of a frame.</summary>
    /// <param name="segment">The bytes of the segment.</param>
    /// <param name="offset">Where the frame begins.</param>
    /// <param name="recordBytes">Bytes of the record.</param>
    /// <param name="end">First byte behind the frame; it may lie behind the end of the segment.</param>
    /// <returns>False if no such field can be ours.</returns>
    public static bool TryReadLength(ReadOnlySpan<byte> segment, int offset, out long recordBytes, out long end)
    {
        recordBytes = 0;
        end = offset;
        if (segment.Length - offset < LengthFieldBytes)
        {
            return false;
        }

        var field = BinaryPrimitives.ReadUInt64LittleEndian(segment[offset..]);
        recordBytes = (long)(field & 0x00FF_FFFF_FFFF_FFFF);
        var flags = (int)(field >> 56);
        var padding = flags & (Alignment - 1);
        end = offset + LengthFieldBytes + recordBytes + padding;
        return recordBytes > 0 && flags == (padding == 0 ? 0 : PaddedFlag | padding) && (recordBytes + padding) % Alignment == 0;
    }

    /// <summary>Reads a frame. Whether its checksum holds, and its payload means something, is for the caller to see.</summary>
    /// <param name="segment">The bytes of the segment.</param>
    /// <param name="offset">Where the frame begins.</param>
    /// <param name="frame">The frame.</param>
    /// <returns>False if the bytes there are no frame of a known type.</returns>
    public static bool TryRead(ReadOnlySpan<byte> segment, int offset, out WalFrame frame)
    {
        frame = default;
        if (!TryReadLength(segment, offset, out var recordBytes, out var end) || end > segment.Length)
        {
            return false;
        }

        var record = segment.Slice(offset + LengthFieldBytes, (int)recordBytes);
        var position = 0;
        if (!Varint.TryReadField(record, ref position, TypeTag, out var type) || type is 0 or > (ulong)WalRecordType.Snapshot
            || !Varint.TryReadField(record, ref position, CrcTag, out var crc) || crc > uint.MaxValue)
        {
            return false;
        }

        ulong length = 0;
        var hasData = position < record.Length;
        if (hasData && !Varint.TryReadField(record, ref position, DataTag, out length))
        {
            return false;
        }

        if (length != (ulong)(record.Length - position) || hasData == ((WalRecordType)type == WalRecordType.Crc))
        {
            return false;
        }

        frame = new WalFrame(offset, (int)end, (WalRecordType)type, (uint)crc, record[position..]);
        return true;
    }
}
