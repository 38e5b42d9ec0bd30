using System.CommandLine;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Cairn.Client;

namespace Cairn.Cli;

/// <summary>The options of every command that speaks to members: where they are, and who asks. Names, variables and defaults are etcdctl's.</summary>
public sealed class ConnectionOptions
{
    private const string EndpointDefault = "127.0.0.1:2379";

    private readonly Option<string?> _endpoints = Text("--endpoints", $"Members, as HOST:PORT or URLs, separated by commas. [default: {EndpointDefault}]");
    private readonly Option<string?> _authority = Text("--cacert", "File with the certificates that may vouch for the members'.");
    private readonly Option<string?> _certificate = Text("--cert", "File with the certificate to show to members.");
    private readonly Option<string?> _key = Text("--key", "File with the key of that certificate.");
    private readonly Option<string?> _user = Text("--user", "Name of the user, or NAME:PASSWORD.");
    private readonly Option<string?> _password = Text("--password", "Password of the user.");
    private readonly Option<bool> _unverified = new("--insecure-skip-tls-verify") { Description = "Take any certificate of a member for good. For tests." };
    private readonly Option<TimeSpan?> _callTimeout = Duration("--command-timeout", "How long a call may take, such as 5s. [default: 10s]");
    private readonly Option<TimeSpan?> _dialTimeout = Duration("--dial-timeout", "How long connecting to a member may take, such as 2s. [default: 2s]");

    /// <summary>Adds the options to a command.</summary>
    /// <param name="command">A command that speaks to members.</param>
    public void AddTo(Command command)
    {
        ArgumentNullException.ThrowIfNull(command);
        foreach (Option option in (Option[])[_endpoints, _authority, _certificate, _key, _user, _password, _unverified, _callTimeout, _dialTimeout])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>Reads the options, those that are not given from ETCDCTL_ variables: --endpoints from ETCDCTL_ENDPOINTS.</summary>
    /// <param name="parsed">The command line.</param>
    /// <returns>What a client needs.</returns>
    /// <exception cref="ArgumentException">Two options contradict each other, or one is missing.</exception>
    /// <exception cref="IOException">A file cannot be read.</exception>
    /// <exception cref="CryptographicException">A file is no certificate, or no key of it.</exception>
    public ClientOptions Read(ParseResult parsed)
    {
        ArgumentNullException.ThrowIfNull(parsed);
        string endpoints = Value(parsed, _endpoints) ?? EndpointDefault;
        var options = new ClientOptions { Endpoints = endpoints.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) };
        options = options with
        {
            CallTimeout = parsed.GetValue(_callTimeout) ?? options.CallTimeout,
            ConnectTimeout = parsed.GetValue(_dialTimeout) ?? options.ConnectTimeout,
            Tls = ReadTls(parsed),
        };
        return WithUser(parsed, options);
    }

    private ClientOptions WithUser(ParseResult parsed, ClientOptions options)
    {
        string? user = Value(parsed, _user);
        string? password = Value(parsed, _password);
        if (user is null)
        {
            return password is null ? options : throw new ArgumentException("--password is given, but no --user");
        }

        int colon = password is null ? user.IndexOf(':', StringComparison.Ordinal) : -1;
        return colon >= 0
            ? options with { UserName = user[..colon], Password = user[(colon + 1)..] }
            : options with { UserName = user, Password = password ?? throw new ArgumentException($"--user {user} needs --password, or a password behind a colon") };
    }

    private SslClientAuthenticationOptions? ReadTls(ParseResult parsed)
    {
        string? authority = Value(parsed, _authority);
        string? certificate = Value(parsed, _certificate);
        string? key = Value(parsed, _key);
        if ((certificate is null) != (key is null))
        {
            throw new ArgumentException("--cert and --key belong together: one of them is missing");
        }

        bool unverified = parsed.GetValue(_unverified);
        if (authority is null && certificate is null && !unverified)
        {
            return null;
        }

        var tls = new SslClientAuthenticationOptions();
        if (authority is not null)
        {
            var roots = new X509Certificate2Collection();
            roots.ImportFromPemFile(authority);
            tls.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            tls.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
        }

        if (certificate is not null)
        {
            tls.ClientCertificates = [X509Certificate2.CreateFromPemFile(certificate, key)];
        }

        if (unverified)
        {
#pragma warning disable CA5359 // It is what --insecure-skip-tls-verify asks for.
            tls.RemoteCertificateValidationCallback = static (_, _, _, _) => true;
#pragma warning restore CA5359
        }

        return tls;
    }

    private static string? Value(ParseResult parsed, Option<string?> option) => parsed.GetValue(option)
        ?? Environment.GetEnvironmentVariable($"ETCDCTL_{option.Name[2..].ToUpperInvariant().Replace('-', '_')}");

    private static Option<string?> Text(string name, string description) => new(name) { Description = description };

    private static Option<TimeSpan?> Duration(string name, string description) => new(name)
    {
        Description = description,
        CustomParser = static result =>
        {
            if (GoDuration.TryParse(result.Tokens[0].Value, out TimeSpan duration) && duration > TimeSpan.Zero)
            {
                return duration;
            }

            result.AddError($"{result.Tokens[0].Value} is not a duration such as 300ms, 10s or 1m30s");
            return null;
        },
    };
}
