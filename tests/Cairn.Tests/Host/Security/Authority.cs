using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Cairn.Tests.Host.Security;

/// <summary>Somebody who signs certificates.</summary>
internal sealed class Authority : IDisposable
{
    private readonly ECDsa _key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
    private readonly X509Certificate2 _certificate;
    private byte _serial;

    /// <summary>Founds an authority.</summary>
    /// <param name="name">Its name.</param>
    public Authority(string name)
    {
        var request = new CertificateRequest($"CN={name}", _key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        _certificate = request.CreateSelfSigned(Now.AddDays(-1), Now.AddDays(30));
    }

    private static DateTimeOffset Now => DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());

    /// <summary>Its own certificate.</summary>
    public string Pem => _certificate.ExportCertificatePem() + "\n";

    /// <inheritdoc/>
    public void Dispose()
    {
        _key.Dispose();
        _certificate.Dispose();
    }

    /// <summary>Whether a certificate is one of this authority, and good now.</summary>
    /// <param name="shown">The certificate.</param>
    public bool HasIssued(X509Certificate2 shown)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.Add(_certificate);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(shown);
    }

    /// <summary>Writes its own certificate.</summary>
    /// <param name="directory">Where.</param>
    /// <returns>The file.</returns>
    public string Save(string directory)
    {
        var path = Path.Combine(directory, "ca.crt");
        File.WriteAllText(path, Pem);
        return path;
    }

    /// <summary>Issues a certificate for clients and servers.</summary>
    /// <param name="directory">Where its two files go.</param>
    /// <param name="name">Their name, and that of the holder.</param>
    /// <param name="host">The host that it is good for, beside the loopback address.</param>
    /// <param name="lives">How long it is good; almost as long as the authority if not said.</param>
    public void Issue(string directory, string name, string host, TimeSpan? lives = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(host);
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(_certificate, Now.AddDays(-1), Now + (lives ?? TimeSpan.FromDays(28)), [0x7A, ++_serial]);
        File.WriteAllText(Path.Combine(directory, $"{name}.crt"), certificate.ExportCertificatePem());
        File.WriteAllText(Path.Combine(directory, $"{name}.key"), key.ExportPkcs8PrivateKeyPem());
    }

    /// <summary>Makes a list of what is not good any more.</summary>
    /// <param name="serials">Serial numbers.</param>
    /// <returns>The list, signed.</returns>
    public byte[] Revoke(IEnumerable<byte[]> serials)
    {
        var builder = new CertificateRevocationListBuilder();
        foreach (var serial in serials)
        {
            builder.AddEntry(serial);
        }

        return builder.Build(
            _certificate.SubjectName, X509SignatureGenerator.CreateForECDsa(_key), crlNumber: 1, Now.AddDays(1), HashAlgorithmName.SHA256,
            X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier(new X509SubjectKeyIdentifierExtension(_certificate.PublicKey, critical: false)), Now);
    }
}
