using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Cairn.Server.Auth.Jwt;

/// <summary>What a signed token says.</summary>
/// <param name="UserName">Whose it is.</param>
/// <param name="Revision">Auth revision at which it was made.</param>
/// <param name="Expires">From when on it is not valid, in seconds since 1970; null is never.</param>
/// <param name="NotBefore">Until when it is not valid yet; null is at once.</param>
public sealed record JwtClaims(string UserName, ulong Revision, double? Expires, double? NotBefore);

/// <summary>Signs and verifies tokens: a key, and the one before it, whose tokens stay valid until they end. Any thread.</summary>
/// <remarks>
/// Worked example: <c>eyJ…fQ.eyJ…fQ.MEU…</c>, three parts in base64url: <c>{"alg":"RS256","typ":"JWT"}</c>,
/// <c>{"exp":1700000000,"revision":7,"username":"alice"}</c>, and the signature over the first two with the dot between them.
/// Source: RFC 7519 and 7515; etcd server/auth/jwt.go.
/// </remarks>
public sealed class JwtKeyring
{
    // Verifying costs some ten microseconds to some milliseconds; a token comes with every request. When so many were seen, all are verified once more.
    private const int VerifiedMax = 4096;

    // A token with three short claims takes a few hundred bytes, its signature at most two thousand.
    private const int TokenCharactersMax = 8192;

    private readonly ConcurrentDictionary<string, JwtClaims> _verified = new(StringComparer.Ordinal);
    private readonly TimeSpan _ttl;
    private volatile JwtKey _key;
    private volatile JwtKey? _previous;

    /// <summary>Begins with one key.</summary>
    /// <param name="key">The key.</param>
    /// <param name="ttl">How long tokens live.</param>
    public JwtKeyring(JwtKey key, TimeSpan ttl)
    {
        _key = key;
        _ttl = ttl;
    }

    /// <summary>Whether there is a key to sign with, and not only one to verify.</summary>
    public bool CanSign => _key.CanSign;

    /// <summary>Takes another key; tokens of the present one stay valid until they end, or until the next replacement.</summary>
    /// <param name="key">The key, of the same method.</param>
    public void Replace(JwtKey key)
    {
        _previous = _key;
        _key = key;
        _verified.Clear();
    }

    /// <summary>Makes a token.</summary>
    /// <param name="userName">For whom.</param>
    /// <param name="revision">Auth revision at which the password was checked.</param>
    /// <param name="now">When.</param>
    /// <returns>The token.</returns>
    public string Sign(string userName, ulong revision, DateTimeOffset now)
    {
        var key = _key;
        Invariant.Holds(key.CanSign);
        var expires = now.Add(_ttl).ToUnixTimeSeconds();
        var header = Encode(Encoding.UTF8.GetBytes($"{{\"alg\":\"{key.Method}\",\"typ\":\"JWT\"}}"));
        var claims = string.Create(
            CultureInfo.InvariantCulture,
            $"{{\"exp\":{expires},\"revision\":{revision},\"username\":{JsonSerializer.Serialize(userName)}}}");
        var signed = $"{header}.{Encode(Encoding.UTF8.GetBytes(claims))}";
        return $"{signed}.{Encode(key.Sign(Encoding.ASCII.GetBytes(signed)))}";
    }

    /// <summary>Checks a token.</summary>
    /// <param name="token">Its text.</param>
    /// <param name="now">When.</param>
    /// <param name="claims">What it says.</param>
    /// <returns>False if it is not signed by us, lacks a claim, or is not valid at this time.</returns>
    public bool TryVerify(string token, DateTimeOffset now, out JwtClaims claims)
    {
        if (!_verified.TryGetValue(token, out claims!))
        {
            if (Parse(token) is not { } parsed)
            {
                return false;
            }

            claims = parsed;
            if (_verified.Count >= VerifiedMax)
            {
                _verified.Clear();
            }

            _verified[token] = claims;
        }

        var seconds = now.ToUnixTimeMilliseconds() / 1000.0;
        return (claims.Expires is null || seconds < claims.Expires) && (claims.NotBefore is null || seconds >= claims.NotBefore);
    }

    private JwtClaims? Parse(string token)
    {
        var (first, last) = (token.IndexOf('.', StringComparison.Ordinal), token.LastIndexOf('.'));
        if (token.Length > TokenCharactersMax || first < 0 || token.IndexOf('.', first + 1) != last
            || !TryDecode(token.AsSpan(0, first), out var header)
            || !TryDecode(token.AsSpan(first + 1, last - first - 1), out var claims)
            || !TryDecode(token.AsSpan(last + 1), out var signature))
        {
            return null;
        }

        var key = _key;
        var signed = Encoding.UTF8.GetBytes(token[..last]);
        try
        {
            return MethodOf(header) == key.Method && (key.Verify(signed, signature) || (_previous?.Verify(signed, signature) ?? false)) ? ReadClaims(claims) : null;
        }
        catch (InvalidOperationException)
        {
            // The reader of JSON says so of text that is not UTF-8, and of halves of characters: no token of ours has either.
            return null;
        }
    }

    private static string? MethodOf(byte[] header)
    {
        using var json = TryParse(header);
        return json is not null && json.RootElement.TryGetProperty("alg", out var method) && method.ValueKind == JsonValueKind.String ? method.GetString() : null;
    }

    private static JwtClaims? ReadClaims(byte[] bytes)
    {
        using var json = TryParse(bytes);
        if (json is null
            || !json.RootElement.TryGetProperty("username", out var name) || name.ValueKind != JsonValueKind.String
            || Number(json.RootElement, "revision", out var isOdd) is not { } revision || isOdd || revision < 0)
        {
            return null;
        }

        var expires = Number(json.RootElement, "exp", out var isExpiryOdd);
        var notBefore = Number(json.RootElement, "nbf", out var isStartOdd);
        return isExpiryOdd || isStartOdd ? null : new JwtClaims(name.GetString()!, (ulong)revision, expires, notBefore); // It is a string.
    }

    /// <summary>A claim that is a number; null if it is absent; odd if it is something else.</summary>
    private static double? Number(JsonElement claims, string name, out bool isOdd)
    {
        isOdd = false;
        if (!claims.TryGetProperty(name, out var claim))
        {
            return null;
        }

        isOdd = claim.ValueKind != JsonValueKind.Number || !claim.TryGetDouble(out _);
        return isOdd ? null : claim.GetDouble();
    }

    private static JsonDocument? TryParse(byte[] bytes)
    {
        try
        {
            var json = JsonDocument.Parse(bytes);
            if (json.RootElement.ValueKind == JsonValueKind.Object)
            {
                return json;
            }

            json.Dispose();
        }
        catch (JsonException)
        {
            // Whoever wrote that has no key of ours.
        }

        return null;
    }

    private static string Encode(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);

    private static bool TryDecode(ReadOnlySpan<char> text, out byte[] bytes)
    {
        bytes = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        if (text.Contains('=') || !Base64Url.IsValid(text) || !Base64Url.TryDecodeFromChars(text, bytes, out var written))
        {
            return false;
        }

        bytes = bytes[..written];
        return true;
    }
}
