using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cairn.Host.Flags;
using Cairn.Host.Listening;
using Cairn.Host.Security;
using Cairn.Tests.Server.Simulated;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging.Abstractions;
using Xunit;

namespace Cairn.Tests.Host.Security;

/// <summary>Handshakes of TLS over pipes, with certificates of authorities of their own.</summary>
public sealed class TlsCredentialsTests : IDisposable
{
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());

    private readonly string _directory = Directory.CreateTempSubdirectory("cairn-tls-").FullName;
    private readonly Authority _authority = new("one");

    public void Dispose()
    {
        Directory.Delete(_directory, recursive: true);
        _authority.Dispose();
    }

    [Fact]
    public async Task Members_with_certificates_of_one_authority_trust_each_other_and_nobody_else()
    {
        var member = Load(Member("m"));
        using var others = new Authority("other");
        others.Issue(_directory, "stranger", "localhost");

        Assert.True(await ShakeHandsAsync(member, member.Client()));
        Assert.False(await ShakeHandsAsync(member, Load(Member("stranger") with { TrustedCaFile = _authority.Save(_directory) }, issue: false).Client()));
#pragma warning disable CA5359 // What the client thinks of the server is not the question here.
        Assert.False(await ShakeHandsAsync(member, new SslClientAuthenticationOptions { RemoteCertificateValidationCallback = static (_, _, _, _) => true }));
#pragma warning restore CA5359
    }

    [Theory]
    [InlineData("m", true)]
    [InlineData("x,m", true)]
    [InlineData("x", false)]
    public async Task Common_names_can_be_limited(string allowed, bool isAccepted)
    {
        var member = Load(Member("m") with { AllowedCommonNames = allowed.Split(',') });

        Assert.Equal(isAccepted, await ShakeHandsAsync(member, member.Client()));
    }

    [Theory]
    [InlineData("localhost", true)]
    [InlineData("elsewhere", false)]
    public async Task Host_names_can_be_limited(string allowed, bool isAccepted)
    {
        var member = Load(Member("m") with { AllowedHostNames = [allowed] });

        Assert.Equal(isAccepted, await ShakeHandsAsync(member, member.Client()));
    }

    [Fact]
    public async Task A_revoked_certificate_is_refused_as_soon_as_the_list_says_so()
    {
        var list = Path.Combine(_directory, "list.crl");
        await File.WriteAllBytesAsync(list, _authority.Revoke([]), TestContext.Current.CancellationToken);
        var member = Load(Member("m") with { CrlFile = list });
        Assert.True(await ShakeHandsAsync(member, member.Client()));

        Replace(list, _authority.Revoke([member.Current().Certificate.SerialNumberBytes.ToArray()]));
        Assert.False(await ShakeHandsAsync(member, member.Client()));

        Replace(list, System.Text.Encoding.ASCII.GetBytes(PemEncoding.WriteString("X509 CRL", _authority.Revoke([]))));
        Assert.True(await ShakeHandsAsync(member, member.Client()));
    }

    [Fact]
    public async Task Certificates_and_authorities_are_replaced_while_the_server_runs_and_garbage_is_not_taken()
    {
        var options = Member("m");
        var member = Load(options);
        var first = member.Current();

        Replace(options.CertFile, "garbage"u8.ToArray());
        Assert.Same(first, member.Current());
        Assert.True(await ShakeHandsAsync(member, member.Client()));

        using var next = new Authority("next");
        await File.AppendAllTextAsync(options.TrustedCaFile, next.Pem, TestContext.Current.CancellationToken);
        next.Issue(_directory, "m", "localhost");
        Touch(options.CertFile);
        Assert.NotSame(first, member.Current());
        Assert.Contains("next", member.Current().Certificate.Issuer, StringComparison.Ordinal);
        Assert.True(await ShakeHandsAsync(member, member.Client()));
    }

    [Fact]
    public async Task A_certificate_that_was_made_is_made_again_after_two_thirds_of_its_life()
    {
        var time = new SimulatedTime();
        var member = TlsCredentials.Create(Options() with { Auto = true }, time, NullLogger.Instance);
        var first = member.Current();
        time.Stall(TimeSpan.FromDays(200));
        Assert.Same(first, member.Current());
        time.Stall(TimeSpan.FromDays(60));
        Assert.NotSame(first, member.Current());
        Assert.True(await ShakeHandsAsync(TlsCredentials.Create(Options() with { Auto = true }, TimeProvider.System, NullLogger.Instance), member.Client()));
    }

    [Theory]
    [InlineData("127.0.0.1", true)]
    [InlineData("::ffff:127.0.0.1", true)]
    [InlineData("192.0.2.7", false)]
    public async Task The_names_of_a_peer_stand_for_its_address(string address, bool isAllowed)
    {
        var member = Load(Member("m") with { VerifiesAddresses = true });

        Assert.Equal(isAllowed, await member.AllowsAddressAsync(member.Current().Certificate, new IPEndPoint(IPAddress.Parse(address), 1)));
    }

    [Theory]
    [InlineData("CN=alice", "alice")]
    [InlineData("O=org, CN=alice", "alice")]
    [InlineData("O=org, OU=unit", "")]
    public void Only_the_common_name_is_one(string subject, string expected)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(subject, key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName("root");
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.CreateSelfSigned(Now, Now.AddDays(1));

        Assert.Equal(expected, CertificateNames.CommonNameOf(certificate));
    }

    [Fact]
    public void Files_that_hold_no_list_are_named_at_start()
    {
        var list = Path.Combine(_directory, "list.crl");
        File.WriteAllText(list, "no list");

        Assert.Contains("CRL", Assert.ThrowsAny<CryptographicException>(() => Load(Member("m") with { CrlFile = list })).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_wait_for_bytes_that_is_given_up_loses_none_of_them()
    {
        var member = Load(Member("m"));
        var (there, back) = (new Pipe(), new Pipe());
        var connection = new DefaultConnectionContext { Transport = new Ends(there.Reader, back.Writer) };
        await using var connecting = new SslStream(new DuplexStream(new Ends(back.Reader, there.Writer)));
        var opening = TlsSession.OpenAsync(connection, member, TestContext.Current.CancellationToken);
        var client = member.Client();
        client.TargetHost = "localhost";
        await connecting.AuthenticateAsClientAsync(client, TestContext.Current.CancellationToken);
        await using var session = await opening;
        var ahead = new ReadAhead(session.Input);
        using var given = new CancellationTokenSource();
        await connecting.WriteAsync("PRI * HTTP/2.0"u8.ToArray(), TestContext.Current.CancellationToken);

        var waiting = ahead.UntilAsync(PrefaceJudge.Judge, given.Token);
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        await connecting.WriteAsync("\r\n\r\nSM\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);

        Assert.Equal(Preface.Http2, await ahead.UntilAsync(PrefaceJudge.Judge, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        var read = await session.Input.ReadAtLeastAsync(24, TestContext.Current.CancellationToken);
        Assert.Equal("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", System.Text.Encoding.ASCII.GetString(read.Buffer.ToArray()));
    }

    private static TlsOptions Options() => new()
    {
        CertFile = "",
        KeyFile = "",
        ClientCertFile = "",
        ClientKeyFile = "",
        TrustedCaFile = "",
        CrlFile = "",
        RequireClientCertificate = false,
        Auto = false,
        ValidityYears = 1,
        VersionMin = "TLS1.2",
        VersionMax = "",
        CipherSuites = [],
    };

    private static void Replace(string path, byte[] contents)
    {
        File.WriteAllBytes(path, contents);
        Touch(path);
    }

    /// <summary>Files written within a tick of the file system's clock look unchanged.</summary>
    private static void Touch(string path) => File.SetLastWriteTimeUtc(path, File.GetLastWriteTimeUtc(path).AddSeconds(1));

    private static async Task<bool> ShakeHandsAsync(TlsCredentials server, SslClientAuthenticationOptions client)
    {
        var (there, back) = (new Pipe(), new Pipe());
        await using var accepting = new SslStream(new DuplexStream(new Ends(there.Reader, back.Writer)));
        await using var connecting = new SslStream(new DuplexStream(new Ends(back.Reader, there.Writer)));
        client.TargetHost = "localhost";
        client.EnabledSslProtocols = SslProtocols.Tls12; // So that the client hears of a refusal within the handshake.
        var accepted = accepting.AuthenticateAsServerAsync(server.Server(), TestContext.Current.CancellationToken);
        try
        {
            var connected = connecting.AuthenticateAsClientAsync(client, TestContext.Current.CancellationToken);
            _ = accepted.ContinueWith(_ => back.Writer.Complete(), TaskContinuationOptions.OnlyOnFaulted);
            _ = connected.ContinueWith(_ => there.Writer.Complete(), TaskContinuationOptions.OnlyOnFaulted);
            await connected;
            await accepted;
            return true;
        }
        catch (Exception e) when (e is AuthenticationException or IOException)
        {
            return false;
        }
    }

    private TlsCredentials Load(TlsOptions options, bool issue = true)
    {
        if (issue)
        {
            _authority.Issue(_directory, Path.GetFileNameWithoutExtension(options.CertFile), "localhost");
        }

        return TlsCredentials.Create(options, TimeProvider.System, NullLogger.Instance);
    }

    private TlsOptions Member(string name) => Options() with
    {
        CertFile = Path.Combine(_directory, $"{name}.crt"),
        KeyFile = Path.Combine(_directory, $"{name}.key"),
        TrustedCaFile = _authority.Save(_directory),
        RequireClientCertificate = true,
    };

    private sealed record Ends(PipeReader Input, PipeWriter Output) : IDuplexPipe;
}
