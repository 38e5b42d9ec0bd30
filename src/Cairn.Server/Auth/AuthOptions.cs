using Cairn.Server.Auth.Jwt;

namespace Cairn.Server.Auth;

/// <summary>How users are recognised.</summary>
public sealed record AuthOptions
{
    /// <summary>Cost of hashing a new password: the logarithm of the number of rounds.</summary>
    public int BcryptCost { get; init; } = 10;

    /// <summary>How long a simple token lives without being used, at least.</summary>
    public TimeSpan TokenTtl { get; init; } = TimeSpan.FromSeconds(300);

    /// <summary>Keys of signed tokens; null for simple tokens.</summary>
    public JwtKeyring? Jwt { get; init; }

    /// <summary>Whether the common name of a client's certificate is the name of its user, where there is no token.</summary>
    public bool UsesCertificates { get; init; }

    /// <summary>Whether any change of any user or role ends all signed tokens, as in etcd, and not only a change of the token's own user.</summary>
    public bool EndsJwtOnAnyChange { get; init; }
}
