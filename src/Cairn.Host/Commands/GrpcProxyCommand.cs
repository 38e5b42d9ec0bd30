using System.CommandLine;
using System.Security.Cryptography;
using Cairn.Host.Discovery;
using Cairn.Host.Logging;
using Cairn.Host.Proxy;

namespace Cairn.Host.Commands;

/// <summary><c>cairn grpc-proxy start</c>: gathers watchers and reads of many clients before a cluster.</summary>
/// <remarks>Flags and defaults. Source: etcd server/etcdmain/grpc_proxy.go.</remarks>
internal static class GrpcProxyCommand
{
    /// <summary>Builds the command.</summary>
    public static Command Build()
    {
        var flags = new ProxyFlags();
        var start = new Command("start", "Starts the proxy.");
        foreach (Option option in flags.All)
        {
            start.Add(option);
        }

        start.SetAction((parsed, cancelled) => RunAsync(flags, parsed, cancelled));
        return new Command("grpc-proxy", "Speaks etcd's API to clients and to a cluster, and shares what they watch and read.") { start };
    }

    private static async Task<int> RunAsync(ProxyFlags flags, ParseResult parsed, CancellationToken stopping)
    {
        ProxyOptions options;
        try
        {
            options = flags.Read(parsed);
        }
        catch (FlagException e)
        {
            await Console.Error.WriteLineAsync($"Error: {e.Message}");
            return 2;
        }

        using var sink = new LogSink(["default"]);
        using var loggers = new ZapLoggerFactory(sink, TimeProvider.System, ZapLoggerFactory.LevelOf(parsed.GetValue(flags.Debug) ? "debug" : "info"), console: false);
        if (options.UpstreamTls.TrustsAnybody)
        {
            Log.ProxyTrustsAnybody(loggers.CreateLogger(typeof(GrpcProxyCommand).FullName ?? ""));
        }

        try
        {
            if (options.Domain is { } domain)
            {
                options = options with { Endpoints = await SrvDiscovery.OfSystem(TimeProvider.System).EndpointsAsync(domain, stopping) };
            }

            await new GrpcProxy(options, loggers, TimeProvider.System).RunAsync(stopping);
            return 0;
        }
        catch (Exception e) when (e is IOException or CryptographicException or UnauthorizedAccessException or FlagException)
        {
            await Console.Error.WriteLineAsync($"Error: {e.Message}");
            return 1;
        }
    }
}
