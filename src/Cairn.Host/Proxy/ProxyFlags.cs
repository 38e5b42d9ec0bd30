using System.CommandLine;
using System.Globalization;
using Cairn.Grpc.Calling;
using Cairn.Host.Discovery;
using Cairn.Host.Flags;
using Cairn.Host.Security;

namespace Cairn.Host.Proxy;

/// <summary>The flags of the proxy, read and checked.</summary>
/// <remarks>Names and defaults. Source: etcd server/etcdmain/grpc_proxy.go.</remarks>
internal sealed class ProxyFlags
{
    private readonly List<Option> _all = [];
    private readonly Option<string> _listen;
    private readonly Option<string> _metrics;
    private readonly Option<string> _endpoints;
    private readonly Option<string> _sync;
    private readonly Option<string> _probe;
    private readonly Option<string> _probeTimeout;
    private readonly Option<string> _advertise;
    private readonly Option<string> _prefix;
    private readonly Option<int> _ttl;
    private readonly Option<string> _namespace;
    private readonly Option<int> _send;
    private readonly Option<int> _receive;
    private readonly Option<string> _keepAlive;
    private readonly Option<string> _keepAliveTimeout;
    private readonly Option<long> _streams;
    private readonly Option<string> _cert;
    private readonly Option<string> _key;
    private readonly Option<string> _ca;
    private readonly Option<bool> _trustsAnybody;
    private readonly Option<string> _listenCert;
    private readonly Option<string> _listenKey;
    private readonly Option<string> _listenCa;
    private readonly Option<string> _ciphers;
    private readonly Option<bool> _auto;
    private readonly Option<string> _crl;
    private readonly Option<int> _years;
    private readonly Option<string> _domain;
    private readonly Option<string> _suffix;
    private readonly Option<bool> _takesPlain;
    private readonly (Option Option, string Why)[] _absent;

    /// <summary>Makes them all.</summary>
    public ProxyFlags()
    {
        _listen = Add("--listen-addr", "127.0.0.1:23790", "Address to listen on.");
        _metrics = Add("--metrics-addr", "", "URL on which to serve metrics and health besides.");
        _endpoints = Add("--endpoints", "127.0.0.1:2379", "Members, separated by commas.");
        _sync = Add("--endpoints-auto-sync-interval", "0s", "How often the cluster is asked for its members; 0 is never.");
        _probe = Add("--dial-keepalive-time", "0s", "How long a connection to a member may be silent before it is probed; 0 is for ever.");
        _probeTimeout = Add("--dial-keepalive-timeout", "20s", "How long the answer to a probe may take.");
        _advertise = Add("--advertise-client-url", "127.0.0.1:23790", "Address under which clients reach this proxy; empty to show them the members.");
        _prefix = Add("--resolver-prefix", "", "Prefix of the keys under which proxies make themselves known; the same for all.");
        _ttl = Add("--resolver-ttl", 0, "Seconds after which a proxy that died is not known any more.");
        _namespace = Add("--namespace", "", "What is put before all keys.");
        _send = Add("--max-send-bytes", 1536 * 1024, "Largest request, in bytes.");
        _receive = Add("--max-recv-bytes", int.MaxValue, "Largest answer of a member, in bytes.");
        _keepAlive = Add("--grpc-keepalive-interval", "2h0m0s", "How often idle clients are pinged; 0 is never.");
        _keepAliveTimeout = Add("--grpc-keepalive-timeout", "20s", "How long the answer to a ping may take.");
        _streams = Add("--max-concurrent-streams", (long)uint.MaxValue, "Most streams of a connection.");
        _cert = Add("--cert", "", "Certificate to show to members; without a common name.");
        _key = Add("--key", "", "Key of that certificate.");
        _ca = Add("--cacert", "", "CA of the members.");
        _trustsAnybody = Add("--insecure-skip-tls-verify", false, "Let members not prove who they are.");
        _listenCert = Add("--cert-file", "", "Certificate of this proxy for clients.");
        _listenKey = Add("--key-file", "", "Key of that certificate.");
        _listenCa = Add("--trusted-ca-file", "", "CA of clients, who then must show a certificate.");
        _ciphers = Add("--listen-cipher-suites", "", "TLS cipher suites towards clients, separated by commas.");
        _auto = Add("--auto-tls", false, "Make a certificate for clients at start.");
        _crl = Add("--client-crl-file", "", "Revoked client certificates.");
        _years = Add("--self-signed-cert-validity", 1, "Years for which a certificate made at start is valid.");
        _domain = Add("--discovery-srv", "", "DNS domain whose SRV records name the members, in place of --endpoints.");
        _suffix = Add("--discovery-srv-name", "", "What follows the name of the service in those records.");
        _takesPlain = Add("--insecure-discovery", false, "Take members from those records that do not speak TLS.");
        Debug = Add("--debug", false, "Log more.");
        AddWithoutEffect();
        _absent =
        [
            (Add("--experimental-leasing-prefix", "", "Not there."), "reads are not answered under leases"),
            (Add("--experimental-serializable-ordering", false, "Not there."), "revisions of serializable reads are not held against each other"),
        ];
    }

    /// <summary>Every flag.</summary>
    public IEnumerable<Option> All => _all;

    /// <summary>Whether to log more.</summary>
    public Option<bool> Debug { get; }

    /// <summary>Reads and checks them.</summary>
    /// <exception cref="FlagException">One is wrong, or two do not fit; the text says which.</exception>
    public ProxyOptions Read(ParseResult parsed)
    {
        if (Array.Find(_absent, absent => parsed.GetResult(absent.Option) is { Implicit: false }) is { Option: { } given } refused)
        {
            throw new FlagException($"{given.Name} is not there: {refused.Why}");
        }

        string prefix = Text(parsed, _prefix);
        int ttl = parsed.GetValue(_ttl);
        if (prefix.Length > 0 != ttl > 0)
        {
            throw new FlagException(prefix.Length > 0 ? $"invalid resolver-ttl {ttl}: --resolver-prefix needs one above 0" : $"invalid resolver-prefix \"\": --resolver-ttl is without use");
        }

        string advertised = Text(parsed, _advertise);
        if (prefix.Length > 0 && advertised.Length == 0)
        {
            throw new FlagException("invalid advertise-client-url \"\": --resolver-prefix needs one");
        }

        TlsOptions tls = ReadTls(parsed);
        return new ProxyOptions
        {
            Listen = Url("--listen-addr", $"{(tls.HasCertificate ? "https" : "http")}://{Text(parsed, _listen)}"),
            ListenMetrics = Text(parsed, _metrics) is { Length: > 0 } metrics ? Secured(Url("--metrics-addr", metrics), tls) : null,
            Endpoints = Endpoints(Text(parsed, _endpoints), Text(parsed, _cert).Length + Text(parsed, _ca).Length > 0 || parsed.GetValue(_trustsAnybody)),
            Domain = Text(parsed, _domain) is { Length: > 0 } domain ? new ClientDomain(domain, Text(parsed, _suffix), parsed.GetValue(_takesPlain)) : null,
            SyncInterval = Duration(parsed, _sync),
            AdvertiseUrl = advertised,
            ResolverPrefix = prefix.TrimEnd('/'),
            ResolverTtlSeconds = ttl,
            Namespace = Text(parsed, _namespace),
            RequestBytesMax = Positive(parsed, _send),
            AnswerBytesMax = Positive(parsed, _receive),
            ProbeInterval = Duration(parsed, _probe),
            ProbeTimeout = Duration(parsed, _probeTimeout),
            Web = new WebLimits
            {
                ConcurrentStreamsMax = parsed.GetValue(_streams),
                KeepAliveInterval = Duration(parsed, _keepAlive),
                KeepAliveTimeout = Duration(parsed, _keepAliveTimeout),
            },
            Tls = tls,
            UpstreamTls = new UpstreamTls { CertFile = Text(parsed, _cert), KeyFile = Text(parsed, _key), CaFile = Text(parsed, _ca), TrustsAnybody = parsed.GetValue(_trustsAnybody) },
        };
    }

    private static string Text(ParseResult parsed, Option<string> option) => parsed.GetValue(option) ?? "";

    private static TimeSpan Duration(ParseResult parsed, Option<string> option) =>
        GoDuration.TryParse(Text(parsed, option), out TimeSpan duration) && duration >= TimeSpan.Zero
            ? duration
            : throw new FlagException($"{option.Name}: \"{Text(parsed, option)}\" is no duration such as 20s");

    private static int Positive(ParseResult parsed, Option<int> option)
    {
        int number = parsed.GetValue(option);
        return number > 0 ? number : throw new FlagException(string.Create(CultureInfo.InvariantCulture, $"{option.Name}: {number} is not above 0"));
    }

    private static EtcdUrl Url(string flag, string text) =>
        EtcdUrl.TryParseList(text, out IReadOnlyList<EtcdUrl> urls, out _) && urls is [{ IsBindable: true } url]
            ? url
            : throw new FlagException($"{flag}: \"{text}\" cannot be listened on; give one address and a port");

    private static EtcdUrl Secured(EtcdUrl url, TlsOptions tls) =>
        !url.IsSecure || tls.HasCertificate ? url : throw new FlagException($"--metrics-addr: {url} asks for TLS; give --cert-file and --key-file, or --auto-tls");

    private static string[] Endpoints(string text, bool isSecure)
    {
        string[] endpoints = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (endpoints.Length == 0)
        {
            throw new FlagException("--endpoints names no member");
        }

        try
        {
            // As Go's client does: with certificates a bare address is one of TLS.
            return [.. endpoints.Select(endpoint => EndpointRing.Parse(isSecure && !endpoint.Contains("://", StringComparison.Ordinal) ? $"https://{endpoint}" : endpoint).GetLeftPart(UriPartial.Authority))];
        }
        catch (ArgumentException e)
        {
            throw new FlagException($"--endpoints: {e.Message}");
        }
    }

    private TlsOptions ReadTls(ParseResult parsed)
    {
        int years = parsed.GetValue(_years);
        bool auto = parsed.GetValue(_auto);
        if (auto && years <= 0)
        {
            throw new FlagException("--self-signed-cert-validity must be above 0");
        }

        string[] ciphers = Text(parsed, _ciphers).Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (ciphers.FirstOrDefault(static name => !CipherSuiteNames.TryParse(name, out _)) is { } unknown)
        {
            throw new FlagException($"--listen-cipher-suites: \"{unknown}\" is no cipher suite");
        }

        string ca = Text(parsed, _listenCa);
        return new TlsOptions
        {
            CertFile = Text(parsed, _listenCert),
            KeyFile = Text(parsed, _listenKey),
            ClientCertFile = "",
            ClientKeyFile = "",
            TrustedCaFile = ca,
            CrlFile = Text(parsed, _crl),
            RequireClientCertificate = ca.Length > 0,
            Auto = auto,
            ValidityYears = years,
            VersionMin = "TLS1.2",
            VersionMax = "",
            CipherSuites = ciphers,
        };
    }

    /// <summary>What etcd has and nobody needs here: the platform sees to it, or there is no such thing.</summary>
    private void AddWithoutEffect()
    {
        const string None = "Without effect.";
        Add("--data-dir", "default.proxy", None);
        Add("--enable-pprof", false, None);
        Add("--permit-without-stream", false, None);
        Add("--grpc-keepalive-min-time", "5s", None);
    }

    private Option<T> Add<T>(string name, T value, string description)
    {
        var option = new Option<T>(name) { Description = description, DefaultValueFactory = _ => value };
        _all.Add(option);
        return option;
    }
}
