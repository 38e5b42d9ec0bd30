using System.Numerics;
using System.Runtime.InteropServices;

namespace Cairn.Storage;

/// <summary>CRC-32C (Castagnoli), as Go's hash/crc32 and every format of this store have it: initial and final value inverted.</summary>
public static class Crc32C
{
    /// <summary>Continues a checksum.</summary>
    /// <param name="crc">Checksum of what came before; 0 at the start.</param>
    /// <param name="bytes">What follows.</param>
    /// <returns>Checksum of both together.</returns>
    public static uint Update(uint crc, ReadOnlySpan<byte> bytes)
    {
        crc = ~crc;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (var word in words)
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (var b in bytes[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}
