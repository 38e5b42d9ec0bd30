namespace Cairn.Host.Operations;

/// <summary>Who may call over plain HTTP: origins of browsers, and host names, against DNS rebinding.</summary>
/// <param name="origins">Origins; "*" or none is all.</param>
/// <param name="hostNames">Host names; "*" or none is all.</param>
/// <remarks>Source: etcd server/embed/serve.go, accessController; CVE-2018-5702.</remarks>
internal sealed class AccessRules(IReadOnlyList<string> origins, IReadOnlyList<string> hostNames)
{
    private readonly bool _anyOrigin = origins.Count == 0 || origins.Contains("*");
    private readonly bool _anyHost = hostNames.Count == 0 || hostNames.Contains("*");

    /// <summary>Whether certificates name users.</summary>
    public bool UsesCertificates { get; init; }

    /// <summary>The refusal of a request that names a host it should not; null if it may go on.</summary>
    public PageAnswer? Refusal(string? host, bool secure)
    {
        string name = HostOf(host ?? "");
        if (secure || _anyHost || hostNames.Contains(name))
        {
            return null;
        }

        return PageAnswer.Error(421, "etcd received your request, but the Host header was unrecognized.\n\nTo fix this, choose one of the following options:\n- Enable TLS, " +
            $"then any HTTPS request will be allowed.\n- Add the hostname you want to use to the whitelist in settings.\n  - e.g. etcd --host-whitelist \"{name}\"\n");
    }

    /// <summary>The headers that allow a browser's origin; none if it is not allowed.</summary>
    public IEnumerable<KeyValuePair<string, string>> CorsHeaders(string? origin)
    {
        string? allowed = _anyOrigin ? "*" : origin is not null && origins.Contains(origin) ? origin : null;
        return allowed is null
            ? []
            :
            [
                new("Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"),
                new("Access-Control-Allow-Origin", allowed),
                new("Access-Control-Allow-Headers", "accept, content-type, authorization"),
            ];
    }

    private static string HostOf(string host)
    {
        if (host.StartsWith('['))
        {
            int end = host.IndexOf(']', StringComparison.Ordinal);
            return end < 0 ? host : host[1..end];
        }

        int colon = host.LastIndexOf(':');
        return colon < 0 ? host : host[..colon];
    }
}
