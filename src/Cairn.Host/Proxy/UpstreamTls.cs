using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cairn.Host.Security;

namespace Cairn.Host.Proxy;

/// <summary>What this process shows to members of a cluster whose client it is, and what it asks of them.</summary>
internal sealed record UpstreamTls
{
    /// <summary>Path of the certificate to show; empty for none.</summary>
    public required string CertFile { get; init; }

    /// <summary>Path of its key.</summary>
    public required string KeyFile { get; init; }

    /// <summary>Path of the CA of the members; empty for those that the system trusts.</summary>
    public required string CaFile { get; init; }

    /// <summary>Whether members need not prove who they are.</summary>
    public bool TrustsAnybody { get; init; }

    /// <summary>Whether the certificate may have a common name: not where calls of many users are passed on.</summary>
    public bool MayHaveName { get; init; }

    /// <summary>Reads the files.</summary>
    /// <returns>The options of handshakes; null for the system's defaults.</returns>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">A file holds no certificate or key; or the certificate has a common name, for which members would take that of every client's user.</exception>
    public SslClientAuthenticationOptions? Load()
    {
        if (CertFile.Length + CaFile.Length == 0 && !TrustsAnybody)
        {
            return null;
        }

        var options = new SslClientAuthenticationOptions { CertificateRevocationCheckMode = X509RevocationMode.NoCheck };
        if (CertFile.Length > 0)
        {
            (X509Certificate2 certificate, SslStreamCertificateContext context) = TlsMaterial.ReadPair(CertFile, KeyFile);
            if (!MayHaveName && CertificateNames.CommonNameOf(certificate) is { Length: > 0 } name)
            {
                throw new CryptographicException($"cert has non empty Common Name ({name}), which the members would take for the user of all clients; use one without");
            }

            options.ClientCertificateContext = context;
        }

        if (TrustsAnybody)
        {
#pragma warning disable CA5359 // Asked for by a flag that says so.
            options.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }
        else if (CaFile.Length > 0)
        {
            X509Certificate2Collection authorities = [];
            authorities.ImportFromPemFile(CaFile);
            options.RemoteCertificateValidationCallback = TlsMaterial.ServersOf(authorities);
        }

        return options;
    }
}
