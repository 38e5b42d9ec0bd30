using System.CommandLine;
using Cairn.Host;
using Cairn.Host.Proxy;
using Xunit;

namespace Cairn.Tests.Host.Proxy;

public sealed class ProxyFlagsTests
{
    [Fact]
    public void Without_flags_it_is_as_etcds()
    {
        ProxyOptions options = Read();

        Assert.Equal("http://127.0.0.1:23790", options.Listen.ToString());
        Assert.Equal(["http://127.0.0.1:2379"], options.Endpoints);
        Assert.Equal("127.0.0.1:23790", options.AdvertiseUrl);
        Assert.Equal((TimeSpan.Zero, TimeSpan.FromSeconds(20)), (options.SyncInterval, options.ProbeTimeout));
        Assert.Equal((1572864, int.MaxValue), (options.RequestBytesMax, options.AnswerBytesMax));
    }

    [Fact]
    public void With_certificates_bare_endpoints_are_of_tls()
    {
        ProxyOptions options = Read("--cacert", "ca.pem", "--endpoints", "a:1,http://b:2", "--auto-tls");

        Assert.Equal(["https://a:1", "http://b:2"], options.Endpoints);
        Assert.Equal("https://127.0.0.1:23790", options.Listen.ToString());
    }

    [Theory]
    [InlineData("invalid resolver-ttl 0", "--resolver-prefix", "p")]
    [InlineData("invalid resolver-prefix", "--resolver-ttl", "5")]
    [InlineData("invalid advertise-client-url", "--resolver-prefix", "p", "--resolver-ttl", "5", "--advertise-client-url", "")]
    [InlineData("--endpoints names no member", "--endpoints", "")]
    [InlineData("--endpoints: ftp://a is not an endpoint", "--endpoints", "ftp://a")]
    [InlineData("--listen-addr", "--listen-addr", "nowhere")]
    [InlineData("asks for TLS", "--metrics-addr", "https://127.0.0.1:1")]
    [InlineData("is no duration", "--endpoints-auto-sync-interval", "soon")]
    [InlineData("--max-send-bytes: 0 is not above 0", "--max-send-bytes", "0")]
    [InlineData("is no cipher suite", "--listen-cipher-suites", "ROT13")]
    [InlineData("--self-signed-cert-validity", "--auto-tls", "--self-signed-cert-validity", "0")]
    public void What_is_wrong_is_named(string fault, params string[] arguments)
    {
        var refused = Assert.Throws<FlagException>(() => Read(arguments));

        Assert.Contains(fault, refused.Message, StringComparison.Ordinal);
    }

    private static ProxyOptions Read(params string[] arguments)
    {
        var flags = new ProxyFlags();
        var command = new Command("start");
        foreach (Option option in flags.All)
        {
            command.Add(option);
        }

        return flags.Read(command.Parse(arguments));
    }
}
