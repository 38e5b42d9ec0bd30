namespace Cairn.Tests.Fuzz;

/// <summary>Makes inputs out of inputs: cuts, flips, repeats, joins, and puts in what parsers stumble over.</summary>
/// <param name="prng">Decides everything.</param>
/// <param name="corpus">What is worth changing; what was made of it and accepted joins it.</param>
internal sealed class Mutator(Prng prng, IReadOnlyList<byte[]> corpus)
{
    // Inputs that repeat themselves would double each time.
    private const int InputBytesMax = 64 * 1024;

    // More would make each of them rare.
    private const int GrownMax = 256;

    private static readonly byte[][] Tokens =
    [
        [0], [0xff], [0x80], [0x7f, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff], [0xff, 0xff, 0xff, 0xff, 7], [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], [0, 0, 0, 0, 0, 0, 0, 0],
        "{"u8.ToArray(), "}"u8.ToArray(), "["u8.ToArray(), "]"u8.ToArray(), "\""u8.ToArray(), "\\u"u8.ToArray(), "\\"u8.ToArray(), ":"u8.ToArray(), ","u8.ToArray(), "\n"u8.ToArray(),
        "null"u8.ToArray(), "1e999"u8.ToArray(), "-9223372036854775809"u8.ToArray(), "%"u8.ToArray(), "%00"u8.ToArray(), "."u8.ToArray(), "="u8.ToArray(), "&a"u8.ToArray(), "*a"u8.ToArray(),
        "- "u8.ToArray(), "--"u8.ToArray(), "\xC3\x28"u8.ToArray(), [0xED, 0xA0, 0x80], "http://[::"u8.ToArray(), "999999999999h"u8.ToArray(),
    ];

    private readonly List<byte[]> _grown = [.. corpus];

    /// <summary>Makes the next input.</summary>
    /// <returns>The input.</returns>
    public byte[] Next()
    {
        // The first of the corpus are never far: what grew may have lost what made it worth changing.
        var source = prng.Chance(1, 2) ? corpus : _grown;
        var bytes = source[prng.Below(source.Count)].ToList();
        for (var changes = prng.Chance(1, 2) ? 1 : prng.Between(2, 6); changes > 0; changes--)
        {
            Change(bytes);
        }

        if (bytes.Count > InputBytesMax)
        {
            bytes.RemoveRange(InputBytesMax, bytes.Count - InputBytesMax);
        }

        return [.. bytes];
    }

    /// <summary>Keeps an input that was accepted, to be changed further.</summary>
    /// <param name="input">The input.</param>
    public void Keep(byte[] input)
    {
        if (_grown.Count < GrownMax)
        {
            _grown.Add(input);
        }
        else
        {
            _grown[prng.Below(GrownMax)] = input;
        }
    }

    private void Change(List<byte> bytes)
    {
        var at = prng.Below(bytes.Count + 1);
        var left = bytes.Count - at;
        switch (prng.Below(8))
        {
            case 0:
                bytes.RemoveRange(at, left);
                break;
            case 1 when left > 0:
                bytes[at] ^= (byte)(1 << prng.Below(8));
                break;
            case 2 when left > 0:
                bytes.RemoveRange(at, (int)prng.Between(1, Math.Min(left, 8)));
                break;
            case 3 when left > 0:
                var piece = bytes.GetRange(at, (int)prng.Between(1, Math.Min(left, 32)));
                for (var times = prng.Between(1, 40); times > 0; times--)
                {
                    bytes.InsertRange(at, piece);
                }

                break;
            case 4:
                bytes.InsertRange(at, Tokens[prng.Below(Tokens.Length)]);
                break;
            case 5:
                var other = _grown[prng.Below(_grown.Count)];
                bytes.InsertRange(at, other.AsSpan(0, prng.Below(other.Length + 1)));
                break;
            case 6 when left > 0:
                bytes[at] = (byte)prng.Below(256);
                break;
            default:
                bytes.Insert(at, (byte)prng.Below(256));
                break;
        }
    }
}
