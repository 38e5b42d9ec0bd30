using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cairn.Host.Flags;

namespace Cairn.Host.Security;

/// <summary>What one side of this server (towards clients, or towards peers) shows in TLS, and what it asks of the others. Files are read again after they have changed.</summary>
/// <remarks>
/// Rotation replaces files one after the other; until they fit together, what did fit stays in use. Connections that are open live on.
/// Thread-safe. Source: etcd client/pkg/transport/{listener,listener_tls}.go.
/// </remarks>
internal sealed class TlsCredentials
{
    // A certificate that was made at start is made again after this part of its life.
    private const double RenewAfter = 2.0 / 3;

    private readonly Lock _lock = new();
    private readonly TlsOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private string _stamp;
    private TlsMaterial _material;

    private TlsCredentials(TlsOptions options, TimeProvider time, ILogger logger)
    {
        _options = options;
        _time = time;
        _logger = logger;
        _stamp = Stamp();
        _material = TlsMaterial.Load(options, time.GetUtcNow());
    }

    /// <summary>Loads or makes the certificates.</summary>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">A file holds no certificate, key or list.</exception>
    public static TlsCredentials Create(TlsOptions options, TimeProvider time, ILogger logger) => new(options, time, logger);

    /// <summary>Until when the certificate is valid.</summary>
    public DateTimeOffset NotAfter => Current().Certificate.NotAfter.ToUniversalTime();

    /// <summary>The certificates as they are now; another object after a change.</summary>
    public TlsMaterial Current()
    {
        lock (_lock)
        {
            string stamp = Stamp();
            if (stamp != _stamp)
            {
                Reload(stamp);
            }
            else if (_options.IsMade && _time.GetUtcNow() >= _material.LoadedAt + (RenewAfter * (_material.Certificate.NotAfter.ToUniversalTime() - _material.LoadedAt)))
            {
                _material = TlsMaterial.Load(_options, _time.GetUtcNow());
            }

            return _material;
        }
    }

    /// <summary>The options of the next handshake with somebody who connects.</summary>
    public SslServerAuthenticationOptions Server()
    {
        TlsMaterial material = Current();
        var options = new SslServerAuthenticationOptions
        {
            ServerCertificateContext = material.Context,
            ApplicationProtocols = [SslApplicationProtocol.Http2, SslApplicationProtocol.Http11],
            ClientCertificateRequired = _options.RequireClientCertificate,
            EnabledSslProtocols = Protocols(),
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            CipherSuitesPolicy = Ciphers(),
        };
        if (_options.RequireClientCertificate)
        {
            options.RemoteCertificateValidationCallback = (_, shown, given, _) => IsAccepted(shown as X509Certificate2, given, material);
        }

        return options;
    }

    /// <summary>The options of handshakes with those whom this server connects to, for as long as the certificates stay as they are.</summary>
    public SslClientAuthenticationOptions Client()
    {
        TlsMaterial material = Current();
        var options = new SslClientAuthenticationOptions
        {
            ClientCertificateContext = material.ClientContext,
            EnabledSslProtocols = Protocols(),
            CertificateRevocationCheckMode = X509RevocationMode.NoCheck,
            CipherSuitesPolicy = Ciphers(),
        };
        if (_options.Auto)
        {
#pragma warning disable CA5359 // Certificates that each member made for itself prove nothing; the connection is still not in the clear.
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (material.Authorities is { } authorities)
        {
            options.RemoteCertificateValidationCallback = TlsMaterial.ServersOf(authorities);
        }

        return options;
    }

    /// <summary>Whether the names in a client's certificate allow the address it connects from.</summary>
    /// <param name="shown">The certificate; null if none was shown.</param>
    /// <param name="remote">Where the client is.</param>
    public async ValueTask<bool> AllowsAddressAsync(X509Certificate2? shown, System.Net.EndPoint? remote) =>
        !_options.VerifiesAddresses || shown is null || remote is not System.Net.IPEndPoint client || await CertificateNames.AllowAsync(shown, client.Address);

    private CipherSuitesPolicy? Ciphers() =>
        _options.CipherSuites.Count > 0 && !OperatingSystem.IsWindows() ? new CipherSuitesPolicy(CipherSuiteNames.Parse(_options.CipherSuites)) : null;

    private SslProtocols Protocols() => (_options.VersionMin, _options.VersionMax) switch
    {
        ("TLS1.3", _) => SslProtocols.Tls13,
        (_, "TLS1.2") => SslProtocols.Tls12,
        _ => SslProtocols.Tls12 | SslProtocols.Tls13,
    };

    private bool IsAccepted(X509Certificate2? shown, X509Chain? given, TlsMaterial material)
    {
        return shown is not null
            && TlsMaterial.IsTrustedClient(shown, given, material.Authorities)
            && !material.Revoked.Contains(shown.SerialNumber)
            && (_options.AllowedCommonNames.Count == 0 || _options.AllowedCommonNames.Contains(CertificateNames.CommonNameOf(shown)))
            && (_options.AllowedHostNames.Count == 0 || _options.AllowedHostNames.Any(name => shown.MatchesHostname(name)));
    }

    private void Reload(string stamp)
    {
        try
        {
            _material = TlsMaterial.Load(_options, _time.GetUtcNow());
            _stamp = stamp;
            Log.CertificatesReplaced(_logger, _options.CertFile, _material.Certificate.NotAfter.ToUniversalTime());
        }
        catch (Exception e) when (e is IOException or CryptographicException or UnauthorizedAccessException)
        {
            Log.CertificatesUnfit(_logger, _options.CertFile, e.Message);
        }
    }

    private string Stamp() => string.Join('|', _options.Files.Select(static path => $"{File.GetLastWriteTimeUtc(path).Ticks}"));
}
