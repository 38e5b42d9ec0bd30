using System.Formats.Asn1;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Cairn.Server.Auth.Jwt;

/// <summary>EdDSA on Curve25519, which .NET does not offer: asked of the same OpenSSL that .NET's cryptography stands on.</summary>
/// <remarks>Source: RFC 8410 for the form of the keys; OpenSSL's EVP_PKEY-ED25519(7).</remarks>
internal sealed unsafe partial class Ed25519Key : JwtKey
{
    private const string Oid = "1.3.101.112";
    private const int KeyBytes = 32;
    private const int SignatureBytes = 64;
    private const int OpenSslNumber = 1087;

    private readonly byte[] _key;
    private readonly byte[] _publicKey;

    static Ed25519Key() => NativeLibrary.SetDllImportResolver(typeof(Ed25519Key).Assembly, Resolve);

    /// <summary>Reads a key.</summary>
    /// <param name="pem">PKCS#8, or the public key as X.509 has it.</param>
    /// <param name="isPrivate">Which of the two.</param>
    /// <exception cref="CryptographicException">The text is no such key.</exception>
    public Ed25519Key(string pem, bool isPrivate)
        : base("EdDSA", isPrivate)
    {
        _key = Read(pem, isPrivate);
        _publicKey = isPrivate ? PublicOf(_key) : _key;
    }

    /// <inheritdoc/>
    public override byte[] Sign(byte[] data)
    {
        var signature = new byte[SignatureBytes];
        var length = (nint)SignatureBytes;
        fixed (byte* key = _key, to = signature, from = data)
        {
            var handle = NewPrivateKey(OpenSslNumber, 0, key, KeyBytes);
            var context = NewContext();
            var done = handle != 0 && context != 0 && BeginSigning(context, 0, 0, 0, handle) == 1 && Sign(context, to, &length, from, data.Length) == 1;
            FreeContext(context);
            FreeKey(handle);
            return done && length == SignatureBytes ? signature : throw new CryptographicException("OpenSSL did not sign with the Ed25519 key");
        }
    }

    /// <inheritdoc/>
    public override bool Verify(byte[] data, byte[] signature)
    {
        fixed (byte* key = _publicKey, against = signature, from = data)
        {
            var handle = NewPublicKey(OpenSslNumber, 0, key, KeyBytes);
            var context = NewContext();
            var isRight = handle != 0 && context != 0
                && BeginVerifying(context, 0, 0, 0, handle) == 1
                && Verify(context, against, signature.Length, from, data.Length) == 1;
            FreeContext(context);
            FreeKey(handle);
            return isRight;
        }
    }

    /// <summary>The public half of a key.</summary>
    /// <param name="seed">The private half.</param>
    /// <returns>32 bytes.</returns>
    internal static byte[] PublicOf(byte[] seed)
    {
        var publicKey = new byte[KeyBytes];
        var length = (nint)KeyBytes;
        fixed (byte* key = seed, to = publicKey)
        {
            var handle = NewPrivateKey(OpenSslNumber, 0, key, KeyBytes);
            var done = handle != 0 && GetPublicKey(handle, to, &length) == 1;
            FreeKey(handle);
            return done ? publicKey : throw new CryptographicException("OpenSSL did not take the Ed25519 key");
        }
    }

    private static byte[] Read(string pem, bool isPrivate)
    {
        try
        {
            var fields = PemEncoding.Find(pem);
            var sequence = new AsnReader(Convert.FromBase64String(pem[fields.Base64Data]), AsnEncodingRules.DER).ReadSequence();
            if (isPrivate)
            {
                sequence.ReadInteger();
            }

            if (sequence.ReadSequence().ReadObjectIdentifier() != Oid)
            {
                throw new CryptographicException("the signing method EdDSA needs an Ed25519 key");
            }

            var key = isPrivate ? new AsnReader(sequence.ReadOctetString(), AsnEncodingRules.DER).ReadOctetString() : sequence.ReadBitString(out _);
            return key.Length == KeyBytes ? key : throw new CryptographicException("an Ed25519 key has 32 bytes");
        }
        catch (AsnContentException)
        {
            throw new CryptographicException("the key file holds no PEM key that fits the signing method EdDSA");
        }
    }

    private static nint Resolve(string library, System.Reflection.Assembly assembly, DllImportSearchPath? path)
    {
        foreach (var name in library == "libcrypto" ? new[] { "libcrypto.so.3", "libcrypto.so.1.1", "libcrypto.so" } : [])
        {
            if (NativeLibrary.TryLoad(name, assembly, path, out var handle))
            {
                return handle;
            }
        }

        return 0;
    }

    [LibraryImport("libcrypto", EntryPoint = "EVP_PKEY_new_raw_private_key")]
    private static partial nint NewPrivateKey(int type, nint engine, byte* key, nint length);

    [LibraryImport("libcrypto", EntryPoint = "EVP_PKEY_new_raw_public_key")]
    private static partial nint NewPublicKey(int type, nint engine, byte* key, nint length);

    [LibraryImport("libcrypto", EntryPoint = "EVP_PKEY_get_raw_public_key")]
    private static partial int GetPublicKey(nint key, byte* publicKey, nint* length);

    [LibraryImport("libcrypto", EntryPoint = "EVP_PKEY_free")]
    private static partial void FreeKey(nint key);

    [LibraryImport("libcrypto", EntryPoint = "EVP_MD_CTX_new")]
    private static partial nint NewContext();

    [LibraryImport("libcrypto", EntryPoint = "EVP_MD_CTX_free")]
    private static partial void FreeContext(nint context);

    [LibraryImport("libcrypto", EntryPoint = "EVP_DigestSignInit")]
    private static partial int BeginSigning(nint context, nint keyContext, nint digest, nint engine, nint key);

    [LibraryImport("libcrypto", EntryPoint = "EVP_DigestSign")]
    private static partial int Sign(nint context, byte* signature, nint* signatureLength, byte* data, nint length);

    [LibraryImport("libcrypto", EntryPoint = "EVP_DigestVerifyInit")]
    private static partial int BeginVerifying(nint context, nint keyContext, nint digest, nint engine, nint key);

    [LibraryImport("libcrypto", EntryPoint = "EVP_DigestVerify")]
    private static partial int Verify(nint context, byte* signature, nint signatureLength, byte* data, nint length);
}
