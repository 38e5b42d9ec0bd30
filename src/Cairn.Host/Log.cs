namespace Cairn.Host;

/// <summary>Log lines of the host; event ids 5000–5999. Wording that operators and scripts look for is etcd's.</summary>
internal static partial class Log
{
    [LoggerMessage(5000, LogLevel.Error, "a call failed in its handler")]
    public static partial void CallFailed(ILogger logger, Exception error, string grpcService, string grpcMethod);

    [LoggerMessage(5001, LogLevel.Information, "Running: ")]
    public static partial void Running(ILogger logger, IReadOnlyList<string> args);

    [LoggerMessage(5002, LogLevel.Warning, "failed to verify flags")]
    public static partial void FlagsWrong(ILogger logger, string error);

    [LoggerMessage(5003, LogLevel.Critical, "conflicting environment variable is shadowed by corresponding command-line flag (either unset environment variable or disable flag))")]
    public static partial void VariableShadowed(ILogger logger, string environmentVariable);

    [LoggerMessage(5004, LogLevel.Warning, "unrecognized environment variable")]
    public static partial void VariableUnrecognized(ILogger logger, string environmentVariable);

    [LoggerMessage(5005, LogLevel.Information, "recognized and used environment variable")]
    public static partial void VariableUsed(ILogger logger, string variableName);

    [LoggerMessage(5006, LogLevel.Warning, "flags were accepted that have no effect here")]
    public static partial void FlagsWithoutEffect(ILogger logger, IReadOnlyList<string> notNeeded, IReadOnlyList<string> notSupported);

    [LoggerMessage(5007, LogLevel.Warning, "'data-dir' was empty; using default")]
    public static partial void DefaultDataDirectory(ILogger logger, string dataDir);

    [LoggerMessage(5008, LogLevel.Information, "starting an etcd server")]
    public static partial void Starting(
        ILogger logger,
        string etcdVersion,
        string name,
        string dataDir,
        IReadOnlyList<string> listenPeerUrls,
        IReadOnlyList<string> listenClientUrls,
        IReadOnlyList<string> advertiseClientUrls,
        IReadOnlyList<string> listenMetricsUrls);

    [LoggerMessage(5009, LogLevel.Warning, "{Text}")]
    public static partial void Warn(ILogger logger, string text);

    [LoggerMessage(5069, LogLevel.Warning, "request stats")]
    public static partial void SlowCall(ILogger logger, string method, TimeSpan timeSpent, TimeSpan handle, TimeSpan send, int code, long leftOut);

    [LoggerMessage(5010, LogLevel.Information, "ready to serve client requests")]
    public static partial void Ready(ILogger logger);

    [LoggerMessage(5011, LogLevel.Warning, "serving client traffic insecurely; this is strongly discouraged!")]
    public static partial void ServingInsecurely(ILogger logger, string traffic, string address);

    [LoggerMessage(5012, LogLevel.Information, "serving client traffic securely")]
    public static partial void ServingSecurely(ILogger logger, string traffic, string address);

    [LoggerMessage(5013, LogLevel.Information, "serving metrics")]
    public static partial void ServingMetrics(ILogger logger, string address);

    [LoggerMessage(5014, LogLevel.Critical, "failed to start")]
    public static partial void StartFailed(ILogger logger, string error);

    [LoggerMessage(5015, LogLevel.Information, "received signal; shutting down")]
    public static partial void Signalled(ILogger logger, string signal);

    [LoggerMessage(5016, LogLevel.Information, "closed etcd server")]
    public static partial void Closed(ILogger logger, string name, string dataDir);

    [LoggerMessage(5017, LogLevel.Critical, "the member has stopped by itself")]
    public static partial void MemberStopped(ILogger logger, Exception error);

    [LoggerMessage(5020, LogLevel.Information, "established TCP streaming connection with remote peer")]
    public static partial void StreamUp(ILogger logger, string streamReaderType, string localMemberId, string remotePeerId);

    [LoggerMessage(5021, LogLevel.Information, "peer became active")]
    public static partial void PeerActive(ILogger logger, string peerId);

    [LoggerMessage(5022, LogLevel.Warning, "peer became inactive (message send to peer failed)")]
    public static partial void PeerInactive(ILogger logger, string peerId);

    [LoggerMessage(5023, LogLevel.Warning, "a stream of a peer is not up; dialling it again")]
    public static partial void StreamDown(ILogger logger, string streamReaderType, string localMemberId, string remotePeerId, string error);

    [LoggerMessage(5024, LogLevel.Warning, "a request of a peer was refused")]
    public static partial void PeerRefused(ILogger logger, string remotePeerId, string reason);

    [LoggerMessage(5025, LogLevel.Information, "serving peer traffic")]
    public static partial void ServingPeers(ILogger logger, string address);

    [LoggerMessage(5026, LogLevel.Information, "loaded server configuration, other configuration command line flags and environment variables will be ignored if provided")]
    public static partial void FileLoaded(ILogger logger, string path);

    [LoggerMessage(5027, LogLevel.Warning, "the configuration file has keys that are no flags; they are ignored")]
    public static partial void KeysUnknown(ILogger logger, IReadOnlyList<string> keys);

    [LoggerMessage(5028, LogLevel.Information, "Skipping defragmentation")]
    public static partial void DefragmentationSkipped(ILogger logger, long bootstrapDefragThresholdMegabytes);

    [LoggerMessage(5060, LogLevel.Information, "took new keys for signed tokens")]
    public static partial void TokenKeysReplaced(ILogger logger, string signMethod);

    [LoggerMessage(5061, LogLevel.Warning, "the changed keys of signed tokens cannot be used yet; the old ones stay")]
    public static partial void TokenKeysUnfit(ILogger logger, string error);

    [LoggerMessage(5062, LogLevel.Information, "took new certificates")]
    public static partial void CertificatesReplaced(ILogger logger, string path, DateTime notAfter);

    [LoggerMessage(5063, LogLevel.Warning, "changed certificates cannot be used yet; the old ones stay")]
    public static partial void CertificatesUnfit(ILogger logger, string path, string error);

    [LoggerMessage(5064, LogLevel.Warning, "a certificate expires soon")]
    public static partial void CertificateExpires(ILogger logger, string side, DateTimeOffset notAfter);

    [LoggerMessage(5065, LogLevel.Warning, "rejected connection on client endpoint")]
    public static partial void HandshakeRefused(ILogger logger, string remoteAddr, string error);

    [LoggerMessage(5066, LogLevel.Warning, "rejected connection on peer endpoint")]
    public static partial void PeerHandshakeRefused(ILogger logger, string remoteAddr, string error);

    [LoggerMessage(5067, LogLevel.Information, "ready to proxy client requests")]
    public static partial void ForwarderReady(ILogger logger, string listenAddr, IReadOnlyList<string> endpoints);

    [LoggerMessage(5068, LogLevel.Warning, "deactivated endpoint due to interval")]
    public static partial void TargetUnreachable(ILogger logger, string address, string interval, string error);

    [LoggerMessage(5078, LogLevel.Warning, "discovery token is ignored since cluster already initialized; valid logs are found")]
    public static partial void DiscoveryIgnored(ILogger logger, string dataDir);

    [LoggerMessage(5079, LogLevel.Information, "found a member of the initial cluster by discovery")]
    public static partial void MemberDiscovered(ILogger logger, string name, IReadOnlyList<string> peerUrls);

    [LoggerMessage(5080, LogLevel.Information, "waiting for peers from discovery service")]
    public static partial void DiscoveryWaits(ILogger logger, int clusterSize, int foundPeers);

    [LoggerMessage(5081, LogLevel.Warning, "the discovery service does not answer; asking again")]
    public static partial void DiscoveryFails(ILogger logger, string endpoint, string error);

    [LoggerMessage(5077, LogLevel.Warning, "cut a connection that keeps the server busy with nothing")]
    public static partial void ConnectionCut(ILogger logger, string remoteAddr, string reason, long leftOut);

    [LoggerMessage(5070, LogLevel.Information, "listening for gRPC proxy client requests")]
    public static partial void ProxyListening(ILogger logger, string address);

    [LoggerMessage(5071, LogLevel.Information, "started gRPC proxy")]
    public static partial void ProxyReady(ILogger logger, string address, IReadOnlyList<string> endpoints);

    [LoggerMessage(5072, LogLevel.Information, "the cluster has other endpoints now")]
    public static partial void ProxyEndpoints(ILogger logger, IReadOnlyList<string> endpoints);

    [LoggerMessage(5073, LogLevel.Information, "registered session with lease")]
    public static partial void ProxyRegistered(ILogger logger, string addr, int leaseTtl);

    [LoggerMessage(5074, LogLevel.Warning, "this proxy is not known to the others; trying again")]
    public static partial void ProxyUnregistered(ILogger logger, string addr, string error);

    [LoggerMessage(5075, LogLevel.Warning, "--insecure-skip-tls-verify: the members need not prove who they are; this is for tests only")]
    public static partial void ProxyTrustsAnybody(ILogger logger);
}
