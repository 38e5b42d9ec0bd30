using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Cairn.Server.Auth;

/// <summary>The cipher that bcrypt runs over its own key, again and again; good for nothing else here.</summary>
/// <remarks>Source: Schneier (1993), and for <see cref="Expand"/> with a salt Provos and Mazières (1999). Owned by one call; not thread-safe.</remarks>
internal sealed class Blowfish
{
    /// <summary>Bytes of a block.</summary>
    public const int BlockBytes = 8;

    private readonly uint[] _subkeys = BlowfishTables.Subkeys.ToArray();
    private readonly uint[] _boxes = BlowfishTables.Boxes.ToArray();

    /// <summary>Mixes a key, and a salt if there is one, into the tables.</summary>
    /// <param name="key">At least one byte; read round and round.</param>
    /// <param name="salt">Read round and round; empty for none.</param>
    public void Expand(ReadOnlySpan<byte> key, ReadOnlySpan<byte> salt)
    {
        var (keyAt, saltAt) = (0, 0);
        foreach (ref var subkey in _subkeys.AsSpan())
        {
            subkey ^= Next(key, ref keyAt);
        }

        var (left, right) = (0u, 0u);
        Fill(_subkeys, salt, ref saltAt, ref left, ref right);
        Fill(_boxes, salt, ref saltAt, ref left, ref right);
    }

    /// <summary>Encrypts one block.</summary>
    /// <param name="left">Its first half.</param>
    /// <param name="right">Its second half.</param>
    public void Encrypt(ref uint left, ref uint right)
    {
        var subkeys = _subkeys;
        ref var boxes = ref MemoryMarshal.GetArrayDataReference(_boxes);
        var (l, r) = (left ^ subkeys[0], right);
        for (var i = 1; i <= 15; i += 2)
        {
            r ^= Mix(ref boxes, l) ^ subkeys[i];
            l ^= Mix(ref boxes, r) ^ subkeys[i + 1];
        }

        (left, right) = (r ^ subkeys[17], l);
    }

    private void Fill(uint[] table, ReadOnlySpan<byte> salt, ref int saltAt, ref uint left, ref uint right)
    {
        for (var i = 0; i < table.Length; i += 2)
        {
            if (!salt.IsEmpty)
            {
                left ^= Next(salt, ref saltAt);
                right ^= Next(salt, ref saltAt);
            }

            Encrypt(ref left, ref right);
            table[i] = left;
            table[i + 1] = right;
        }
    }

    /// <summary>What the four boxes make of half a block. Each index is eight bits, so none is outside of its box, and is not checked: nothing else takes this time.</summary>
    private static uint Mix(ref uint boxes, uint half) =>
        ((Unsafe.Add(ref boxes, half >> 24) + Unsafe.Add(ref boxes, 256 + ((half >> 16) & 0xFF))) ^ Unsafe.Add(ref boxes, 512 + ((half >> 8) & 0xFF)))
        + Unsafe.Add(ref boxes, 768 + (half & 0xFF));

    private static uint Next(ReadOnlySpan<byte> bytes, ref int at)
    {
        var word = 0u;
        for (var i = 0; i < 4; i++)
        {
            word = (word << 8) | bytes[at];
            at = at + 1 == bytes.Length ? 0 : at + 1;
        }

        return word;
    }
}
