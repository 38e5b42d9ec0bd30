namespace Cairn;

/// <summary>A seeded pseudo-random generator: equal seeds give equal sequences, on every machine and every version of .NET.</summary>
/// <remarks>
/// xoshiro256**, seeded by SplitMix64. Source: Blackman and Vigna, "Scrambled linear pseudorandom number generators" (2021), section 4.6.
/// A class, so that every user of one instance draws from one sequence; not thread-safe.
/// </remarks>
internal sealed class Prng
{
    private ulong _s0;
    private ulong _s1;
    private ulong _s2;
    private ulong _s3;

    /// <summary>Creates a generator whose whole sequence follows from <paramref name="seed"/>.</summary>
    /// <param name="seed">Any number.</param>
    public Prng(ulong seed)
    {
        _s0 = SplitMix(ref seed);
        _s1 = SplitMix(ref seed);
        _s2 = SplitMix(ref seed);
        _s3 = SplitMix(ref seed);
    }

    /// <summary>Draws 64 uniformly distributed bits.</summary>
    /// <returns>The next number of the sequence.</returns>
    public ulong NextUInt64()
    {
        var result = ulong.RotateLeft(_s1 * 5, 7) * 9;
        var t = _s1 << 17;
        _s2 ^= _s0;
        _s3 ^= _s1;
        _s1 ^= _s2;
        _s0 ^= _s3;
        _s2 ^= t;
        _s3 = ulong.RotateLeft(_s3, 45);
        return result;
    }

    /// <summary>Draws uniformly from [0, <paramref name="bound"/>).</summary>
    /// <param name="bound">Exclusive upper bound, at least 1.</param>
    /// <returns>A number in the range.</returns>
    public ulong Below(ulong bound)
    {
        Invariant.Holds(bound > 0);

        // Lemire's multiply-shift with rejection: no bias, at most a few draws.
        var threshold = (0 - bound) % bound;
        while (true)
        {
            var high = Math.BigMul(NextUInt64(), bound, out var low);
            if (low >= threshold)
            {
                return high;
            }
        }
    }

    /// <summary>Draws uniformly from [0, <paramref name="bound"/>).</summary>
    /// <param name="bound">Exclusive upper bound, at least 1.</param>
    /// <returns>A number in the range.</returns>
    public int Below(int bound)
    {
        Invariant.Holds(bound > 0);
        return (int)Below((ulong)bound);
    }

    /// <summary>Draws uniformly from [<paramref name="first"/>, <paramref name="last"/>], both included.</summary>
    /// <param name="first">Smallest value.</param>
    /// <param name="last">Largest value, not below <paramref name="first"/>.</param>
    /// <returns>A number in the range.</returns>
    public long Between(long first, long last)
    {
        Invariant.Holds(first <= last);
        return first + (long)Below((ulong)(last - first) + 1);
    }

    /// <summary>Is true with probability <paramref name="numerator"/> / <paramref name="denominator"/>.</summary>
    /// <param name="numerator">From 0 to <paramref name="denominator"/>.</param>
    /// <param name="denominator">At least 1.</param>
    /// <returns>The outcome of the draw.</returns>
    public bool Chance(int numerator, int denominator) => Below(denominator) < numerator;

    /// <summary>Fills <paramref name="destination"/> with uniformly distributed bytes.</summary>
    /// <param name="destination">What to fill.</param>
    public void Fill(Span<byte> destination)
    {
        for (var i = 0; i < destination.Length; i++)
        {
            destination[i] = (byte)(NextUInt64() >> 56);
        }
    }

    private static ulong SplitMix(ref ulong state)
    {
        state += 0x9E3779B97F4A7C15;
        var z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
