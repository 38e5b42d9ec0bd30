using System.Collections.Immutable;
using System.Globalization;
using Cairn.Host.Security;
using Cairn.Server;
using Cairn.Server.Auth;

namespace Cairn.Host.Flags;

/// <summary>Makes <see cref="ProcessOptions"/> of flag values, or says in etcd's words what is wrong with them together.</summary>
/// <remarks>Source: etcd server/embed/config.go, Validate.</remarks>
internal static class ProcessOptionsReader
{
    // Longer elections are a mistake of units.
    private const long ElectionMillisecondsMax = 50_000;

    // Who is alone in its list may be one that the others know already: they dial it at least once a second.
    private static readonly TimeSpan ListenBeforeFounding = TimeSpan.FromSeconds(2);

    private static readonly string[] WaysToBootstrap = ["initial-cluster", "discovery", "discovery-endpoints", "discovery-srv"];

    private const int BcryptCostDefault = 10;
    private const long RecommendedRequestBytes = 10 * 1024 * 1024;
    private const long RecommendedQuotaBytes = 8L * 1024 * 1024 * 1024;

    // Frames carry their length in 32 bits and messages are held whole; half of that is the largest that Kestrel's and protobuf's lengths can take.
    private const long RequestBytesCapacity = int.MaxValue / 2;

    /// <summary>What is wrong with the values; null if nothing is.</summary>
    public static string? Fault(FlagValues values) =>
        ListenFault(values.Urls("listen-peer-urls")) ??
        ListenFault(values.Urls("listen-client-urls")) ??
        ListenFault(values.Urls("listen-client-http-urls")) ??
        ListenFault(values.Urls("listen-metrics-urls")) ??
        AdvertiseFault(values, "initial-advertise-peer-urls") ??
        AdvertiseFault(values, "advertise-client-urls") ??
        BootstrapFault(values) ??
        TimingFault(values) ??
        LimitFault(values) ??
        CompactionFault(values) ??
        TlsFault(values) ??
        FeatureGates.Fault(values) ??
        TracingOptions.Fault(values) ??
        TokenFault(values);

    /// <summary>Reads values in which <see cref="Fault"/> found nothing.</summary>
    public static ProcessOptions Read(FlagValues values) => new()
    {
        Node = ReadNode(values),
        ListenClientUrls = values.Urls("listen-client-urls"),
        ListenClientHttpUrls = values.Urls("listen-client-http-urls"),
        ListenPeerUrls = values.Urls("listen-peer-urls"),
        ListenMetricsUrls = values.Urls("listen-metrics-urls"),
        RequestBytesMax = (int)values.Number("max-request-bytes"),
        Web = new WebLimits
        {
            ConcurrentStreamsMax = values.Number("max-concurrent-streams"),
            KeepAliveInterval = values.Duration("grpc-keepalive-interval"),
            KeepAliveTimeout = values.Duration("grpc-keepalive-timeout"),
            ReusePort = values.Switch("socket-reuse-port"),
        },
        WarnCallAfter = values.Duration("warning-unary-request-duration"),
        ExtensiveMetrics = values.Text("metrics") == "extensive",
        Gateway = values.Switch("enable-grpc-gateway"),
        Origins = values.Words("cors"),
        HostNames = values.Words("host-whitelist"),
        Token = TokenOptions.Read(values.Text("auth-token"), out _),
        Tls = ReadTls(values),
        PeerTls = ReadPeerTls(values),
        Tracing = TracingOptions.Read(values),
        Features = FeatureGates.Read(values),
        Warnings = Warnings(values),
    };

    /// <summary>Members of the initial cluster; null if the text is not a list of name=url pairs.</summary>
    internal static ImmutableArray<InitialMember>? Members(string text)
    {
        var urls = new Dictionary<string, List<string>>(StringComparer.Ordinal);
        var order = new List<string>();
        foreach (string pair in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int equals = pair.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || !EtcdUrl.TryParseList(pair[(equals + 1)..], out IReadOnlyList<EtcdUrl> parsed, out _) || parsed.Count == 0)
            {
                return null;
            }

            string name = pair[..equals];
            if (urls.TryAdd(name, []))
            {
                order.Add(name);
            }

            urls[name].Add(parsed[0].ToString());
        }

        return [.. order.Select(name => new InitialMember(name, [.. urls[name]]))];
    }

    private static NodeOptions ReadNode(FlagValues values)
    {
        string name = values.Text("name");
        ImmutableArray<string> peerUrls = [.. values.Urls("initial-advertise-peer-urls").Select(static url => url.ToString())];
        (CompactionMode mode, TimeSpan window, long revisions) = Compaction(values);
        return new NodeOptions
        {
            Name = name,
            DataDirectory = values.Text("data-dir") is { Length: > 0 } directory ? directory : $"{name}.etcd",
            LogDirectory = values.Text("wal-dir") is { Length: > 0 } log ? log : null,
            PeerUrls = peerUrls,
            PublishesPeerUrls = values.IsSet("initial-advertise-peer-urls"),
            ClientUrls = [.. values.Urls("advertise-client-urls").Select(static url => url.ToString())],
            InitialCluster = values.IsSet("initial-cluster") ? Members(values.Text("initial-cluster")) ?? [] : [new InitialMember(name, peerUrls)],
            IsJoining = values.Text("initial-cluster-state") == "existing",
            IsStandby = values.Switch("standby"),
            Bootstrap = values.Text("bootstrap") == "quorum" ? BootstrapRule.Quorum : BootstrapRule.All,
            ListenBeforeFounding = values.Urls("listen-peer-urls").All(static url => url.IsLoopback) ? TimeSpan.Zero : ListenBeforeFounding,
            ClusterToken = values.Text("initial-cluster-token"),
            HeartbeatInterval = TimeSpan.FromMilliseconds(values.Number("heartbeat-interval")),
            ElectionTimeout = TimeSpan.FromMilliseconds(values.Number("election-timeout")),
            PreVote = values.Switch("pre-vote"),
            RequestBytesMax = (int)values.Number("max-request-bytes"),
            TxnOperationsMax = (int)Math.Min(values.Number("max-txn-ops"), int.MaxValue),
            QuotaBytes = values.Number("quota-backend-bytes"),
            WatchProgressInterval = values.Duration("watch-progress-notify-interval"),
            CompactionMode = mode,
            CompactionWindow = window,
            CompactionRevisions = revisions,
            CatchUpEntries = values.Number("snapshot-catchup-entries"),
            SnapshotEntries = Math.Max(1, values.Number("snapshot-count")),
            ServerVersion = Versions.Etcd,
            ReserveBytes = values.Number("disk-reserve-bytes"),
            WarnApplyAfter = values.Duration("warning-apply-duration"),
            MeasuresDisk = true,
            RequiresDurableDirectory = values.Switch("require-durable-dir"),
            Heal = Enum.Parse<HealMode>(values.Text("heal"), ignoreCase: true),
            HealReplaceAfter = values.Duration("heal-replace-after"),
            HealRecover = Enum.Parse<RecoverMode>(values.Text("heal-recover"), ignoreCase: true),
            HealRecoverAfter = values.Duration("heal-recover-after"),
            EvictAfter = values.Duration("evict-after"),
            ChecksHashAtStart = FeatureGates.ChecksAtStart(values),
            HashCheckInterval = values.Duration("corrupt-check-time"),
            CompactionHashCheckInterval = values.Duration("compact-hash-check-time"),
            StrictReconfigCheck = values.Switch("strict-reconfig-check"),
            LearnersMax = (int)Math.Min(values.Number("max-learners"), int.MaxValue),
            Auth = new AuthOptions
            {
                BcryptCost = IsBcryptCost(values.Number("bcrypt-cost")) ? (int)values.Number("bcrypt-cost") : BcryptCostDefault,
                TokenTtl = TimeSpan.FromSeconds(Math.Clamp(values.Number("auth-token-ttl"), 1, int.MaxValue)),
                UsesCertificates = values.Switch("client-cert-auth"),
                EndsJwtOnAnyChange = values.Switch("auth-token-strict"),
            },
        };
    }

    private static bool IsBcryptCost(long cost) => cost is >= 4 and <= 31;

    private static string? TokenFault(FlagValues values)
    {
        TokenOptions.Read(values.Text("auth-token"), out string? fault);
        return fault;
    }

    private static TlsOptions ReadTls(FlagValues values) => ReadTls(values, prefix: "", crl: "client-crl-file") with
    {
        // Towards clients this server connects to nobody.
        ClientCertFile = "",
        RequireClientCertificate = values.Switch("client-cert-auth") || values.Text("trusted-ca-file").Length > 0,
        AllowedHostNames = values.Words("client-cert-allowed-hostname"),
        Auto = values.Switch("auto-tls"),
    };

    private static TlsOptions ReadPeerTls(FlagValues values) => ReadTls(values, prefix: "peer-", crl: "peer-crl-file") with
    {
        RequireClientCertificate = values.Switch("peer-client-cert-auth") || values.Text("peer-trusted-ca-file").Length > 0,
        AllowedCommonNames = values.Words("peer-cert-allowed-cn"),
        AllowedHostNames = values.Words("peer-cert-allowed-hostname"),
        VerifiesAddresses = !(values.Switch("peer-skip-client-san-verification") || values.Switch("experimental-peer-skip-client-san-verify")
            || values.IsSet("peer-cert-allowed-cn") || values.IsSet("peer-cert-allowed-hostname")),
        Auto = values.Switch("peer-auto-tls"),
    };

    private static TlsOptions ReadTls(FlagValues values, string prefix, string crl) => new()
    {
        CertFile = values.Text(prefix + "cert-file"),
        KeyFile = values.Text(prefix + "key-file"),
        ClientCertFile = values.Text(prefix + "client-cert-file"),
        ClientKeyFile = values.Text(prefix + "client-key-file"),
        TrustedCaFile = values.Text(prefix + "trusted-ca-file"),
        CrlFile = values.Text(crl),
        RequireClientCertificate = false,
        Auto = false,
        ValidityYears = (int)Math.Clamp(values.Number("self-signed-cert-validity"), 1, 100),
        VersionMin = values.Text("tls-min-version"),
        VersionMax = values.Text("tls-max-version"),
        CipherSuites = values.Words("cipher-suites"),
    };

    private static string? ListenFault(IReadOnlyList<EtcdUrl> urls) =>
        urls.FirstOrDefault(static url => !url.IsBindable) is { } url ? $"expected IP in URL for binding ({url})" : null;

    private static string? AdvertiseFault(FlagValues values, string name)
    {
        IReadOnlyList<EtcdUrl> urls = values.Urls(name);
        EtcdUrl? nameless = urls.FirstOrDefault(static url => !url.IsUnix && url.Host.Length == 0);
        return nameless is null ? null : $"--{name} \"{string.Join(",", urls)}\" must be \"host:port\" (unexpected empty host ({nameless}))";
    }

    private static string? BootstrapFault(FlagValues values)
    {
        if (values.IsSet("listen-client-urls") && !values.IsSet("advertise-client-urls"))
        {
            return "--advertise-client-urls is required when --listen-client-urls is set explicitly";
        }

        int ways = WaysToBootstrap.Count(name => values.IsSet(name) && values.Text(name).Length > 0);
        if (ways > 1)
        {
            return "multiple discovery or bootstrap flags are set. Choose one of \"initial-cluster\", \"discovery\", \"discovery-endpoints\" or \"discovery-srv\"";
        }

        if (values.Text("discovery-srv").Length > 0 && values.Text("bootstrap") == "quorum")
        {
            return "--bootstrap=quorum does not go with --discovery-srv: those who do not answer have no name there; use --initial-cluster";
        }

        return TokenDiscoveryOptions.Fault(values) ?? (values.IsSet("initial-cluster") && Members(values.Text("initial-cluster")) is null
            ? $"error setting up initial cluster: malformed initial cluster \"{values.Text("initial-cluster")}\""
            : null);
    }

    private static string? TimingFault(FlagValues values)
    {
        long heartbeat = values.Number("heartbeat-interval");
        long election = values.Number("election-timeout");
        return (heartbeat, election) switch
        {
            (0, _) => "--heartbeat-interval must be >0 (set to 0ms)",
            (_, 0) => "--election-timeout must be >0 (set to 0ms)",
            _ when heartbeat > election / 5 => $"--election-timeout[{election}ms] should be at least as 5 times as --heartbeat-interval[{heartbeat}ms]",
            _ when election > ElectionMillisecondsMax => $"--election-timeout[{election}ms] is too long, and should be set less than {ElectionMillisecondsMax}ms",
            _ when values.Duration("compact-hash-check-time") <= TimeSpan.Zero => $"--compact-hash-check-time must be >0 (set to {values.Text("compact-hash-check-time")})",
            _ => HealingFault(values),
        };
    }

    private static string? HealingFault(FlagValues values)
    {
        // Without a pause every silent voter would be replaced at once.
        if (values.Duration("heal-replace-after") <= TimeSpan.Zero)
        {
            return $"--heal-replace-after must be >0 (set to {values.Text("heal-replace-after")})";
        }

        string? negative = values.Duration("heal-recover-after") < TimeSpan.Zero ? "heal-recover-after" : values.Duration("evict-after") < TimeSpan.Zero ? "evict-after" : null;
        return negative is null ? null : $"--{negative} must be 0 or more (set to {values.Text(negative)})";
    }

    private static string? LimitFault(FlagValues values) => values.Number("max-request-bytes") is 0 or > RequestBytesCapacity
        ? $"--max-request-bytes must be between 1 and {RequestBytesCapacity} (set to {values.Text("max-request-bytes")})"
        : null;

    private static string? CompactionFault(FlagValues values)
    {
        string retention = values.Text("auto-compaction-retention");
        bool number = long.TryParse(retention, NumberStyles.None, CultureInfo.InvariantCulture, out _);
        bool duration = GoDuration.TryParse(retention, out TimeSpan window) && window >= TimeSpan.Zero && values.Text("auto-compaction-mode") == "periodic";
        return number || duration || retention.Length == 0 ? null : $"error parsing CompactionRetention: time: invalid duration \"{retention}\"";
    }

    private static (CompactionMode Mode, TimeSpan Window, long Revisions) Compaction(FlagValues values)
    {
        string retention = values.Text("auto-compaction-retention");
        bool isNumber = long.TryParse(retention, NumberStyles.None, CultureInfo.InvariantCulture, out long number);
        if (values.Text("auto-compaction-mode") == "revision")
        {
            return (number > 0 ? CompactionMode.Revision : CompactionMode.Off, TimeSpan.Zero, number);
        }

        TimeSpan window = isNumber ? TimeSpan.FromHours(number) : GoDuration.TryParse(retention, out TimeSpan duration) ? duration : TimeSpan.Zero;
        return (window > TimeSpan.Zero ? CompactionMode.Periodic : CompactionMode.Off, window, 0);
    }

    private static string? TlsFault(FlagValues values)
    {
        if (values.IsSet("peer-cert-allowed-cn") && values.IsSet("peer-cert-allowed-hostname"))
        {
            return "AllowedCN and AllowedHostname are mutually exclusive (--peer-cert-allowed-cn, --peer-cert-allowed-hostname)";
        }

        if (values.Text("tls-min-version") == "TLS1.3" && values.Text("tls-max-version") == "TLS1.2")
        {
            return "min version (TLS1.3) is greater than max version (TLS1.2)";
        }

        if (values.Text("tls-min-version") == "TLS1.3" && values.Words("cipher-suites").Count > 0)
        {
            return "cipher suites cannot be configured when only TLS1.3 is enabled";
        }

        return values.Words("cipher-suites").FirstOrDefault(static name => !CipherSuiteNames.TryParse(name, out _)) is { } unknown
            ? $"unexpected TLS cipher suite \"{unknown}\""
            : null;
    }

    private static List<string> Warnings(FlagValues values)
    {
        var warnings = new List<string>();
        if (values.Number("max-request-bytes") > RecommendedRequestBytes)
        {
            warnings.Add("exceeded recommended request limit");
        }

        if (values.Number("quota-backend-bytes") > RecommendedQuotaBytes)
        {
            warnings.Add("quota exceeds suggested maximum of 8 GiB");
        }

        if (!IsBcryptCost(values.Number("bcrypt-cost")))
        {
            warnings.Add($"--bcrypt-cost {values.Number("bcrypt-cost")} is not between 4 and 31; {BcryptCostDefault} is used");
        }

        foreach (string option in TokenOptions.Read(values.Text("auth-token"), out _).Unknown)
        {
            warnings.Add($"--auth-token: the option {option} is unknown and has no effect");
        }

        return warnings;
    }
}
