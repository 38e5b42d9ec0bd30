using System.Buffers.Binary;
using System.Globalization;

namespace Cairn.Storage.Checkpoints;

/// <summary>How a checkpoint file is laid out. Little-endian:</summary>
/// <remarks>
/// <code>
/// header   magic (8)  format (u32)  CRC-32C of these (u32)
/// chunk    CRC-32C (u32)  length (u32, at least 1)  payload
/// …
/// end      CRC-32C (u32)  0 (u32)   chunks (u64)   bytes of the file before this record (u64)
/// </code>
/// The checksum of a chunk, and of the end, goes on from that of the one before, so that none can be missing, come twice, or stand in another's place. A file
/// without its end was never finished.
/// </remarks>
internal static class CheckpointFormat
{
    /// <summary>How the files end.</summary>
    public const string Extension = ".checkpoint";

    /// <summary>Bytes before the first chunk.</summary>
    public const int HeaderBytes = 16;

    /// <summary>Bytes before the payload of a chunk.</summary>
    public const int ChunkHeaderBytes = 8;

    /// <summary>Bytes of the record at the end.</summary>
    public const int EndBytes = ChunkHeaderBytes + 16;

    /// <summary>Largest chunk: bounds what a reader must hold at once, whatever the file claims.</summary>
    public const int ChunkBytesMax = 64 << 20;

    private const uint Version = 1;

    private static ReadOnlySpan<byte> Magic => "CAIRNCHK"u8;

    /// <summary>Names a checkpoint.</summary>
    /// <param name="number">Any number not used before in that directory.</param>
    /// <returns>The file name.</returns>
    public static string NameOf(ulong number) => string.Create(CultureInfo.InvariantCulture, $"{number:x16}{Extension}");

    /// <summary>Reads the number from a file name.</summary>
    /// <param name="name">Any file name.</param>
    /// <param name="number">The number.</param>
    /// <returns>Whether it is the name of a checkpoint.</returns>
    public static bool TryParse(string name, out ulong number)
    {
        number = 0;
        return name.EndsWith(Extension, StringComparison.Ordinal)
            && ulong.TryParse(name.AsSpan(0, name.Length - Extension.Length), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
            && name == NameOf(number);
    }

    /// <summary>Fills in the header of a file.</summary>
    /// <param name="header"><see cref="HeaderBytes"/> bytes.</param>
    public static void WriteHeader(Span<byte> header)
    {
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], Crc32C.Update(0, header[..12]));
    }

    /// <summary>Fills in the header of a chunk.</summary>
    /// <param name="header"><see cref="ChunkHeaderBytes"/> bytes.</param>
    /// <param name="before">Checksum of the chunk before; 0 for the first.</param>
    /// <param name="payload">The chunk.</param>
    /// <returns>Checksum of this chunk.</returns>
    public static uint WriteChunkHeader(Span<byte> header, uint before, ReadOnlySpan<byte> payload)
    {
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], payload.Length);
        var checksum = Crc32C.Update(Crc32C.Update(before, header[4..8]), payload);
        BinaryPrimitives.WriteUInt32LittleEndian(header, checksum);
        return checksum;
    }

    /// <summary>Fills in the record at the end.</summary>
    /// <param name="record"><see cref="EndBytes"/> bytes.</param>
    /// <param name="before">Checksum of the last chunk.</param>
    /// <param name="chunks">How many chunks there are.</param>
    /// <param name="bytes">Bytes of the file before the record.</param>
    public static void WriteEnd(Span<byte> record, uint before, long chunks, long bytes)
    {
        record[..EndBytes].Clear();
        BinaryPrimitives.WriteInt64LittleEndian(record[8..], chunks);
        BinaryPrimitives.WriteInt64LittleEndian(record[16..], bytes);
        BinaryPrimitives.WriteUInt32LittleEndian(record, Crc32C.Update(before, record[4..EndBytes]));
    }
}
