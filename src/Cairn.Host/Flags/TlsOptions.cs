namespace Cairn.Host.Flags;

/// <summary>TLS of one side: towards clients, or towards peers.</summary>
internal sealed record TlsOptions
{
    /// <summary>Path of the certificate; empty if none.</summary>
    public required string CertFile { get; init; }

    /// <summary>Path of its key; empty if none.</summary>
    public required string KeyFile { get; init; }

    /// <summary>Path of the certificate to show where this server connects; empty for the one above.</summary>
    public required string ClientCertFile { get; init; }

    /// <summary>Path of its key.</summary>
    public required string ClientKeyFile { get; init; }

    /// <summary>Path of the CA of the other side; empty if none.</summary>
    public required string TrustedCaFile { get; init; }

    /// <summary>Path of the list of revoked certificates of the other side; empty if none.</summary>
    public required string CrlFile { get; init; }

    /// <summary>Whether the other side must show a certificate: also without being asked for, where its CA is named.</summary>
    public required bool RequireClientCertificate { get; init; }

    /// <summary>Common names that the other side may have; empty for any.</summary>
    public IReadOnlyList<string> AllowedCommonNames { get; init; } = [];

    /// <summary>Host names of which the certificate of the other side must have one; empty for any.</summary>
    public IReadOnlyList<string> AllowedHostNames { get; init; } = [];

    /// <summary>Whether the names in the certificate of the other side must stand for its address.</summary>
    public bool VerifiesAddresses { get; init; }

    /// <summary>Whether to make a certificate, and to trust those that others made.</summary>
    public required bool Auto { get; init; }

    /// <summary>Years for which a made certificate is valid.</summary>
    public required int ValidityYears { get; init; }

    /// <summary>Lowest version: TLS1.2 or TLS1.3.</summary>
    public required string VersionMin { get; init; }

    /// <summary>Highest version; empty is no limit.</summary>
    public required string VersionMax { get; init; }

    /// <summary>Cipher suites by name; empty is the platform's choice.</summary>
    public required IReadOnlyList<string> CipherSuites { get; init; }

    /// <summary>Whether the certificate is made, because it is asked for and none is given.</summary>
    public bool IsMade => Auto && CertFile.Length == 0 && KeyFile.Length == 0;

    /// <summary>Whether there is anything to serve TLS with.</summary>
    public bool HasCertificate => Auto || (CertFile.Length > 0 && KeyFile.Length > 0);

    /// <summary>All files.</summary>
    public IEnumerable<string> Files =>
        ((string[])[CertFile, KeyFile, ClientCertFile, ClientKeyFile, TrustedCaFile, CrlFile]).Where(static path => path.Length > 0);
}
