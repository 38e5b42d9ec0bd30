using Cairn.Host.Flags;
using Cairn.Server;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class FlagsTests
{
    // Those that a release shows in its help, and those that it takes without showing them; not --config-file, which is read before all others.
    private const string FlagsOfEtcd = """
        advertise-client-urls auth-token auth-token-ttl auto-compaction-mode auto-compaction-retention auto-tls backend-batch-interval
        backend-batch-limit backend-bbolt-freelist-type bcrypt-cost bootstrap-defrag-threshold-megabytes cert-file cipher-suites
        client-cert-allowed-hostname client-cert-auth client-cert-file client-crl-file client-key-file compact-hash-check-time compaction-batch-limit
        compaction-sleep-interval corrupt-check-time cors data-dir debug discovery discovery-cacert discovery-cert discovery-dial-timeout
        discovery-endpoints discovery-fallback discovery-insecure-skip-tls-verify discovery-insecure-transport discovery-keepalive-time
        discovery-keepalive-timeout discovery-key discovery-password discovery-proxy discovery-request-timeout discovery-srv discovery-srv-name
        discovery-token discovery-user distributed-tracing-address distributed-tracing-instance-id distributed-tracing-sampling-rate
        distributed-tracing-service-name downgrade-check-time election-timeout enable-distributed-tracing enable-grpc-gateway enable-log-rotation
        enable-pprof enable-v2 experimental-backend-bbolt-freelist-type experimental-bootstrap-defrag-threshold-megabytes
        experimental-compact-hash-check-enabled experimental-compact-hash-check-time experimental-compaction-batch-limit
        experimental-compaction-sleep-interval experimental-corrupt-check-time experimental-distributed-tracing-address
        experimental-distributed-tracing-instance-id experimental-distributed-tracing-sampling-rate experimental-distributed-tracing-service-name
        experimental-downgrade-check-time experimental-enable-distributed-tracing experimental-enable-lease-checkpoint
        experimental-enable-lease-checkpoint-persist experimental-enable-v2v3 experimental-initial-corrupt-check experimental-max-learners
        experimental-memory-mlock experimental-peer-skip-client-san-verification experimental-snapshot-catchup-entries
        experimental-stop-grpc-service-on-defrag experimental-txn-mode-write-with-shared-buffer experimental-warning-apply-duration
        experimental-warning-unary-request-duration experimental-watch-progress-notify-interval feature-gates force-new-cluster
        grpc-keepalive-interval grpc-keepalive-min-time grpc-keepalive-timeout heartbeat-interval host-whitelist initial-advertise-peer-urls
        initial-cluster initial-cluster-state initial-cluster-token initial-election-tick-advance key-file listen-client-http-urls listen-client-urls
        listen-metrics-urls listen-peer-urls log-format log-level log-output log-outputs log-package-levels log-rotation-config-json logger
        max-concurrent-streams max-learners max-request-bytes max-snapshots max-txn-ops max-wals memory-mlock metrics name peer-auto-tls
        peer-cert-allowed-cn peer-cert-allowed-hostname peer-cert-file peer-client-cert-auth peer-client-cert-file peer-client-key-file peer-crl-file
        peer-key-file peer-skip-client-san-verification peer-trusted-ca-file pre-vote proxy proxy-dial-timeout proxy-failure-wait proxy-read-timeout
        proxy-refresh-interval proxy-write-timeout quota-backend-bytes raft-read-timeout raft-write-timeout self-signed-cert-validity
        snapshot-catchup-entries snapshot-count socket-reuse-address socket-reuse-port strict-reconfig-check tls-max-version tls-min-version
        trusted-ca-file unsafe-no-fsync v2-deprecation wal-dir warning-apply-duration warning-unary-request-duration watch-progress-notify-interval
        """;

    [Theory]
    [InlineData("-name", "x")]
    [InlineData("--name", "x")]
    [InlineData("-name=x")]
    [InlineData("--name=x")]
    public void One_dash_or_two_and_equals_or_a_blank_are_all_the_same(params string[] arguments)
    {
        CommandLine line = CommandLine.Parse(arguments);

        Assert.Equal(CommandLineOutcome.Flags, line.Outcome);
        Assert.Equal("x", line.Values.Text("name"));
    }

    [Fact]
    public void Each_value_remembers_who_set_it()
    {
        CommandLine line = CommandLine.Parse(["--name", "x", "--experimental-corrupt-check-time=1m"]);
        Configuration both = Configuration.Gather(line, new Dictionary<string, string> { ["ETCD_DATA_DIR"] = "d" }, static _ => "");
        Configuration file = Configuration.Gather(CommandLine.Parse(["--config-file", "f"]), new Dictionary<string, string>(), static _ => "name: y");

        Assert.Equal(("command line", "command line"), (both.Values.OriginOf("name"), both.Values.OriginOf("corrupt-check-time")));
        Assert.Equal(("ETCD_DATA_DIR", null), (both.Values.OriginOf("data-dir"), both.Values.OriginOf("wal-dir")));
        Assert.Equal("file", file.Values.OriginOf("name"));
        Assert.Equal(3, Cairn.Host.Commands.ConfigCommand.Lines(both.Values, onlySet: true).Count());
    }

    [Theory]
    [InlineData("--pre-vote", true)]
    [InlineData("-pre-vote=true", true)]
    [InlineData("--pre-vote=T", true)]
    [InlineData("--pre-vote=1", true)]
    [InlineData("--pre-vote=false", false)]
    [InlineData("--pre-vote=0", false)]
    public void Switches_stand_alone_or_with_an_equals_sign(string argument, bool value) =>
        Assert.Equal(value, CommandLine.Parse([argument]).Values.Switch("pre-vote"));

    [Theory]
    [InlineData(CommandLineOutcome.Wrong, "flag provided but not defined: -nope", "--nope")]
    [InlineData(CommandLineOutcome.Wrong, "flag provided but not defined: -data-dri\ndid you mean --data-dir?", "--data-dri", "x")]
    [InlineData(CommandLineOutcome.Wrong, "flag needs an argument: -name", "--name")]
    [InlineData(CommandLineOutcome.Wrong, "bad flag syntax: ---name", "---name")]
    [InlineData(CommandLineOutcome.Wrong, "bad flag syntax: --=x", "--=x")]
    [InlineData(CommandLineOutcome.Wrong, "invalid value \"abc\" for flag -quota-backend-bytes: parse error", "--quota-backend-bytes", "abc")]
    [InlineData(CommandLineOutcome.Wrong, "invalid value \"99999999999999999999\" for flag -max-txn-ops: value out of range", "--max-txn-ops=99999999999999999999")]
    [InlineData(CommandLineOutcome.Wrong, "invalid value \"-1\" for flag -max-txn-ops: parse error", "--max-txn-ops=-1")]
    [InlineData(CommandLineOutcome.Wrong, "invalid boolean value \"maybe\" for -pre-vote: parse error", "--pre-vote=maybe")]
    [InlineData(CommandLineOutcome.Wrong, "invalid value \"5\" for flag -grpc-keepalive-interval: parse error", "--grpc-keepalive-interval=5")]
    [InlineData(CommandLineOutcome.Wrong, "invalid value \"old\" for flag -initial-cluster-state: invalid value", "--initial-cluster-state=old")]
    [InlineData(CommandLineOutcome.Wrong, "invalid value \"x:1\" for flag -listen-client-urls: URL scheme must be http, https, unix, or unixs: x:1", "--listen-client-urls=x:1")]
    [InlineData(
        CommandLineOutcome.Wrong,
        "invalid value \"http://a\" for flag -listen-client-urls: URL address does not have the form \"host:port\": http://a",
        "--listen-client-urls=http://a")]
    [InlineData(
        CommandLineOutcome.Wrong,
        "invalid value \"http://a:1/b\" for flag -listen-client-urls: URL must not contain a path: http://a:1/b",
        "--listen-client-urls=http://a:1/b")]
    [InlineData(CommandLineOutcome.Stray, "\"true\" is not a valid flag", "--pre-vote", "true")]
    [InlineData(CommandLineOutcome.Stray, "\"x\" is not a valid flag", "x")]
    [InlineData(CommandLineOutcome.Help, "", "--help")]
    [InlineData(CommandLineOutcome.Help, "", "-h")]
    [InlineData(CommandLineOutcome.Version, "", "--version")]
    public void What_is_wrong_is_said_in_the_words_of_etcd(object outcome, string fault, params string[] arguments)
    {
        CommandLine line = CommandLine.Parse(arguments);

        Assert.Equal(outcome, line.Outcome);
        Assert.Equal(fault, line.Fault);
    }

    [Fact]
    public void Every_default_is_a_valid_value_of_its_flag()
    {
        foreach (FlagDefinition flag in FlagTable.Groups.SelectMany(static group => group.Flags))
        {
            Assert.True(FlagValue.Fault(flag, flag.Default) is null, flag.Name);
        }
    }

    [Theory]
    [InlineData("experimental-watch-progress-notify-interval", "watch-progress-notify-interval")]
    [InlineData("experimental-max-learners", "max-learners")]
    [InlineData("experimental-compact-hash-check-time", "compact-hash-check-time")]
    public void Old_spellings_set_the_same_flag(string spelling, string name) => Assert.Equal(name, FlagTable.Find(spelling)?.Name);

    [Fact]
    public void Every_flag_of_3_4_to_3_7_is_known_under_every_spelling() =>
        Assert.All(FlagsOfEtcd.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries), static spelling => Assert.NotNull(FlagTable.Find(spelling)));

    [Fact]
    public void A_variable_sets_its_flag_and_an_empty_one_does_not()
    {
        CommandLine line = CommandLine.Parse([]);
        EnvironmentOutcome outcome = EnvironmentFlags.Apply(
            new Dictionary<string, string> { ["ETCD_NAME"] = "n", ["ETCD_DATA_DIR"] = "", ["ETCD_EXPERIMENTAL_MAX_LEARNERS"] = "3" }, line);

        Assert.Equal("n", line.Values.Text("name"));
        Assert.Equal(3, line.Values.Number("max-learners"));
        Assert.False(line.Values.IsSet("data-dir"));
        Assert.Equal((null, null), (outcome.Conflict, outcome.Fault));
        Assert.Equal(["ETCD_EXPERIMENTAL_MAX_LEARNERS", "ETCD_NAME"], outcome.Used);
    }

    [Fact]
    public void A_variable_together_with_its_flag_is_a_conflict()
    {
        CommandLine line = CommandLine.Parse(["--name=a"]);

        Assert.Equal("ETCD_NAME", EnvironmentFlags.Apply(new Dictionary<string, string> { ["ETCD_NAME"] = "b" }, line).Conflict);
    }

    [Fact]
    public void Variables_that_no_flag_has_are_harmless_and_other_prefixes_are_not_looked_at()
    {
        var variables = new Dictionary<string, string> { ["ETCD_PORT"] = "tcp://10.0.0.1:2379", ["ETCD_ROOT_PASSWORD"] = "secret", ["ETCD_VERIFY"] = "all", ["PATH"] = "/" };

        EnvironmentOutcome outcome = EnvironmentFlags.Apply(variables, CommandLine.Parse([]));

        Assert.Equal(["ETCD_PORT", "ETCD_ROOT_PASSWORD"], outcome.Unrecognized);
        Assert.Null(outcome.Fault);
    }

    [Fact]
    public void A_variable_with_a_wrong_value_names_the_variable() => Assert.Equal(
        "invalid value \"x\" for ETCD_MAX_TXN_OPS: parse error",
        EnvironmentFlags.Apply(new Dictionary<string, string> { ["ETCD_MAX_TXN_OPS"] = "x" }, CommandLine.Parse([])).Fault);

    [Theory]
    [InlineData("--advertise-client-urls is required when --listen-client-urls is set explicitly", "--listen-client-urls=http://127.0.0.1:1")]
    [InlineData("expected IP in URL for binding (http://example.com:1)", "--listen-peer-urls=http://example.com:1")]
    [InlineData("--election-timeout[400ms] should be at least as 5 times as --heartbeat-interval[100ms]", "--election-timeout=400")]
    [InlineData("--election-timeout[60000ms] is too long, and should be set less than 50000ms", "--election-timeout=60000")]
    [InlineData("--heartbeat-interval must be >0 (set to 0ms)", "--heartbeat-interval=0")]
    [InlineData("min version (TLS1.3) is greater than max version (TLS1.2)", "--tls-min-version=TLS1.3", "--tls-max-version=TLS1.2")]
    [InlineData("cipher suites cannot be configured when only TLS1.3 is enabled", "--tls-min-version=TLS1.3", "--cipher-suites=X")]
    [InlineData("error parsing CompactionRetention: time: invalid duration \"x\"", "--auto-compaction-retention=x")]
    [InlineData("--compact-hash-check-time must be >0 (set to 0s)", "--compact-hash-check-time=0s")]
    [InlineData("--heal-replace-after must be >0 (set to 0s)", "--heal-replace-after=0s")]
    [InlineData("--heal-recover-after must be 0 or more (set to -5s)", "--heal-recover-after=-5s")]
    [InlineData("unrecognized feature gate: Nonsense", "--feature-gates=InitialCorruptCheck=true,Nonsense=true")]
    [InlineData("missing bool value for LeaseCheckpoint", "--feature-gates=LeaseCheckpoint")]
    [InlineData("both --discovery-token and --discovery-endpoints must be set", "--discovery-token=t")]
    [InlineData("--discovery-endpoints must not contain empty endpoints", "--discovery-token=t", "--discovery-endpoints=http://a:1,")]
    [InlineData("--bootstrap=quorum does not go with --discovery-srv: those who do not answer have no name there; use --initial-cluster", "--discovery-srv=a.example", "--bootstrap=quorum")]
    [InlineData(
        "multiple discovery or bootstrap flags are set. Choose one of \"initial-cluster\", \"discovery\", \"discovery-endpoints\" or \"discovery-srv\"",
        "--discovery-srv=a.example",
        "--initial-cluster=a=http://a:1")]
    public void Values_that_do_not_fit_together_are_refused(string fault, params string[] arguments) =>
        Assert.Equal(fault, ProcessOptionsReader.Fault(CommandLine.Parse(arguments).Values));

    [Fact]
    public void Without_flags_the_defaults_are_those_of_etcd()
    {
        FlagValues values = CommandLine.Parse([]).Values;
        ProcessOptions options = ProcessOptionsReader.Read(values);

        Assert.Null(ProcessOptionsReader.Fault(values));
        Assert.Equal("default.etcd", options.Node.DataDirectory);
        Assert.Equal("http://localhost:2379", Assert.Single(options.ListenClientUrls).ToString());
        InitialMember member = Assert.Single(options.Node.InitialCluster);
        Assert.Equal(("default", "http://localhost:2380"), (member.Name, member.PeerUrls[0]));
        Assert.Equal(CompactionMode.Off, options.Node.CompactionMode);
    }

    [Fact]
    public void The_flags_of_milvus_and_of_kubeadm_are_understood()
    {
        FlagValues values = CommandLine.Parse(
        [
            "-advertise-client-urls=http://127.0.0.1:2379", "-listen-client-urls", "http://0.0.0.0:2379", "--data-dir", "/etcd", "--auto-compaction-mode=revision",
            "--auto-compaction-retention=1000", "--snapshot-count=50000", "--feature-gates=InitialCorruptCheck=true", "--watch-progress-notify-interval=5s",
            "--listen-metrics-urls=http://127.0.0.1:2381", "--initial-cluster=a=http://1.2.3.4:2380,b=http://1.2.3.5:2380,a=http://1.2.3.6:2380", "--name=a",
        ]).Values;
        ProcessOptions options = ProcessOptionsReader.Read(values);

        Assert.Null(ProcessOptionsReader.Fault(values));
        Assert.Equal((CompactionMode.Revision, 1000), (options.Node.CompactionMode, options.Node.CompactionRevisions));
        Assert.Equal(TimeSpan.FromSeconds(5), options.Node.WatchProgressInterval);
        Assert.Equal(["a", "b"], options.Node.InitialCluster.Select(static member => member.Name));
        Assert.Equal(["http://1.2.3.4:2380", "http://1.2.3.6:2380"], options.Node.InitialCluster[0].PeerUrls);
    }

    [Theory]
    [InlineData("1h30m", 54_000_000_000)]
    [InlineData("100ms", 1_000_000)]
    [InlineData("1.5s", 15_000_000)]
    [InlineData("0", 0)]
    [InlineData("-2s", -20_000_000)]
    [InlineData("10us", 100)]
    [InlineData("600000000000ns", 6_000_000_000)]
    public void Durations_are_read_as_go_writes_them(string text, long ticks)
    {
        Assert.True(GoDuration.TryParse(text, out TimeSpan duration));
        Assert.Equal(ticks, duration.Ticks);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("1.2.3s")]
    [InlineData("1x")]
    [InlineData("99999999999h")]
    public void Durations_of_another_form_are_refused(string text) => Assert.False(GoDuration.TryParse(text, out _));

    [Theory]
    [InlineData("auto-compaction-retention", "2", 2 * 60)]
    [InlineData("auto-compaction-retention", "30m", 30)]
    public void A_bare_number_of_periodic_retention_is_hours(string flag, string value, int minutes) =>
        Assert.Equal(TimeSpan.FromMinutes(minutes), ProcessOptionsReader.Read(CommandLine.Parse([$"--{flag}={value}"]).Values).Node.CompactionWindow);

    [Fact]
    public void Help_names_every_flag_that_is_not_hidden()
    {
        string help = HelpText.Flags();

        Assert.All(
            FlagTable.Groups.SelectMany(static group => group.Flags).Where(static flag => !flag.Hidden),
            flag => Assert.Contains($"  --{flag.Name} '", help, StringComparison.Ordinal));
    }
}
