using Cairn.Server;

namespace Cairn.Host.Security;

/// <summary>Watches how long certificates are still valid: in a metric, and in warnings 30 days, 7 days and a day ahead.</summary>
/// <remarks><see cref="Look"/> is called by one timer; <see cref="Collect"/> by anybody.</remarks>
internal sealed class CertificateExpiry(IReadOnlyList<(string Side, TlsCredentials Credentials)> sides, TimeProvider time, ILogger logger)
{
    /// <summary>How often to look.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromMinutes(10);

    private static readonly TimeSpan[] Ahead = [TimeSpan.FromDays(30), TimeSpan.FromDays(7), TimeSpan.FromDays(1), TimeSpan.Zero];

    private readonly Dictionary<string, (DateTimeOffset NotAfter, int Warnings)> _warned = new(StringComparer.Ordinal);

    /// <summary>Watches the two sides of a server.</summary>
    /// <param name="tls">Its sides.</param>
    /// <param name="time">The calendar.</param>
    /// <param name="logger">Where warnings go.</param>
    public static CertificateExpiry Of(TlsSides tls, TimeProvider time, ILogger logger)
    {
        var sides = new List<(string Side, TlsCredentials Credentials)>();
        if (tls.Clients is { } clients)
        {
            sides.Add(("client", clients));
        }

        if (tls.Peers is { } peers)
        {
            sides.Add(("peer", peers));
        }

        return new CertificateExpiry(sides, time, logger);
    }

    /// <summary>Warns of what has come near, once for each step and certificate.</summary>
    public void Look()
    {
        foreach ((string side, TlsCredentials credentials) in sides)
        {
            DateTimeOffset notAfter = credentials.NotAfter;
            int due = Ahead.Count(ahead => notAfter - time.GetUtcNow() <= ahead);
            int warnings = _warned.TryGetValue(side, out (DateTimeOffset NotAfter, int Warnings) last) && last.NotAfter == notAfter ? last.Warnings : 0;
            if (due > warnings)
            {
                Log.CertificateExpires(logger, side, notAfter);
            }

            _warned[side] = (notAfter, due);
        }
    }

    /// <summary>Reads the metric.</summary>
    public IEnumerable<MetricSample> Collect() => sides.Select(static side => new MetricSample(
        "cairn_certificate_not_after_seconds",
        MetricKind.Gauge,
        "Until when the certificate is valid, in seconds since 1970.",
        side.Credentials.NotAfter.ToUnixTimeSeconds())
    {
        Labels = [new("side", side.Side)],
    });
}
