namespace Cairn.Host.Flags;

/// <summary>Flags of the member, of clustering and of what is unsafe.</summary>
/// <remarks>Names and defaults. Source: etcd server/embed/config.go and server/etcdmain/help.go, 3.4 to 3.7.</remarks>
internal static class ServerFlags
{
    /// <summary>Member.</summary>
    public static readonly FlagGroup Member = new("Member:",
    [
        new("name", FlagKind.Text, "default", "Human-readable name of this member."),
        new("data-dir", FlagKind.Text, "", "Path of the data directory; ${name}.etcd if empty."),
        new("wal-dir", FlagKind.Text, "", "Path of a directory of its own for the write-ahead log; within the data directory if empty."),
        new("snapshot-count", FlagKind.Natural, "10000", "Number of applied entries after which state is written down and the log before it can go."),
        new("heartbeat-interval", FlagKind.Natural, "100", "Milliseconds between heartbeats."),
        new("election-timeout", FlagKind.Natural, "1000", "Milliseconds without a leader after which a member stands for election; at least five heartbeats."),
        new("initial-election-tick-advance", FlagKind.Switch, "true", "Whether election ticks are moved forward at start.") { Effect = FlagEffect.NotNeeded },
        new("listen-peer-urls", FlagKind.Urls, "http://localhost:2380", "URLs on which to listen for peers."),
        new("listen-client-urls", FlagKind.Urls, "http://localhost:2379",
            "URLs on which to listen for clients: gRPC, and HTTP unless --listen-client-http-urls is given."),
        new("listen-client-http-urls", FlagKind.Urls, "", "URLs on which to listen for HTTP clients only; takes HTTP away from --listen-client-urls."),
        new("max-snapshots", FlagKind.Natural, "5", "Number of snapshot files to keep.") { Effect = FlagEffect.NotNeeded },
        new("max-wals", FlagKind.Natural, "5", "Number of log files to keep.") { Effect = FlagEffect.NotNeeded },
        new("memory-mlock", FlagKind.Switch, "false", "Keep the database in memory.") { Effect = FlagEffect.NotNeeded, WasExperimental = true },
        new("quota-backend-bytes", FlagKind.Integer, "0",
            "Bytes that keys, values and history may take before writes are refused; 0 is 2 GiB, negative is no limit."),
        new("disk-reserve-bytes", FlagKind.Natural, "67108864",
            "Bytes kept free on the disk, at most an eighth of it, so that deletions, compaction and leases go on when it is full; 0 is none."),
        new("require-durable-dir", FlagKind.Switch, "false",
            "Do not start on a data directory that ends with its container, or with the machine's memory (overlay, tmpfs)."),
        new("backend-bbolt-freelist-type", FlagKind.Text, "map", "Kind of the free list of bbolt.") { Effect = FlagEffect.NotNeeded },
        new("backend-batch-interval", FlagKind.Duration, "0s", "Longest time before the backend commits.") { Effect = FlagEffect.NotNeeded },
        new("backend-batch-limit", FlagKind.Integer, "0", "Most operations before the backend commits.") { Effect = FlagEffect.NotNeeded },
        new("max-txn-ops", FlagKind.Natural, "128", "Most operations in one list of a transaction."),
        new("max-request-bytes", FlagKind.Natural, "1572864", "Largest request of a client, in bytes."),
        new("max-concurrent-streams", FlagKind.Natural32, "4294967295", "Most streams that one connection may open at a time."),
        new("grpc-keepalive-min-time", FlagKind.Duration, "5s",
            "Shortest interval between pings of a client; pings are cheap here and never refused.")
        { Effect = FlagEffect.NotNeeded },
        new("grpc-keepalive-interval", FlagKind.Duration, "2h0m0s", "Interval of pings to idle clients; 0 is off."),
        new("grpc-keepalive-timeout", FlagKind.Duration, "20s", "How long a ping may go unanswered before its connection is closed."),
        new("socket-reuse-port", FlagKind.Switch, "false", "Set SO_REUSEPORT on listeners."),
        new("socket-reuse-address", FlagKind.Switch, "false", "Set SO_REUSEADDR on listeners."),
        new("enable-grpc-gateway", FlagKind.Switch, "true", "Serve the JSON API."),
        new("raft-read-timeout", FlagKind.Duration, "5s", "Read timeout on peer connections.") { Effect = FlagEffect.NotNeeded },
        new("raft-write-timeout", FlagKind.Duration, "5s", "Write timeout on peer connections.") { Effect = FlagEffect.NotNeeded },
        new("feature-gates", FlagKind.Text, "", "Pairs Name=true or Name=false, separated by commas.") { Effect = FlagEffect.NotNeeded },
    ]);

    /// <summary>Clustering.</summary>
    public static readonly FlagGroup Clustering = new("Clustering:",
    [
        new("initial-advertise-peer-urls", FlagKind.Urls, "http://localhost:2380", "Peer URLs of this member, as told to the others."),
        new("initial-cluster", FlagKind.Text, "default=http://localhost:2380", "Members of a new cluster: name=url pairs, separated by commas."),
        new("initial-cluster-state", FlagKind.Choice, "new",
            "new to found a cluster, existing to join one; only read while the data directory is empty.")
        { Choices = ["new", "existing"] },
        new("initial-cluster-token", FlagKind.Text, "etcd-cluster", "Token of the cluster: clusters with different tokens never mix."),
        new("bootstrap", FlagKind.Choice, "all",
            "Whom an empty data directory waits for before it founds a cluster: all listed members, so that it never does beside data, or a quorum, as etcd.")
        { Choices = ["all", "quorum"] },
        new("advertise-client-urls", FlagKind.Urls, "http://localhost:2379",
            "Client URLs of this member, as told to clients; they must be able to reach them."),
        new("heal", FlagKind.Choice, "auto",
            "auto: mend the membership where that is proven safe; propose: only what `cairn heal approve` allows; off: not at all.")
        { Choices = ["auto", "propose", "off"] },
        new("heal-replace-after", FlagKind.Duration, "5m0s",
            "How long a voter may be gone before a spare learner takes its place, and a member that never started may cost the cluster its reserve."),
        new("standby", FlagKind.Switch, "false",
            "Be a spare learner: join a cluster to which `member add --learner` added this member, and vote once a voter is gone for --heal-replace-after."),
        new("heal-recover", FlagKind.Choice, "propose",
            "When a majority is gone for good. propose: only what `cairn recover` decides; auto: found a new epoch once all others attest that they are empty.")
        { Choices = ["propose", "auto"] },
        new("heal-recover-after", FlagKind.Duration, "30m0s", "How long --heal-recover=auto waits, so that a disk can be brought back."),
        new("evict-after", FlagKind.Duration, "5s",
            "How long a running member that was removed waits to be stopped: one that is stopped sooner, as by a stop hook, may come back."),
        new("strict-reconfig-check", FlagKind.Switch, "true", "Refuse changes of membership that would cost the quorum."),
        new("pre-vote", FlagKind.Switch, "true", "Ask before standing for election, so that a member that was cut off does not disturb."),
        new("auto-compaction-retention", FlagKind.Text, "0", "History that automatic compaction keeps; 0 is off."),
        new("auto-compaction-mode", FlagKind.Choice, "periodic",
            "periodic: retention is a time (a bare number is hours); revision: a number of revisions.")
        { Choices = ["periodic", "revision"] },
        new("max-learners", FlagKind.Integer, "1", "Most learners at a time.") { WasExperimental = true },
        new("discovery", FlagKind.Text, "", "URL of a v2 discovery service; refused until the member belongs to a cluster, and then without use."),
        new("discovery-token", FlagKind.Text, "", "Token of a v3 discovery."),
        new("discovery-endpoints", FlagKind.Text, "", "Endpoints of a v3 discovery service."),
        new("discovery-dial-timeout", FlagKind.Duration, "2s", "Dial timeout of discovery."),
        new("discovery-request-timeout", FlagKind.Duration, "5s", "Request timeout of discovery."),
        new("discovery-keepalive-time", FlagKind.Duration, "2s", "Keep-alive time of discovery.") { Effect = FlagEffect.NotNeeded },
        new("discovery-keepalive-timeout", FlagKind.Duration, "6s", "Keep-alive timeout of discovery.") { Effect = FlagEffect.NotNeeded },
        new("discovery-insecure-transport", FlagKind.Switch, "true", "Discovery without TLS."),
        new("discovery-insecure-skip-tls-verify", FlagKind.Switch, "false", "Discovery without verification."),
        new("discovery-cert", FlagKind.Text, "", "Certificate for discovery."),
        new("discovery-key", FlagKind.Text, "", "Key for discovery."),
        new("discovery-cacert", FlagKind.Text, "", "CA of the discovery service."),
        new("discovery-user", FlagKind.Text, "", "User for discovery."),
        new("discovery-password", FlagKind.Text, "", "Password for discovery."),
        new("discovery-fallback", FlagKind.Choice, "exit", "What to do when discovery fails.") { Effect = FlagEffect.Absent, Choices = ["exit", "proxy"] },
        new("discovery-proxy", FlagKind.Text, "", "HTTP proxy for discovery.") { Effect = FlagEffect.Absent },
        new("discovery-srv", FlagKind.Text, "", "DNS domain whose SRV records name the members."),
        new("discovery-srv-name", FlagKind.Text, "", "Suffix of the SRV records."),
        new("v2-deprecation", FlagKind.Choice, "write-only",
            "Stage of the end of the v2 store, which does not exist here.")
        { Effect = FlagEffect.NotNeeded, Choices = ["not-yet", "write-only", "write-only-skip-check", "write-only-drop-data", "gone"] },
        new("enable-v2", FlagKind.Switch, "false", "Serve the v2 API.") { Effect = FlagEffect.Absent, Hidden = true },
    ]);

    /// <summary>Features.</summary>
    public static readonly FlagGroup Features = new("Features:",
    [
        new("corrupt-check-time", FlagKind.Duration, "0s",
            "Interval of comparing hashes of all that is stored between members, which reads all of it; 0 is off.")
        { WasExperimental = true },
        new("compact-hash-check-time", FlagKind.Duration, "1m0s",
            "Interval of comparing the hashes that members keep of compactions.")
        { WasExperimental = true },
        new("compaction-batch-limit", FlagKind.Integer, "1000",
            "Most revisions dropped in one step of a compaction.")
        { Effect = FlagEffect.NotNeeded, WasExperimental = true },
        new("compaction-sleep-interval", FlagKind.Duration, "10ms",
            "Pause between steps of a compaction.")
        { Effect = FlagEffect.NotNeeded, WasExperimental = true },
        new("watch-progress-notify-interval", FlagKind.Duration, "10m0s", "Interval of progress messages to idle watchers.") { WasExperimental = true },
        new("bootstrap-defrag-threshold-megabytes", FlagKind.Natural, "0",
            "Defragment at start if it frees more.")
        { Effect = FlagEffect.NotNeeded, WasExperimental = true },
        new("downgrade-check-time", FlagKind.Duration, "5s", "Interval of looking at a downgrade.") { Effect = FlagEffect.NotNeeded, WasExperimental = true },
        new("snapshot-catchup-entries", FlagKind.Natural, "20000",
            "Applied entries kept for members that are behind; who needs older ones is sent what it lacks of the state.")
        { WasExperimental = true },
        new("experimental-initial-corrupt-check", FlagKind.Switch, "false",
            "Compare hashes with peers before serving.")
        { Hidden = true },
        new("experimental-compact-hash-check-enabled", FlagKind.Switch, "false",
            "Compare hashes of compactions.")
        { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("experimental-enable-lease-checkpoint", FlagKind.Switch, "false",
            "Replicate what leases have left.")
        { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("experimental-enable-lease-checkpoint-persist", FlagKind.Switch, "false",
            "Keep what leases have left.")
        { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("experimental-stop-grpc-service-on-defrag", FlagKind.Switch, "false",
            "Stop serving while defragmenting.")
        { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("experimental-txn-mode-write-with-shared-buffer", FlagKind.Switch, "true",
            "Share the buffer of transactions.")
        { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("experimental-enable-v2v3", FlagKind.Text, "", "Serve the v2 API on the v3 store.") { Effect = FlagEffect.Absent, Hidden = true },
        new("experimental-backend-bbolt-freelist-type", FlagKind.Text, "map",
            "Kind of the free list of bbolt.")
        { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("experimental-peer-skip-client-san-verify", FlagKind.Switch, "false",
            "Do not verify the names in peer certificates.")
        { Hidden = true },
        new("proxy", FlagKind.Choice, "off", "Run as a v2 proxy.") { Effect = FlagEffect.Absent, Hidden = true, Choices = ["off", "readonly", "on"] },
        new("proxy-failure-wait", FlagKind.Natural, "5000", "Of the v2 proxy.") { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("proxy-refresh-interval", FlagKind.Natural, "30000", "Of the v2 proxy.") { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("proxy-dial-timeout", FlagKind.Natural, "1000", "Of the v2 proxy.") { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("proxy-write-timeout", FlagKind.Natural, "5000", "Of the v2 proxy.") { Effect = FlagEffect.NotNeeded, Hidden = true },
        new("proxy-read-timeout", FlagKind.Natural, "0", "Of the v2 proxy.") { Effect = FlagEffect.NotNeeded, Hidden = true },
    ]);

    /// <summary>Unsafe.</summary>
    public static readonly FlagGroup Unsafe = new("Unsafe:",
    [
        new("force-new-cluster", FlagKind.Switch, "false", "Make a one-member cluster of what this member has.") { Effect = FlagEffect.Absent },
        new("unsafe-no-fsync", FlagKind.Switch, "false", "Do not sync the disk: what was acknowledged can be lost.") { Effect = FlagEffect.Absent },
    ]);
}
