namespace Cairn.Host.Flags;

/// <summary>Flags of security, of monitoring and of logging.</summary>
/// <remarks>Names and defaults. Source: etcd server/embed/config.go and server/etcdmain/help.go, 3.4 to 3.7.</remarks>
internal static class AccessFlags
{
    /// <summary>Security.</summary>
    public static readonly FlagGroup Security = new("Security:",
    [
        new("cert-file", FlagKind.Text, "", "Certificate of this server for clients."),
        new("key-file", FlagKind.Text, "", "Key of that certificate."),
        new("client-cert-auth", FlagKind.Switch, "false", "Ask clients for a certificate."),
        new("client-cert-file", FlagKind.Text, "", "Certificate to use as a client, when it is not --cert-file.") { Effect = FlagEffect.NotNeeded },
        new("client-key-file", FlagKind.Text, "", "Key of that certificate.") { Effect = FlagEffect.NotNeeded },
        new("client-crl-file", FlagKind.Text, "", "Revoked client certificates."),
        new("client-cert-allowed-hostname", FlagKind.Text, "", "Host names that client certificates may carry."),
        new("trusted-ca-file", FlagKind.Text, "", "CA of client certificates."),
        new("auto-tls", FlagKind.Switch, "false", "Make a certificate for clients at start."),
        new("peer-cert-file", FlagKind.Text, "", "Certificate of this server for peers."),
        new("peer-key-file", FlagKind.Text, "", "Key of that certificate."),
        new("peer-client-cert-auth", FlagKind.Switch, "false", "Ask peers for a certificate."),
        new("peer-client-cert-file", FlagKind.Text, "", "Certificate to use towards peers, when it is not --peer-cert-file."),
        new("peer-client-key-file", FlagKind.Text, "", "Key of that certificate."),
        new("peer-trusted-ca-file", FlagKind.Text, "", "CA of peer certificates."),
        new("peer-cert-allowed-cn", FlagKind.Text, "", "Common names that peers may carry."),
        new("peer-cert-allowed-hostname", FlagKind.Text, "", "Host names that peer certificates may carry."),
        new("peer-auto-tls", FlagKind.Switch, "false", "Make a certificate for peers at start."),
        new("peer-crl-file", FlagKind.Text, "", "Revoked peer certificates."),
        new("peer-skip-client-san-verification", FlagKind.Switch, "false",
            "Do not verify the names in peer certificates.")
        { WasExperimental = true },
        new("self-signed-cert-validity", FlagKind.Natural, "1", "Years for which certificates made at start are valid."),
        new("cipher-suites", FlagKind.Text, "", "TLS cipher suites, separated by commas."),
        new("cors", FlagKind.Text, "*", "Origins that browsers may call from; * is all."),
        new("host-whitelist", FlagKind.Text, "*", "Host names that plain HTTP requests may name; * is all."),
        new("tls-min-version", FlagKind.Choice, "TLS1.2", "Lowest version of TLS.") { Choices = ["TLS1.2", "TLS1.3"] },
        new("tls-max-version", FlagKind.Choice, "", "Highest version of TLS.") { Choices = ["", "TLS1.2", "TLS1.3"] },
    ]);

    /// <summary>Auth.</summary>
    public static readonly FlagGroup Auth = new("Auth:",
    [
        new("auth-token", FlagKind.Text, "simple",
            "Kind of auth tokens: simple, or jwt,pub-key=FILE,priv-key=FILE,sign-method=RS256|PS256|ES256|EdDSA|HS256|…,ttl=5m."),
        new("bcrypt-cost", FlagKind.Natural, "10", "Cost of hashing passwords: the logarithm of the number of rounds, 4 to 31."),
        new("auth-token-ttl", FlagKind.Natural, "300", "Seconds that a simple token lives without being used, at least."),
        new("auth-token-strict", FlagKind.Switch, "false",
            "End signed tokens at any change of users or roles, as etcd does, and not only when their own user changes."),
    ]);

    /// <summary>Profiling and Monitoring.</summary>
    public static readonly FlagGroup Monitoring = new("Profiling and Monitoring:",
    [
        new("enable-pprof", FlagKind.Switch, "false", "Serve profiles of the Go runtime.") { Effect = FlagEffect.Absent },
        new("metrics", FlagKind.Choice, "basic", "extensive adds histograms of the time that calls take.") { Choices = ["basic", "extensive"] },
        new("listen-metrics-urls", FlagKind.Urls, "", "URLs on which to serve /metrics, /health, /livez and /readyz besides."),
        new("enable-distributed-tracing", FlagKind.Switch, "false", "Send a trace of gRPC calls to a collector.") { WasExperimental = true },
        new("distributed-tracing-address", FlagKind.Text, "localhost:4317", "Collector of traces, as HOST:PORT, reached by OTLP over gRPC in clear text.") { WasExperimental = true },
        new("distributed-tracing-service-name", FlagKind.Text, "etcd", "Service name in traces.") { WasExperimental = true },
        new("distributed-tracing-instance-id", FlagKind.Text, "", "Instance id in traces.") { WasExperimental = true },
        new("distributed-tracing-sampling-rate", FlagKind.Integer, "0", "Requests in a million of which a trace is sent; those that belong to a sampled trace of their client always are.") { WasExperimental = true },
    ]);

    /// <summary>Logging.</summary>
    public static readonly FlagGroup Logging = new("Logging:",
    [
        new("logger", FlagKind.Choice, "zap", "Form of the log.") { Choices = ["zap"] },
        new("log-outputs", FlagKind.Text, "default", "Where the log goes: default, stderr, stdout, or paths of files, separated by commas."),
        new("log-level", FlagKind.Choice, "info",
            "debug, info, warn, error, panic or fatal.")
        { Choices = ["debug", "info", "warn", "error", "dpanic", "panic", "fatal"] },
        new("log-format", FlagKind.Choice, "json", "json or console.") { Choices = ["json", "console"] },
        new("enable-log-rotation", FlagKind.Switch, "false", "Rotate a log file.") { Effect = FlagEffect.Absent },
        new("log-rotation-config-json", FlagKind.Text, "{\"maxsize\": 100, \"maxage\": 0, \"maxbackups\": 0, \"localtime\": false, \"compress\": false}",
            "How to rotate it.")
        { Effect = FlagEffect.Absent },
        new("warning-apply-duration", FlagKind.Duration, "100ms",
            "Warn when a request takes longer until it is applied, and say what took so long.")
        { WasExperimental = true },
        new("warning-unary-request-duration", FlagKind.Duration, "300ms",
            "Warn when a unary call takes longer, its answer included.")
        { WasExperimental = true },
        new("log-package-levels", FlagKind.Text, "", "Levels by package, of 3.4.") { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("debug", FlagKind.Switch, "false", "Debug log, of 3.4.") { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("log-output", FlagKind.Text, "default", "Where the log goes, of 3.3.") { Effect = FlagEffect.NotNeeded, Hidden = true },
    ]);
}
