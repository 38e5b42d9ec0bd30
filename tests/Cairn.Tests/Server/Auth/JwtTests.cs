using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Cairn.Server.Auth.Jwt;
using Xunit;

namespace Cairn.Tests.Server.Auth;

public sealed class JwtTests
{
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly TimeSpan Ttl = TimeSpan.FromMinutes(5);

    [Theory]
    [InlineData("RS256")]
    [InlineData("RS512")]
    [InlineData("PS384")]
    [InlineData("ES256")]
    [InlineData("ES384")]
    [InlineData("ES512")]
    [InlineData("EdDSA")]
    [InlineData("HS256")]
    [InlineData("HS512")]
    public void What_one_key_signs_it_and_its_public_half_verify(string method)
    {
        var (publicKey, privateKey) = Keys(method);
        var signer = new JwtKeyring(JwtKey.Read(method, publicKey, privateKey), Ttl);

        var token = signer.Sign("älice \"x\"", revision: 7, Now);

        Assert.True(signer.TryVerify(token, Now, out var claims));
        Assert.Equal(("älice \"x\"", 7UL), (claims.UserName, claims.Revision));
        if (publicKey is not null)
        {
            var verifier = new JwtKeyring(JwtKey.Read(method, publicKey, privateKey: null), Ttl);
            Assert.False(verifier.CanSign);
            Assert.True(verifier.TryVerify(token, Now, out _));
        }

        var (_, stranger) = Keys(method);
        Assert.False(new JwtKeyring(JwtKey.Read(method, null, stranger), Ttl).TryVerify(token, Now, out _));
    }

    /// <summary>RFC 8037, appendix A.4.</summary>
    [Fact]
    public void The_published_signature_of_EdDSA_is_made_and_verified()
    {
        var key = JwtKey.Read("EdDSA", null, EdPrivate(Base64Url.DecodeFromChars("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")));
        var signed = Encoding.ASCII.GetBytes("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc");
        const string expected = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

        Assert.Equal(expected, Base64Url.EncodeToString(key.Sign(signed)));
        Assert.True(key.Verify(signed, Base64Url.DecodeFromChars(expected)));
        Assert.False(key.Verify([.. signed, 0], Base64Url.DecodeFromChars(expected)));
    }

    [Fact]
    public void A_token_is_valid_until_it_expires()
    {
        var keys = Hmac("secret");
        var token = keys.Sign("u", 1, Now);

        Assert.True(keys.TryVerify(token, Now + Ttl - TimeSpan.FromSeconds(1), out _));
        Assert.False(keys.TryVerify(token, Now + Ttl, out _));
    }

    [Fact]
    public void Tokens_of_the_key_before_stay_valid_and_those_of_the_one_before_that_do_not()
    {
        var keys = Hmac("first");
        var first = keys.Sign("u", 1, Now);
        keys.Replace(JwtKey.Read("HS256", null, "second"u8.ToArray()));
        var second = keys.Sign("u", 1, Now);

        Assert.True(keys.TryVerify(first, Now, out _));
        Assert.True(keys.TryVerify(second, Now, out _));

        keys.Replace(JwtKey.Read("HS256", null, "third"u8.ToArray()));
        Assert.False(keys.TryVerify(first, Now, out _));
        Assert.True(keys.TryVerify(second, Now, out _));
    }

    /// <summary>etcd issue 15676: a token without claims ended the server. And what everybody tries with signed tokens.</summary>
    [Theory]
    [InlineData("{\"alg\":\"HS256\"}", "{}")]
    [InlineData("{\"alg\":\"HS256\"}", "{\"username\":7,\"revision\":1}")]
    [InlineData("{\"alg\":\"HS256\"}", "{\"username\":\"root\"}")]
    [InlineData("{\"alg\":\"HS256\"}", "{\"username\":\"root\",\"revision\":\"1\"}")]
    [InlineData("{\"alg\":\"HS256\"}", "{\"username\":\"root\",\"revision\":-1}")]
    [InlineData("{\"alg\":\"HS256\"}", "{\"username\":\"root\",\"revision\":1,\"exp\":\"never\"}")]
    [InlineData("{\"alg\":\"HS256\"}", "[1]")]
    [InlineData("{\"alg\":\"HS256\"}", "{")]
    [InlineData("{\"alg\":\"HS512\"}", "{\"username\":\"root\",\"revision\":1}")]
    [InlineData("{\"alg\":\"none\"}", "{\"username\":\"root\",\"revision\":1}")]
    [InlineData("{}", "{\"username\":\"root\",\"revision\":1}")]
    [InlineData("[]", "{\"username\":\"root\",\"revision\":1}")]
    public void Signed_text_that_is_no_token_is_refused(string header, string claims)
    {
        var signed = $"{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(header))}.{Base64Url.EncodeToString(Encoding.UTF8.GetBytes(claims))}";
        var signature = JwtKey.Read("HS256", null, "secret"u8.ToArray()).Sign(Encoding.ASCII.GetBytes(signed));

        Assert.False(Hmac("secret").TryVerify($"{signed}.{Base64Url.EncodeToString(signature)}", Now, out _));
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("..")]
    [InlineData("a.b")]
    [InlineData("a.b.c.d")]
    [InlineData("eyJhbGciOiJIUzI1NiJ9..")]
    [InlineData("ä.ö.ü")]
    [InlineData("abcdefghijklmnop.17")]
    public void Any_other_text_is_refused(string token) => Assert.False(Hmac("secret").TryVerify(token, Now, out _));

    [Fact]
    public void Keys_that_do_not_fit_are_named()
    {
        var (publicKey, privateKey) = Keys("ES256");
        var (otherPublic, _) = Keys("ES256");

        Assert.Contains("sign-method", Fault("none", publicKey, privateKey), StringComparison.Ordinal);
        Assert.Contains("256", Fault("ES384", publicKey, privateKey), StringComparison.Ordinal);
        Assert.Contains("pub-key", Fault("RS256", null, null), StringComparison.Ordinal);
        Assert.Contains("secret", Fault("HS256", publicKey, null), StringComparison.Ordinal);
        Assert.Contains("RS256", Fault("RS256", null, "no key"u8.ToArray()), StringComparison.Ordinal);
        Assert.Contains("EdDSA", Fault("EdDSA", null, privateKey), StringComparison.Ordinal);
        Assert.Contains("does not belong", Fault("ES256", otherPublic, privateKey), StringComparison.Ordinal);
    }

    private static string Fault(string method, byte[]? publicKey, byte[]? privateKey) =>
        Assert.ThrowsAny<CryptographicException>(() => JwtKey.Read(method, publicKey, privateKey)).Message;

    private static JwtKeyring Hmac(string secret) => new(JwtKey.Read("HS256", null, Encoding.UTF8.GetBytes(secret)), Ttl);

    private static (byte[]? Public, byte[] Private) Keys(string method)
    {
        switch (method)
        {
            case ['H', ..]:
                return (null, RandomNumberGenerator.GetBytes(32));
            case "EdDSA":
                var seed = RandomNumberGenerator.GetBytes(32);
                return (EdPublic(seed), EdPrivate(seed));
            case ['E', ..]:
                using (var ec = ECDsa.Create(method switch
                {
                    "ES256" => ECCurve.NamedCurves.nistP256,
                    "ES384" => ECCurve.NamedCurves.nistP384,
                    _ => ECCurve.NamedCurves.nistP521,
                }))
                {
                    return (Encoding.ASCII.GetBytes(ec.ExportSubjectPublicKeyInfoPem()), Encoding.ASCII.GetBytes(ec.ExportPkcs8PrivateKeyPem()));
                }

            default:
                using (var rsa = RSA.Create(2048))
                {
                    return (Encoding.ASCII.GetBytes(rsa.ExportSubjectPublicKeyInfoPem()), Encoding.ASCII.GetBytes(rsa.ExportRSAPrivateKeyPem()));
                }
        }
    }

    /// <summary>RFC 8410: the 16 bytes in front say "Ed25519, private".</summary>
    private static byte[] EdPrivate(byte[] seed) =>
        Encoding.ASCII.GetBytes(PemEncoding.WriteString("PRIVATE KEY", [.. Convert.FromHexString("302e020100300506032b657004220420"), .. seed]));

    private static byte[] EdPublic(byte[] seed) =>
        Encoding.ASCII.GetBytes(PemEncoding.WriteString("PUBLIC KEY", [.. Convert.FromHexString("302a300506032b6570032100"), .. Ed25519Key.PublicOf(seed)]));
}
