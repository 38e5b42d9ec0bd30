using System.Formats.Asn1;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cairn.Host.Flags;

namespace Cairn.Host.Security;

/// <summary>Certificates, authorities and revocations as they were read at one moment. Immutable.</summary>
internal sealed class TlsMaterial
{
    private const string ClientUsage = "1.3.6.1.5.5.7.3.2";

    private TlsMaterial(X509Certificate2 certificate, SslStreamCertificateContext context, SslStreamCertificateContext clientContext)
    {
        Certificate = certificate;
        Context = context;
        ClientContext = clientContext;
    }

    /// <summary>What is shown to those who connect.</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>The same, with what stands behind it.</summary>
    public SslStreamCertificateContext Context { get; }

    /// <summary>What is shown to those whom this server connects to.</summary>
    public SslStreamCertificateContext ClientContext { get; }

    /// <summary>Whose certificates are trusted; null for those that the system trusts.</summary>
    public X509Certificate2Collection? Authorities { get; private init; }

    /// <summary>Serial numbers that are not accepted any more, in upper-case hexadecimal.</summary>
    public required IReadOnlySet<string> Revoked { get; init; }

    /// <summary>When it was read or made.</summary>
    public DateTimeOffset LoadedAt { get; private init; }

    /// <summary>Reads the files, or makes a certificate.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">A file holds no certificate, key or list.</exception>
    public static TlsMaterial Load(TlsOptions options, DateTimeOffset now)
    {
        (X509Certificate2 certificate, SslStreamCertificateContext context) =
            options.IsMade ? Make(options, now) : ReadPair(options.CertFile, options.KeyFile);
        SslStreamCertificateContext client = options.ClientCertFile.Length > 0 ? ReadPair(options.ClientCertFile, options.ClientKeyFile).Context : context;
        X509Certificate2Collection? authorities = null;
        if (options.TrustedCaFile.Length > 0)
        {
            authorities = [];
            authorities.ImportFromPemFile(options.TrustedCaFile);
        }

        return new TlsMaterial(certificate, context, client)
        {
            Authorities = authorities,
            Revoked = options.CrlFile.Length > 0 ? ReadRevoked(File.ReadAllBytes(options.CrlFile)) : new HashSet<string>(),
            LoadedAt = now,
        };
    }

    /// <summary>Whether a client's or a server's certificate leads to an authority, is valid now, and is made for what it is used for.</summary>
    /// <param name="shown">The certificate.</param>
    /// <param name="given">What was shown along with it.</param>
    /// <param name="authorities">Who is trusted; null for those that the system trusts.</param>
    /// <param name="usage">What it must be made for; null for anything.</param>
    public static bool IsTrusted(X509Certificate2 shown, X509Chain? given, X509Certificate2Collection? authorities, string? usage = null)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        chain.ChainPolicy.ExtraStore.AddRange(given?.ChainPolicy.ExtraStore ?? []);
        if (usage is not null)
        {
            chain.ChainPolicy.ApplicationPolicy.Add(new Oid(usage));
        }

        if (authorities is not null)
        {
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        }

        return chain.Build(shown);
    }

    /// <summary>Whether a client's certificate may be used by a client, besides <see cref="IsTrusted"/>.</summary>
    public static bool IsTrustedClient(X509Certificate2 shown, X509Chain? given, X509Certificate2Collection? authorities) =>
        IsTrusted(shown, given, authorities, ClientUsage);

    /// <summary>Accepts servers whose certificates have their name and lead to an authority.</summary>
    /// <param name="authorities">Who is trusted.</param>
    public static RemoteCertificateValidationCallback ServersOf(X509Certificate2Collection authorities) => (_, shown, given, errors) =>
        (errors & SslPolicyErrors.RemoteCertificateNameMismatch) == 0 && shown is X509Certificate2 certificate && IsTrusted(certificate, given, authorities);

    /// <summary>Reads a certificate, what stands behind it, and its key.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">A file holds no certificate or key.</exception>
    public static (X509Certificate2 Certificate, SslStreamCertificateContext Context) ReadPair(string certFile, string keyFile)
    {
        using X509Certificate2 fromFiles = X509Certificate2.CreateFromPemFile(certFile, keyFile);
        X509Certificate2 certificate = X509CertificateLoader.LoadPkcs12(fromFiles.Export(X509ContentType.Pkcs12), password: null);
        X509Certificate2Collection behind = [];
        behind.ImportFromPemFile(certFile);
        return (certificate, SslStreamCertificateContext.Create(certificate, behind, offline: true));
    }

    private static (X509Certificate2 Certificate, SslStreamCertificateContext Context) Make(TlsOptions options, DateTimeOffset now)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("O=etcd", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("localhost");
        names.AddDnsName(Environment.MachineName);
        names.AddIpAddress(System.Net.IPAddress.Loopback);
        names.AddIpAddress(System.Net.IPAddress.IPv6Loopback);
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: false, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        using X509Certificate2 made = request.CreateSelfSigned(now.AddMinutes(-5), now.AddYears(options.ValidityYears));
        X509Certificate2 certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), password: null);
        return (certificate, SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true));
    }

    /// <summary>Reads a revocation list, PEM or DER.</summary>
    /// <remarks>Source: RFC 5280, 5.1: TBSCertList. The list's own signature is not checked: whoever can change the file can change the authorities beside it.</remarks>
    private static HashSet<string> ReadRevoked(byte[] file)
    {
        try
        {
            string text = System.Text.Encoding.Latin1.GetString(file);
            byte[] der = PemEncoding.TryFind(text, out PemFields fields) ? Convert.FromBase64String(text[fields.Base64Data]) : file;
            AsnReader list = new AsnReader(der, AsnEncodingRules.DER).ReadSequence().ReadSequence();
            if (list.PeekTag().HasSameClassAndValue(Asn1Tag.Integer))
            {
                list.ReadInteger();
            }

            // The method of the signature, the issuer, the time of the list, and perhaps of the next one.
            list.ReadEncodedValue();
            list.ReadEncodedValue();
            list.ReadEncodedValue();
            if (list.HasData && (list.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime) || list.PeekTag().HasSameClassAndValue(Asn1Tag.GeneralizedTime)))
            {
                list.ReadEncodedValue();
            }

            var revoked = new HashSet<string>(StringComparer.Ordinal);
            AsnReader? entries = list.HasData && list.PeekTag().HasSameClassAndValue(Asn1Tag.Sequence) ? list.ReadSequence() : null;
            while (entries is { HasData: true })
            {
                revoked.Add(Convert.ToHexString(entries.ReadSequence().ReadIntegerBytes().Span));
            }

            return revoked;
        }
        catch (AsnContentException exception)
        {
            throw new CryptographicException("the file of revoked certificates is no revocation list (CRL), neither PEM nor DER", exception);
        }
    }
}
