using Cairn.Grpc.Calling;
using Cairn.Host.Proxy;

namespace Cairn.Host.Flags;

/// <summary>Where a cluster that is to be founded writes its members down, and who asks there.</summary>
internal sealed record TokenDiscoveryOptions
{
    private static readonly string[] Flags = ["discovery-token", "discovery-endpoints", "discovery-cert", "discovery-key", "discovery-cacert", "discovery-user", "discovery-password"];

    /// <summary>Members of the cluster that helps.</summary>
    public required IReadOnlyList<string> Endpoints { get; init; }

    /// <summary>What tells the cluster to be founded from others.</summary>
    public required string Token { get; init; }

    /// <summary>How long it may take to connect.</summary>
    public required TimeSpan DialTimeout { get; init; }

    /// <summary>How long an answer may take.</summary>
    public required TimeSpan RequestTimeout { get; init; }

    /// <summary>What is shown to it, and asked of it.</summary>
    public required UpstreamTls Tls { get; init; }

    /// <summary>User; empty for none.</summary>
    public required string User { get; init; }

    /// <summary>Password of that user.</summary>
    public required string Password { get; init; }

    /// <summary>Reads them; <see cref="Fault"/> has found nothing.</summary>
    public static TokenDiscoveryOptions Read(FlagValues values)
    {
        bool isSecure = !values.Switch("discovery-insecure-transport") || values.Text("discovery-cert").Length + values.Text("discovery-cacert").Length > 0;
        string[] user = values.Text("discovery-user").Split(':', 2);
        return new TokenDiscoveryOptions
        {
            Endpoints = [.. values.Words("discovery-endpoints").Select(endpoint => endpoint.Contains("://", StringComparison.Ordinal) ? endpoint : $"{(isSecure ? "https" : "http")}://{endpoint}")],
            Token = values.Text("discovery-token"),
            DialTimeout = values.Duration("discovery-dial-timeout"),
            RequestTimeout = values.Duration("discovery-request-timeout"),
            Tls = new UpstreamTls
            {
                CertFile = values.Text("discovery-cert"),
                KeyFile = values.Text("discovery-key"),
                CaFile = values.Text("discovery-cacert"),
                TrustsAnybody = values.Switch("discovery-insecure-skip-tls-verify"),
                MayHaveName = true,
            },
            User = user[0],
            Password = user.Length > 1 ? user[1] : values.Text("discovery-password"),
        };
    }

    /// <summary>What is wrong with them; null if nothing is.</summary>
    public static string? Fault(FlagValues values)
    {
        if (values.Text("discovery-proxy").Length > 0 && Flags.Any(name => values.Text(name).Length > 0))
        {
            return $"both v2 discovery settings (discovery, discovery-proxy) and v3 discovery settings ({string.Join(", ", Flags)}) are set";
        }

        if (values.Text("discovery-token").Length > 0 != values.Text("discovery-endpoints").Length > 0)
        {
            return "both --discovery-token and --discovery-endpoints must be set";
        }

        try
        {
            return values.Text("discovery-endpoints").Split(',').Length > Read(values).Endpoints.Select(EndpointRing.Parse).Count() && values.Text("discovery-endpoints").Length > 0
                ? "--discovery-endpoints must not contain empty endpoints"
                : null;
        }
        catch (ArgumentException e)
        {
            return $"--discovery-endpoints: {e.Message}";
        }
    }
}
