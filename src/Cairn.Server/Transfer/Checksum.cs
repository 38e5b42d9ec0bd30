using System.Buffers.Binary;
using System.Numerics;
using Cairn.State;
using Cairn.Storage;

namespace Cairn.Server.Transfer;

/// <summary>The checksums of a transfer: CRC-32C, as everywhere in the files.</summary>
internal static class Checksum
{
    /// <summary>Continues a checksum.</summary>
    /// <param name="crc">Of what came before; 0 at the start.</param>
    /// <param name="bytes">What follows.</param>
    /// <returns>Of both together.</returns>
    public static uint Continue(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        while (bytes.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
            bytes = bytes[sizeof(ulong)..];
        }

        foreach (var b in bytes)
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }

    /// <summary>Computes the checksum of the rows of one revision: two members of one history that have them all have the same.</summary>
    /// <param name="view">The state.</param>
    /// <param name="revision">The revision; not before the compaction.</param>
    /// <returns>The checksum; 0 if there are no rows.</returns>
    /// <exception cref="CorruptionException">A row on disk is not what was written.</exception>
    public static uint OfRevision(ReadView view, long revision)
    {
        uint crc = 0;
        var rows = view.ReadHistory(new Revision(revision, 0));
        while (rows.MoveNext() && rows.Revision.Main == revision)
        {
            crc = Continue(crc, rows.Payload);
        }

        return crc;
    }
}
