using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Cairn.Server.Auth;

/// <summary>Hashes passwords so slowly that trying many is expensive: bcrypt, version 2a, as etcd stores it.</summary>
/// <remarks>
/// <para>Worked example: the text <c>$2a$10$</c>, 22 characters of salt, 31 of hash; 10 is the cost, the logarithm of the number of rounds.</para>
/// <para>Source: Provos and Mazières, "A Future-Adaptable Password Scheme" (1999); golang.org/x/crypto/bcrypt for the form of the text.</para>
/// </remarks>
internal static class Bcrypt
{
    /// <summary>Longest password, in bytes of UTF-8: what lies behind would not count.</summary>
    public const int PasswordBytesMax = 72;

    /// <summary>Bytes of a salt.</summary>
    public const int SaltBytes = 16;

    /// <summary>Lowest cost.</summary>
    public const int CostMin = 4;

    /// <summary>Highest cost.</summary>
    public const int CostMax = 31;

    private const int HashBytes = 23;
    private const int SaltCharacters = 22;
    private const int HashCharacters = 31;
    private const int PrefixCharacters = 7;
    private const int MagicRounds = 64;
    private const string Alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    /// <summary>Hashes.</summary>
    /// <param name="password">The password, of at most <see cref="PasswordBytesMax"/> bytes.</param>
    /// <param name="salt">Chance, <see cref="SaltBytes"/> long.</param>
    /// <param name="cost">Logarithm of the number of rounds.</param>
    /// <returns>Text that holds version, cost, salt and hash.</returns>
    public static string Hash(string password, ReadOnlySpan<byte> salt, int cost)
    {
        Invariant.Holds(salt.Length == SaltBytes && cost is >= CostMin and <= CostMax);
        return string.Create(CultureInfo.InvariantCulture, $"$2a${cost:00}${Encode(salt)}{Encode(Compute(password, salt, cost))}");
    }

    /// <summary>Checks a password.</summary>
    /// <param name="password">What somebody says is the password.</param>
    /// <param name="hashed">Text of <see cref="Hash"/>, or of another implementation (2a, 2b, 2y).</param>
    /// <returns>True if it is; false also for text that is no hash.</returns>
    public static bool Verify(string password, ReadOnlySpan<byte> hashed)
    {
        Span<byte> salt = stackalloc byte[SaltBytes];
        Span<byte> expected = stackalloc byte[HashBytes];
        return hashed.Length == PrefixCharacters + SaltCharacters + HashCharacters
            && hashed[0] == '$' && hashed[1] == '2' && hashed[2] is (byte)'a' or (byte)'b' or (byte)'y' && hashed[3] == '$' && hashed[6] == '$'
            && int.TryParse(hashed[4..6], NumberStyles.None, CultureInfo.InvariantCulture, out var cost) && cost is >= CostMin and <= CostMax
            && TryDecode(hashed.Slice(PrefixCharacters, SaltCharacters), salt)
            && TryDecode(hashed[(PrefixCharacters + SaltCharacters)..], expected)
            && CryptographicOperations.FixedTimeEquals(Compute(password, salt, cost), expected);
    }

    private static byte[] Compute(string password, ReadOnlySpan<byte> salt, int cost)
    {
        // The end of the text is part of the key, as in C.
        byte[] key = [.. Encoding.UTF8.GetBytes(password), 0];
        var cipher = new Blowfish();
        cipher.Expand(key, salt);
        for (var round = 0L; round < 1L << cost; round++)
        {
            cipher.Expand(key, []);
            cipher.Expand(salt, []);
        }

        var text = "OrpheanBeholderScryDoubt"u8.ToArray();
        for (var i = 0; i < text.Length; i += Blowfish.BlockBytes)
        {
            var left = BinaryPrimitives.ReadUInt32BigEndian(text.AsSpan(i));
            var right = BinaryPrimitives.ReadUInt32BigEndian(text.AsSpan(i + 4));
            for (var round = 0; round < MagicRounds; round++)
            {
                cipher.Encrypt(ref left, ref right);
            }

            BinaryPrimitives.WriteUInt32BigEndian(text.AsSpan(i), left);
            BinaryPrimitives.WriteUInt32BigEndian(text.AsSpan(i + 4), right);
        }

        return text[..HashBytes];
    }

    /// <summary>Base64 with an order of letters, and without a padding, of its own.</summary>
    private static string Encode(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        for (var i = 0; i < bytes.Length; i += 3)
        {
            var rest = Math.Min(3, bytes.Length - i);
            var group = (bytes[i] << 16) | (rest > 1 ? bytes[i + 1] << 8 : 0) | (rest > 2 ? bytes[i + 2] : 0);
            for (var digit = 0; digit <= rest; digit++)
            {
                text.Append(Alphabet[(group >> (18 - (6 * digit))) & 0x3F]);
            }
        }

        return text.ToString();
    }

    private static bool TryDecode(ReadOnlySpan<byte> text, Span<byte> bytes)
    {
        var (bits, count, at) = (0, 0, 0);
        foreach (var letter in text)
        {
            var digit = Alphabet.IndexOf((char)letter, StringComparison.Ordinal);
            if (digit < 0)
            {
                return false;
            }

            bits = ((bits << 6) | digit) & 0xFFFF;
            count += 6;
            if (count >= 8 && at < bytes.Length)
            {
                count -= 8;
                bytes[at++] = (byte)(bits >> count);
            }
        }

        return at == bytes.Length;
    }
}
