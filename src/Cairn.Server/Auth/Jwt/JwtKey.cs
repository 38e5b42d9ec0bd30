using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Cairn.Server.Auth.Jwt;

/// <summary>A key and the method to use it by. Any thread.</summary>
/// <remarks>Source: RFC 7518 (HS, RS, PS, ES) and RFC 8037 (EdDSA); etcd server/auth/options.go for which keys go with which method.</remarks>
public abstract class JwtKey
{
    private static readonly string[] Methods =
        ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"];

    private protected JwtKey(string method, bool canSign)
    {
        Method = method;
        CanSign = canSign;
    }

    /// <summary>The method, as tokens name it.</summary>
    public string Method { get; }

    /// <summary>Whether this key signs; otherwise it only verifies.</summary>
    public bool CanSign { get; }

    /// <summary>Reads a key.</summary>
    /// <param name="method">The method.</param>
    /// <param name="publicKey">Contents of the file of the public key, PEM (a certificate will do); null if there is none.</param>
    /// <param name="privateKey">Contents of the file of the private key, PEM; for HS the secret itself; null if there is none.</param>
    /// <returns>The key.</returns>
    /// <exception cref="CryptographicException">Which key is missing, does not fit the method, or does not fit the other.</exception>
    public static JwtKey Read(string method, byte[]? publicKey, byte[]? privateKey)
    {
        ArgumentNullException.ThrowIfNull(method);
        if (!Methods.Contains(method))
        {
            throw new CryptographicException($"unknown signing method \"{method}\": one of {string.Join(", ", Methods)} is expected as sign-method");
        }

        if (method[0] == 'H')
        {
            return privateKey is { Length: > 0 } ? new HmacKey(method, privateKey) : throw Missing(method, "a priv-key file with the secret");
        }

        var text = System.Text.Encoding.UTF8.GetString(privateKey is { Length: > 0 } ? privateKey : publicKey ?? []);
        if (text.Length == 0)
        {
            throw Missing(method, "a pub-key or a priv-key file");
        }

        try
        {
            var key = Import(method, text, isPrivate: privateKey is { Length: > 0 });
            return privateKey is not { Length: > 0 } || publicKey is not { Length: > 0 } ? key : Matched(key, publicKey);
        }
        catch (ArgumentException)
        {
            throw new CryptographicException($"the key file holds no PEM key that fits the signing method {method}");
        }
    }

    /// <summary>Signs.</summary>
    /// <param name="data">What to sign.</param>
    /// <returns>The signature.</returns>
    public abstract byte[] Sign(byte[] data);

    /// <summary>Checks a signature.</summary>
    /// <param name="data">What was signed.</param>
    /// <param name="signature">The signature.</param>
    /// <returns>True if it is right.</returns>
    public abstract bool Verify(byte[] data, byte[] signature);

    private protected static HashAlgorithmName HashOf(string method) => method[2..] switch
    {
        "256" => HashAlgorithmName.SHA256,
        "384" => HashAlgorithmName.SHA384,
        _ => HashAlgorithmName.SHA512,
    };

    private static CryptographicException Missing(string method, string what) => new($"the signing method {method} needs {what}");

    private static JwtKey Import(string method, string pem, bool isPrivate) => method[0] switch
    {
        'E' when method == "EdDSA" => new Ed25519Key(pem, isPrivate),
        'E' => EcKey.From(method, pem, isPrivate),
        _ => RsaKey.From(method, pem, isPrivate),
    };

    private static JwtKey Matched(JwtKey key, byte[] publicKey)
    {
        var probe = "probe"u8.ToArray();
        return Import(key.Method, System.Text.Encoding.UTF8.GetString(publicKey), isPrivate: false).Verify(probe, key.Sign(probe))
            ? key
            : throw new CryptographicException("the public key of --auth-token does not belong to its private key");
    }

    /// <summary>One secret for both sides.</summary>
    private sealed class HmacKey(string method, byte[] secret) : JwtKey(method, canSign: true)
    {
        public override byte[] Sign(byte[] data) => CryptographicOperations.HmacData(HashOf(Method), secret, data);

        public override bool Verify(byte[] data, byte[] signature) => CryptographicOperations.FixedTimeEquals(Sign(data), signature);
    }

    /// <summary>RS and PS.</summary>
    private sealed class RsaKey(string method, RSA rsa, bool canSign) : JwtKey(method, canSign)
    {
        private readonly Lock _lock = new(); // The platform's objects promise nothing about threads.

        private RSASignaturePadding Padding => Method[0] == 'P' ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1;

        public static RsaKey From(string method, string pem, bool isPrivate)
        {
            if (pem.Contains("BEGIN CERTIFICATE", StringComparison.Ordinal))
            {
                using var certificate = X509Certificate2.CreateFromPem(pem);
                return new RsaKey(method, certificate.GetRSAPublicKey() ?? throw new ArgumentException("no RSA key"), canSign: false);
            }

            var rsa = RSA.Create();
            rsa.ImportFromPem(pem);
            return new RsaKey(method, rsa, isPrivate);
        }

        public override byte[] Sign(byte[] data)
        {
            lock (_lock)
            {
                return rsa.SignData(data, HashOf(Method), Padding);
            }
        }

        public override bool Verify(byte[] data, byte[] signature)
        {
            lock (_lock)
            {
                return rsa.VerifyData(data, signature, HashOf(Method), Padding);
            }
        }
    }

    /// <summary>ES: the curve follows from the method.</summary>
    private sealed class EcKey(string method, ECDsa ec, bool canSign) : JwtKey(method, canSign)
    {
        private readonly Lock _lock = new(); // As for RSA.

        public static EcKey From(string method, string pem, bool isPrivate)
        {
            var bits = method switch { "ES256" => 256, "ES384" => 384, _ => 521 };
            ECDsa ec;
            if (pem.Contains("BEGIN CERTIFICATE", StringComparison.Ordinal))
            {
                using var certificate = X509Certificate2.CreateFromPem(pem);
                ec = certificate.GetECDsaPublicKey() ?? throw new ArgumentException("no EC key");
            }
            else
            {
                ec = ECDsa.Create();
                ec.ImportFromPem(pem);
            }

            return ec.KeySize == bits
                ? new EcKey(method, ec, isPrivate)
                : throw new CryptographicException($"the signing method {method} needs a key on a curve of {bits} bits, not of {ec.KeySize}");
        }

        public override byte[] Sign(byte[] data)
        {
            lock (_lock)
            {
                return ec.SignData(data, HashOf(Method));
            }
        }

        public override bool Verify(byte[] data, byte[] signature)
        {
            lock (_lock)
            {
                return ec.VerifyData(data, signature, HashOf(Method));
            }
        }
    }
}
