using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;

namespace Cairn.State.Auth;

/// <summary>What is kept of a simple token: enough to recognise it, not enough to use it.</summary>
/// <param name="Value">The first 16 bytes of the SHA-256 of its text, big-endian.</param>
/// <remarks>A token has 91 random bits, so nobody finds it by trying; the state of a member, or a backup of it, gives none away.</remarks>
public readonly record struct TokenHash(UInt128 Value)
{
    internal const int Bytes = 16;

    /// <summary>Hashes a token.</summary>
    /// <param name="token">Its text.</param>
    /// <returns>The hash.</returns>
    public static TokenHash Of(string token)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(token), hash);
        return new TokenHash(BinaryPrimitives.ReadUInt128BigEndian(hash));
    }

    /// <summary>Writes the hash.</summary>
    /// <returns>16 bytes.</returns>
    public ByteString ToByteString()
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, Value);
        return ByteString.CopyFrom(bytes);
    }

    /// <summary>Reads what <see cref="ToByteString"/> wrote.</summary>
    /// <param name="bytes">Any bytes; those of another length are the hash of no token.</param>
    /// <returns>The hash.</returns>
    internal static TokenHash Read(ByteString bytes) => Read(bytes.Span);

    internal static TokenHash Read(ReadOnlySpan<byte> bytes) =>
        bytes.Length == Bytes ? new TokenHash(BinaryPrimitives.ReadUInt128BigEndian(bytes)) : default;
}

/// <summary>A simple token that is valid.</summary>
/// <param name="UserName">Whose it is.</param>
/// <param name="LastUse">Index of the last entry that said that it was used (at first: of the one that assigned it).</param>
public readonly record struct SimpleToken(string UserName, ulong LastUse);

/// <summary>The simple tokens that are valid, equal on all members: so each member knows them, and they outlive a restart. Immutable.</summary>
/// <remarks>
/// A token is valid while it stands here. That it was not used for long is judged by the leader's clock and reaches this table as an entry, as the end of a
/// lease does; so a token may live longer than its time, and never shorter.
/// </remarks>
public sealed class TokenTable
{
    // Some megabytes. A program logs in every few minutes at most, so this is room for thousands; above it, those unused for longest go.
    internal const int TokensMax = 65_536;

    private readonly ImmutableSortedDictionary<TokenHash, SimpleToken> _tokens;

    private TokenTable(ImmutableSortedDictionary<TokenHash, SimpleToken> tokens) => _tokens = tokens;

    /// <summary>No tokens.</summary>
    public static TokenTable Empty { get; } = new(ImmutableSortedDictionary.Create<TokenHash, SimpleToken>(
        Comparer<TokenHash>.Create(static (left, right) => left.Value.CompareTo(right.Value))));

    /// <summary>All tokens, by ascending hash.</summary>
    public IReadOnlyDictionary<TokenHash, SimpleToken> All => _tokens;

    /// <summary>Finds a token.</summary>
    /// <param name="hash">Its hash.</param>
    /// <param name="token">What is known of it.</param>
    /// <returns>False if it is not valid.</returns>
    public bool TryFind(TokenHash hash, out SimpleToken token) => _tokens.TryGetValue(hash, out token);

    internal TokenTable With(TokenHash hash, string userName, ulong index)
    {
        var kept = _tokens.Count < TokensMax ? _tokens : _tokens.Remove(_tokens.MinBy(token => token.Value.LastUse).Key);
        return new TokenTable(kept.SetItem(hash, new SimpleToken(userName, index)));
    }

    internal TokenTable WithoutUser(string userName) =>
        new(_tokens.RemoveRange(_tokens.Where(token => token.Value.UserName == userName).Select(token => token.Key)));

    internal TokenTable WithUsed(IEnumerable<TokenHash> used, ulong index)
    {
        var tokens = _tokens.ToBuilder();
        foreach (var hash in used)
        {
            if (tokens.TryGetValue(hash, out var token))
            {
                tokens[hash] = token with { LastUse = index };
            }
        }

        return new TokenTable(tokens.ToImmutable());
    }

    internal TokenTable Without(IEnumerable<TokenHash> ended) => new(_tokens.RemoveRange(ended));
}
