using System.CommandLine;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Cairn.Bench.Commands;

/// <summary>The options that all workloads share, named as in etcd's own tool.</summary>
internal sealed class CommonOptions
{
    private readonly Option<string> _endpoints = new("--endpoints")
    {
        Description = "gRPC endpoints, separated by commas.",
        DefaultValueFactory = static _ => "127.0.0.1:2379",
        Recursive = true,
    };

    private readonly Option<int> _connections = new("--conns")
    {
        Description = "Connections in all.",
        DefaultValueFactory = static _ => 1,
        Recursive = true,
    };

    private readonly Option<int> _clients = new("--clients")
    {
        Description = "Clients in all, each with one call at a time.",
        DefaultValueFactory = static _ => 1,
        Recursive = true,
    };

    private readonly Option<int?> _serverProcess = new("--server-pid")
    {
        Description = "Process of the server, whose CPU and memory are then reported.",
        Recursive = true,
    };

    private readonly Option<int?> _processor = new("--client-cpu")
    {
        Description = "Processor to which the clients are bound.",
        Recursive = true,
    };

    /// <summary>Adds the options to a command and to all below it.</summary>
    /// <param name="root">The command.</param>
    public void AddTo(Command root)
    {
        root.Options.Add(_endpoints);
        root.Options.Add(_connections);
        root.Options.Add(_clients);
        root.Options.Add(_serverProcess);
        root.Options.Add(_processor);
    }

    /// <summary>Reads the options.</summary>
    /// <param name="parsed">The command line.</param>
    /// <returns>Their values.</returns>
    /// <exception cref="ArgumentException">An endpoint has a wrong form, or there are less clients than connections.</exception>
    public CommonValues Read(ParseResult parsed)
    {
        var clients = parsed.GetRequiredValue(_clients);
        var connections = parsed.GetRequiredValue(_connections);
        if (connections < 1 || clients < 1)
        {
            throw new ArgumentException("--conns and --clients must be at least 1");
        }

        IPEndPoint[] endpoints = [.. parsed.GetRequiredValue(_endpoints).Split(',').Select(ParseEndpoint)];
        return new CommonValues(endpoints, Math.Min(connections, clients), clients, parsed.GetValue(_serverProcess), parsed.GetValue(_processor));
    }

    private static IPEndPoint ParseEndpoint(string text)
    {
        var bare = text.StartsWith("http://", StringComparison.OrdinalIgnoreCase) ? text["http://".Length..].TrimEnd('/') : text;
        var colon = bare.LastIndexOf(':');
        if (colon <= 0 || !ushort.TryParse(bare.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port))
        {
            throw new ArgumentException($"endpoint {text} is not HOST:PORT");
        }

        if (IPAddress.TryParse(bare[..colon], out var address))
        {
            return new IPEndPoint(address, port);
        }

        var addresses = Dns.GetHostAddresses(bare[..colon]);
        return new IPEndPoint(addresses.FirstOrDefault(static found => found.AddressFamily == AddressFamily.InterNetwork) ?? addresses[0], port);
    }
}

/// <summary>Values of <see cref="CommonOptions"/>.</summary>
/// <param name="Endpoints">Where the servers are.</param>
/// <param name="Connections">Connections, at most as many as clients.</param>
/// <param name="Clients">Clients.</param>
/// <param name="ServerProcess">The server's process, if given.</param>
/// <param name="Processor">Where the clients are bound, if given.</param>
internal sealed record CommonValues(IReadOnlyList<IPEndPoint> Endpoints, int Connections, int Clients, int? ServerProcess, int? Processor);
