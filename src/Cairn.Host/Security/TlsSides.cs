using Cairn.Host.Flags;

namespace Cairn.Host.Security;

/// <summary>The TLS of a server towards its two sides.</summary>
/// <param name="Clients">Towards clients; null without.</param>
/// <param name="Peers">Towards peers; null without.</param>
internal sealed record TlsSides(TlsCredentials? Clients, TlsCredentials? Peers)
{
    /// <summary>Loads or makes the certificates that the flags ask for.</summary>
    /// <exception cref="FlagException">A URL asks for TLS, and no certificate was named.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="System.Security.Cryptography.CryptographicException">A file holds no certificate, key or list.</exception>
    public static TlsSides Load(ProcessOptions options, TimeProvider time, ILogger logger) => new(
        !options.Tls.HasCertificate && options.ListenMetricsUrls.Any(static url => url.IsSecure)
            ? throw new FlagException("client TLS key/cert (--cert-file, --key-file) must be provided for metrics secure url")
            : Load(options.ListenClientUrls.Concat(options.ListenClientHttpUrls), options.Tls, ("--cert-file, --key-file", "client"), (time, logger)),
        Load(options.ListenPeerUrls, options.PeerTls, ("--peer-cert-file, --peer-key-file", "peer"), (time, logger)));

    private static TlsCredentials? Load(IEnumerable<EtcdUrl> urls, TlsOptions tls, (string Flags, string Side) words, (TimeProvider Time, ILogger Logger) world)
    {
        if (tls.HasCertificate)
        {
            return TlsCredentials.Create(tls, world.Time, world.Logger);
        }

        return urls.FirstOrDefault(static url => url.IsSecure) is { } secure
            ? throw new FlagException($"TLS key/cert ({words.Flags}) must be provided for {words.Side} url {secure} with HTTPS scheme")
            : null;
    }
}
