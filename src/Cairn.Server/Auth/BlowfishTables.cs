using System.Numerics;

namespace Cairn.Server.Auth;

/// <summary>The numbers that Blowfish starts from: the first 33 344 binary places of π, computed rather than listed.</summary>
/// <remarks>Source: Schneier, "Description of a New Variable-Length Key, 64-Bit Block Cipher" (1993); Machin's formula, π = 16·atan(1/5) − 4·atan(1/239).</remarks>
internal static class BlowfishTables
{
    /// <summary>Number of subkeys.</summary>
    public const int SubkeyCount = 18;

    /// <summary>Number of entries of the four boxes together.</summary>
    public const int BoxEntryCount = 4 * 256;

    // The last places of a sum of some thousand rounded terms are wrong; so many more are computed.
    private const int GuardBits = 64;
    private const int WordBits = 32;
    private const int PlaceBits = (SubkeyCount + BoxEntryCount) * WordBits;

    private static readonly Lazy<uint[]> Words = new(Compute);

    /// <summary>The subkeys.</summary>
    public static ReadOnlySpan<uint> Subkeys => Words.Value.AsSpan(0, SubkeyCount);

    /// <summary>The boxes, one behind the other.</summary>
    public static ReadOnlySpan<uint> Boxes => Words.Value.AsSpan(SubkeyCount);

    private static uint[] Compute()
    {
        var pi = (16 * InverseArcTangent(5)) - (4 * InverseArcTangent(239));
        var places = (pi >> GuardBits) & ((BigInteger.One << PlaceBits) - 1);
        var words = new uint[SubkeyCount + BoxEntryCount];
        for (var i = words.Length - 1; i >= 0; i--)
        {
            words[i] = (uint)(places & uint.MaxValue);
            places >>= WordBits;
        }

        return words;
    }

    /// <summary>atan(1/x), as an integer of so many binary places.</summary>
    private static BigInteger InverseArcTangent(int x)
    {
        var power = (BigInteger.One << (PlaceBits + GuardBits)) / x;
        var sum = power;
        for (var n = 3; !power.IsZero; n += 2)
        {
            power /= x * x;
            sum += (n & 2) == 0 ? power / n : -(power / n);
        }

        return sum;
    }
}
