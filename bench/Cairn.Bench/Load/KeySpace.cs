using System.Buffers.Binary;

namespace Cairn.Bench.Load;

/// <summary>Gives each request its key, from its number alone, so that every server sees the same keys. Immutable; any thread.</summary>
/// <param name="KeySize">Bytes of each key, at least 1.</param>
/// <param name="Keys">How many different keys there are, at least 1.</param>
/// <param name="Sequential">Whether keys come in order; otherwise they come at random.</param>
internal sealed record KeySpace(int KeySize, long Keys, bool Sequential)
{
    /// <summary>Writes the key of a request.</summary>
    /// <param name="sequence">Number of the request.</param>
    /// <param name="key">Of <see cref="KeySize"/> bytes.</param>
    public void Write(long sequence, Span<byte> key)
    {
        var number = Sequential ? (ulong)sequence % (ulong)Keys : Scatter((ulong)sequence) % (ulong)Keys;
        key.Fill((byte)'k');
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, number);
        var digits = Math.Min(8, key.Length);
        bytes[^digits..].CopyTo(key[^digits..]);
    }

    /// <summary>Spreads consecutive numbers evenly over all 64-bit numbers. Source: the finalizer of SplitMix64.</summary>
    /// <param name="number">Any number.</param>
    /// <returns>Another number for each.</returns>
    public static ulong Scatter(ulong number)
    {
        number += 0x9E3779B97F4A7C15;
        number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9;
        number = (number ^ (number >> 27)) * 0x94D049BB133111EB;
        return number ^ (number >> 31);
    }
}
