using Cairn.Server;

namespace Cairn.Host.Flags;

/// <summary>What the process was told, read and checked.</summary>
internal sealed record ProcessOptions
{
    /// <summary>What the node is told.</summary>
    public required NodeOptions Node { get; init; }

    /// <summary>Where to listen for clients.</summary>
    public required IReadOnlyList<EtcdUrl> ListenClientUrls { get; init; }

    /// <summary>Where to listen for HTTP clients only; if any, the other client listeners serve no HTTP/1.1.</summary>
    public required IReadOnlyList<EtcdUrl> ListenClientHttpUrls { get; init; }

    /// <summary>Where to listen for peers.</summary>
    public required IReadOnlyList<EtcdUrl> ListenPeerUrls { get; init; }

    /// <summary>Where to serve metrics and health besides.</summary>
    public required IReadOnlyList<EtcdUrl> ListenMetricsUrls { get; init; }

    /// <summary>Largest request, in bytes.</summary>
    public required int RequestBytesMax { get; init; }

    /// <summary>Limits of the connections of clients.</summary>
    public required WebLimits Web { get; init; }

    /// <summary>Whether handling times are measured.</summary>
    public required bool ExtensiveMetrics { get; init; }

    /// <summary>Unary calls that take longer are logged.</summary>
    public required TimeSpan WarnCallAfter { get; init; }

    /// <summary>Whether the JSON API is served.</summary>
    public required bool Gateway { get; init; }

    /// <summary>Origins that browsers may call from.</summary>
    public required IReadOnlyList<string> Origins { get; init; }

    /// <summary>Host names that plain HTTP requests may name.</summary>
    public required IReadOnlyList<string> HostNames { get; init; }

    /// <summary>Kind of auth tokens.</summary>
    public required TokenOptions Token { get; init; }

    /// <summary>TLS towards clients.</summary>
    public required TlsOptions Tls { get; init; }

    /// <summary>TLS towards peers.</summary>
    public required TlsOptions PeerTls { get; init; }

    /// <summary>Where traces go; null for nowhere.</summary>
    public TracingOptions? Tracing { get; init; }

    /// <summary>What can be switched in etcd, and what of it is in force.</summary>
    public required IReadOnlyList<FeatureGate> Features { get; init; }

    /// <summary>What is odd about the flags and no reason not to start.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}
