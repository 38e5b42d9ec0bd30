using Cairn.Host.Flags;
using Xunit;

namespace Cairn.Tests.Host;

public sealed class ConfigFileTests
{
    private static readonly Dictionary<string, string> NoVariables = [];

    [Fact]
    public void Scalars_lists_and_the_two_maps_of_certificates_set_flags()
    {
        (FlagValues values, string? fault, IReadOnlyList<string> unknown) = Read("""
            # A comment.
            name: 'it''s me'   # Another.
            data-dir: "/a # b"
            wal-dir:
            heartbeat-interval: 200
            grpc-keepalive-interval: 3000000000
            listen-client-urls: http://127.0.0.1:1,http://127.0.0.1:2
            advertise-client-urls: http://127.0.0.1:1
            log-outputs: [stderr, '/tmp/log']
            client-transport-security:
              # Path of the certificate.
              cert-file: /c.crt
              client-cert-auth: true
            peer-transport-security:
              cert-file: /p.crt
              allowed-cn:
              - a
              - b
            initial-cluster: a=http://1.1.1.1:1,b=http://1.1.1.2:1
            nonsense: 5
            """);

        Assert.Null(fault);
        Assert.Equal("it's me", values.Text("name"));
        Assert.Equal("/a # b", values.Text("data-dir"));
        Assert.False(values.IsSet("wal-dir"));
        Assert.Equal(TimeSpan.FromSeconds(3), values.Duration("grpc-keepalive-interval"));
        Assert.Equal(2, values.Urls("listen-client-urls").Count);
        Assert.Equal(["stderr", "/tmp/log"], values.Words("log-outputs"));
        Assert.Equal(("/c.crt", "/p.crt", "a,b"), (values.Text("cert-file"), values.Text("peer-cert-file"), values.Text("peer-cert-allowed-cn")));
        Assert.True(values.Switch("client-cert-auth"));
        Assert.Equal("a=http://1.1.1.1:1,b=http://1.1.1.2:1", values.Text("initial-cluster"));
        Assert.Equal(["nonsense"], unknown);
    }

    [Fact]
    public void The_map_of_discovery_sets_its_flags_however_deep_they_lie()
    {
        (FlagValues values, string? fault, IReadOnlyList<string> unknown) = Read("""
            discovery-config:
              token: t
              client:
                endpoints:
                - a:1
                - b:2
                dial-timeout: 3000000000
                secure:
                  cert: c
                  insecure-transport: false
                auth:
                  username: u
                  password: p
            name: n
            """);

        Assert.Null(fault);
        Assert.Empty(unknown);
        Assert.Equal(("t", "a:1,b:2", "c", "u", "p", "n"), (values.Text("discovery-token"), values.Text("discovery-endpoints"), values.Text("discovery-cert"), values.Text("discovery-user"), values.Text("discovery-password"), values.Text("name")));
        Assert.Equal((TimeSpan.FromSeconds(3), false), (values.Duration("discovery-dial-timeout"), values.Switch("discovery-insecure-transport")));
    }

    [Fact]
    public void Json_is_read_too()
    {
        (FlagValues values, string? fault, _) = Read("""{"name": "j", "max-txn-ops": 200, "pre-vote": false, "client-transport-security": {"auto-tls": true}}""");

        Assert.Null(fault);
        Assert.Equal(("j", 200, false, true), (values.Text("name"), values.Number("max-txn-ops"), values.Switch("pre-vote"), values.Switch("auto-tls")));
    }

    [Theory]
    [InlineData("name", "error converting YAML to JSON: yaml: line 1: could not find expected ':'")]
    [InlineData("name: a\nmax-txn-ops: many", "invalid value \"many\" for max-txn-ops: parse error")]
    public void What_cannot_be_read_is_said(string text, string fault) => Assert.Equal(fault, Read(text).Fault);

    [Fact]
    public void A_file_makes_flags_and_variables_void()
    {
        CommandLine line = CommandLine.Parse(["--name=flag", "--config-file=x"]);
        var variables = new Dictionary<string, string> { ["ETCD_NAME"] = "variable" };

        Configuration configuration = Configuration.Gather(line, variables, static path => $"data-dir: {path}");

        Assert.Equal(("default", "x"), (configuration.Values.Text("name"), configuration.Values.Text("data-dir")));
        Assert.Null(configuration.Environment.Conflict);
    }

    [Fact]
    public void A_variable_can_name_the_file_and_a_missing_one_prevents_the_start()
    {
        var variables = new Dictionary<string, string> { ["ETCD_CONFIG_FILE"] = "y" };

        Assert.Equal("y", Configuration.Gather(CommandLine.Parse([]), variables, static path => $"name: {path}").Values.Text("name"));
        Assert.Equal("gone", Configuration.Gather(CommandLine.Parse(["--config-file", "z"]), NoVariables, static _ => throw new FileNotFoundException("gone")).Fault);
    }

    private static (FlagValues Values, string? Fault, IReadOnlyList<string> Unknown) Read(string text)
    {
        var values = new FlagValues();
        string? fault = ConfigFile.Read(text, values, out IReadOnlyList<string> unknown);
        return (values, fault, unknown);
    }
}
