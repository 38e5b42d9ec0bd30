using System.CommandLine;
using Cairn.Host.Discovery;
using Cairn.Host.Flags;
using Cairn.Host.Listening;
using Cairn.Host.Logging;

namespace Cairn.Host.Commands;

/// <summary><c>cairn gateway start</c>: one local address in front of all members, for programs that know only one. It passes bytes on and understands none of them.</summary>
/// <remarks>Source: etcd server/etcdmain/gateway.go.</remarks>
internal static class GatewayCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Build()
    {
        var listen = new Option<string>("--listen-addr") { Description = "Address to listen on.", DefaultValueFactory = static _ => "127.0.0.1:23790", Recursive = true };
        var endpoints = new Option<string>("--endpoints") { Description = "Members, as HOST:PORT, separated by commas.", DefaultValueFactory = static _ => "127.0.0.1:2379", Recursive = true };
        var delay = new Option<string>("--retry-delay") { Description = "How long a member that was not reached is left alone.", DefaultValueFactory = static _ => "1m0s", Recursive = true };
        var domain = new Option<string>("--discovery-srv") { Description = "DNS domain whose SRV records name the members, in place of --endpoints.", DefaultValueFactory = static _ => "", Recursive = true };
        var suffix = new Option<string>("--discovery-srv-name") { Description = "What follows the name of the service in those records.", DefaultValueFactory = static _ => "", Recursive = true };
        var takesPlain = new Option<bool>("--insecure-discovery") { Description = "Take members from those records that do not speak TLS.", Recursive = true };
        var authority = new Option<string>("--trusted-ca-file") { Description = "Without effect: connections are passed on as they are, and clients look at certificates.", Recursive = true };
        var start = new Command("start", "Starts to pass connections on.");
        start.SetAction((parsed, cancelled) => FindAndRunAsync(
            parsed.GetValue(listen)!, // These have defaults.
            parsed.GetValue(endpoints)!,
            parsed.GetValue(domain) is { Length: > 0 } name ? new ClientDomain(name, parsed.GetValue(suffix)!, parsed.GetValue(takesPlain)) : null,
            parsed.GetValue(delay)!,
            cancelled));
        return new Command("gateway", "Passes TCP connections on to the members of a cluster.") { listen, endpoints, delay, domain, suffix, takesPlain, authority, start };
    }

    private static async Task<int> FindAndRunAsync(string listen, string endpoints, ClientDomain? domain, string delay, CancellationToken stopping)
    {
        try
        {
            endpoints = domain is null ? endpoints : string.Join(',', await SrvDiscovery.OfSystem(TimeProvider.System).EndpointsAsync(domain, stopping));
        }
        catch (Exception e) when (e is IOException or FlagException)
        {
            await Console.Error.WriteLineAsync($"Error: {e.Message}");
            return 1;
        }

        return await RunAsync(listen, endpoints, delay, stopping);
    }

    private static async Task<int> RunAsync(string listen, string endpoints, string delay, CancellationToken stopping)
    {
        string[] members = endpoints.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (members.FirstOrDefault(static member => !EtcdUrl.TryParseList($"http://{HostPort(member)}", out _, out _)) is { } wrong)
        {
            await Console.Error.WriteLineAsync($"Error: --endpoints: \"{wrong}\" is not of the form HOST:PORT");
            return 2;
        }

        if (members.Length == 0 || !GoDuration.TryParse(delay, out TimeSpan retryDelay) || retryDelay <= TimeSpan.Zero)
        {
            await Console.Error.WriteLineAsync(members.Length == 0 ? "Error: --endpoints names no member" : $"Error: --retry-delay: \"{delay}\" is no duration such as 1m0s");
            return 2;
        }

        if (!EtcdUrl.TryParseList($"http://{HostPort(listen)}", out IReadOnlyList<EtcdUrl> urls, out _) || !urls[0].IsBindable)
        {
            await Console.Error.WriteLineAsync($"Error: --listen-addr: \"{listen}\" is not of the form IP:PORT");
            return 2;
        }

        using var sink = new LogSink(["default"]);
        using var loggers = new ZapLoggerFactory(sink, TimeProvider.System, ZapLoggerFactory.LevelOf("info"), console: false);
        ILogger logger = loggers.CreateLogger(typeof(GatewayCommand).FullName ?? "");
        try
        {
            var forwarder = new TcpForwarder([.. members.Select(HostPort)], retryDelay, TimeProvider.System, logger);
            await forwarder.RunAsync(ListenAddress.Of(urls[0]), () => Log.ForwarderReady(logger, listen, members), stopping);
            return 0;
        }
        catch (System.Net.Sockets.SocketException e)
        {
            await Console.Error.WriteLineAsync($"Error: {listen} cannot be listened on: {e.Message}");
            return 1;
        }
    }

    /// <summary>Endpoints may be URLs, too.</summary>
    private static string HostPort(string member)
    {
        int scheme = member.IndexOf("://", StringComparison.Ordinal);
        return (scheme < 0 ? member : member[(scheme + 3)..]).TrimEnd('/');
    }
}
