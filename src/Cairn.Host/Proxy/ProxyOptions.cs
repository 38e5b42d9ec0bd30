using Cairn.Host.Discovery;
using Cairn.Host.Flags;

namespace Cairn.Host.Proxy;

/// <summary>What the proxy was told, read and checked.</summary>
internal sealed record ProxyOptions
{
    /// <summary>Where to listen for clients.</summary>
    public required EtcdUrl Listen { get; init; }

    /// <summary>Where to serve metrics and health besides; null for nowhere.</summary>
    public EtcdUrl? ListenMetrics { get; init; }

    /// <summary>Members of the cluster.</summary>
    public required IReadOnlyList<string> Endpoints { get; init; }

    /// <summary>Where the members are looked up in their place; null for nowhere.</summary>
    public ClientDomain? Domain { get; init; }

    /// <summary>How often the cluster is asked for its members; zero for never.</summary>
    public TimeSpan SyncInterval { get; init; }

    /// <summary>The address under which clients reach this proxy; empty to show them the members themselves.</summary>
    public required string AdvertiseUrl { get; init; }

    /// <summary>Prefix of the keys under which proxies make themselves known to each other; empty for not at all.</summary>
    public string ResolverPrefix { get; init; } = "";

    /// <summary>Seconds after which a proxy that died is no longer known.</summary>
    public int ResolverTtlSeconds { get; init; }

    /// <summary>What is put before the keys of all requests; empty for nothing.</summary>
    public string Namespace { get; init; } = "";

    /// <summary>Largest request, in bytes.</summary>
    public required int RequestBytesMax { get; init; }

    /// <summary>Largest answer of a member, in bytes.</summary>
    public required int AnswerBytesMax { get; init; }

    /// <summary>How long a connection to a member may be silent before it is probed; zero for no probes.</summary>
    public TimeSpan ProbeInterval { get; init; }

    /// <summary>How long the answer to a probe may take.</summary>
    public required TimeSpan ProbeTimeout { get; init; }

    /// <summary>Limits of the connections of clients.</summary>
    public required WebLimits Web { get; init; }

    /// <summary>TLS towards clients.</summary>
    public required TlsOptions Tls { get; init; }

    /// <summary>TLS towards members.</summary>
    public required UpstreamTls UpstreamTls { get; init; }
}
