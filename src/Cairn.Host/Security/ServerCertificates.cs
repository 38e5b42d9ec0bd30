using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cairn.Host.Flags;

namespace Cairn.Host.Security;

/// <summary>The certificate that clients are shown, and what is asked of theirs. Files are read again for each handshake after they have changed.</summary>
/// <remarks>Thread-safe. Source: etcd client/pkg/transport/listener.go.</remarks>
internal sealed class ServerCertificates
{
    private readonly Lock _lock = new();
    private readonly TlsOptions _options;
    private (DateTime Cert, DateTime Key, DateTime Ca) _stamp;
    private SslServerAuthenticationOptions _current;

    private ServerCertificates(TlsOptions options, TimeProvider time)
    {
        _options = options;
        _stamp = options.Auto ? default : Stamp();
        _current = options.Auto ? Build(SelfSigned(options, time), ca: null) : Load();
    }

    /// <summary>Loads or makes the certificates.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">A file holds no certificate or key.</exception>
    public static ServerCertificates Create(TlsOptions options, TimeProvider time) => new(options, time);

    /// <summary>The options of the next handshake.</summary>
    public SslServerAuthenticationOptions Current()
    {
        if (!_options.Auto)
        {
            Refresh();
        }

        return _current;
    }

    private static X509Certificate2 SelfSigned(TlsOptions options, TimeProvider time)
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
        DateTimeOffset now = time.GetUtcNow();
        using X509Certificate2 made = request.CreateSelfSigned(now.AddMinutes(-5), now.AddYears(options.ValidityYears));
        return X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), password: null);
    }

    private (DateTime Cert, DateTime Key, DateTime Ca) Stamp() => (
        File.GetLastWriteTimeUtc(_options.CertFile),
        File.GetLastWriteTimeUtc(_options.KeyFile),
        _options.TrustedCaFile.Length == 0 ? default : File.GetLastWriteTimeUtc(_options.TrustedCaFile));

    private void Refresh()
    {
        lock (_lock)
        {
            (DateTime Cert, DateTime Key, DateTime Ca) stamp = Stamp();
            if (stamp == _stamp)
            {
                return;
            }

            try
            {
                _current = Load();
                _stamp = stamp;
            }
            catch (Exception e) when (e is IOException or CryptographicException or UnauthorizedAccessException)
            {
                // Rotation replaces certificate and key one after the other; until both fit, the pair that did stays in use.
            }
        }
    }

    private SslServerAuthenticationOptions Load()
    {
        using X509Certificate2 fromFiles = X509Certificate2.CreateFromPemFile(_options.CertFile, _options.KeyFile);
        X509Certificate2 certificate = X509CertificateLoader.LoadPkcs12(fromFiles.Export(X509ContentType.Pkcs12), password: null);
        X509Certificate2Collection? ca = null;
        if (_options.TrustedCaFile.Length > 0)
        {
            ca = [];
            ca.ImportFromPemFile(_options.TrustedCaFile);
        }

        return Build(certificate, ca);
    }

    private SslServerAuthenticationOptions Build(X509Certificate2 certificate, X509Certificate2Collection? ca)
    {
        bool asks = _options.RequireClientCertificate || ca is not null;
        var options = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = SslStreamCertificateContext.Create(certificate, additionalCertificates: Chain(), offline: true),
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
            ClientCertificateRequired = asks,
            EnabledSslProtocols = Protocols(),
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
        };
        if (asks)
        {
            options.RemoteCertificateValidationCallback = (_, shown, _, _) => IsAccepted(shown as X509Certificate2, ca);
        }

        if (_options.CipherSuites.Count > 0 && !OperatingSystem.IsWindows())
        {
            options.CipherSuitesPolicy = new CipherSuitesPolicy(CipherSuiteNames.Parse(_options.CipherSuites));
        }

        return options;
    }

    /// <summary>Intermediates that stand behind the certificate in its file.</summary>
    private X509Certificate2Collection Chain()
    {
        var chain = new X509Certificate2Collection();
        if (!_options.Auto)
        {
            chain.ImportFromPemFile(_options.CertFile);
        }

        return chain;
    }

    private SslProtocols Protocols() => (_options.VersionMin, _options.VersionMax) switch
    {
        ("TLS1.3", _) => SslProtocols.Tls13,
        (_, "TLS1.2") => SslProtocols.Tls12,
        _ => SslProtocols.Tls12 | SslProtocols.Tls13,
    };

    private bool IsAccepted(X509Certificate2? shown, X509Certificate2Collection? ca)
    {
        if (shown is null)
        {
            return !_options.RequireClientCertificate;
        }

        using var chain = new X509Chain();
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        if (ca is not null)
        {
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.AddRange(ca);
        }

        return chain.Build(shown);
    }
}
