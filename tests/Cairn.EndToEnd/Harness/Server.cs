using Cairn.Client;

namespace Cairn.EndToEnd.Harness;

/// <summary>A server of one member on free ports of the loopback interface, and its data directory.</summary>
internal sealed class Server : IAsyncDisposable
{
    private readonly int[] _ports = Ports.Free(2);
    private readonly string[] _extraArguments;
    private ProgramRun? _run;

    /// <summary>Prepares a server that is not started yet.</summary>
    /// <param name="dataDirectory">Where its data is.</param>
    /// <param name="extraArguments">Flags in addition to addresses and data directory.</param>
    public Server(string dataDirectory, params string[] extraArguments)
    {
        DataDirectory = dataDirectory;
        _extraArguments = extraArguments;
    }

    /// <summary>The program: Cairn's server unless said otherwise.</summary>
    public string Program { get; init; } = ServerBinary.Path;

    /// <summary>Variables in addition to ours.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Where its data is.</summary>
    public string DataDirectory { get; }

    /// <summary>The port for clients.</summary>
    public int ClientPort => _ports[0];

    /// <summary>The endpoint for clients, as <c>HOST:PORT</c>.</summary>
    public string Endpoint => $"127.0.0.1:{ClientPort}";

    /// <summary>The running program.</summary>
    public ProgramRun Run => _run ?? throw new InvalidOperationException("the server is not started");

    /// <summary>Those of its flags that say which cluster it founds; a restore takes the same ones.</summary>
    public IReadOnlyList<string> Founding =>
    [
        "--name", "m1",
        "--initial-advertise-peer-urls", $"http://127.0.0.1:{_ports[1]}",
        "--initial-cluster", $"m1=http://127.0.0.1:{_ports[1]}",
    ];

    /// <summary>Its flags.</summary>
    public IReadOnlyList<string> Arguments =>
    [
        "--data-dir", DataDirectory,
        "--listen-client-urls", $"http://127.0.0.1:{ClientPort}",
        "--advertise-client-urls", $"http://127.0.0.1:{ClientPort}",
        "--listen-peer-urls", $"http://127.0.0.1:{_ports[1]}",
        .. Founding,
        .. _extraArguments,
    ];

    /// <summary>Prepares and starts a server.</summary>
    /// <param name="dataDirectory">Where its data is.</param>
    /// <param name="extraArguments">Flags in addition to addresses and data directory.</param>
    /// <returns>The server, ready to serve.</returns>
    public static async Task<Server> StartAsync(string dataDirectory, params string[] extraArguments)
    {
        var server = new Server(dataDirectory, extraArguments);
        await server.StartAsync();
        return server;
    }

    /// <summary>Starts the program.</summary>
    /// <returns>When it says that it is ready to serve.</returns>
    public async Task StartAsync()
    {
        Launch();
        await Run.LineAsync(static line => line.Contains("ready to serve client requests", StringComparison.Ordinal));
    }

    /// <summary>Starts the program without waiting for it.</summary>
    public void Launch() => _run = ProgramRun.Start(Program, Arguments, Environment);

    /// <summary>Ends the program as a power cut does, but for what the system still writes.</summary>
    /// <returns>When it is gone.</returns>
    public Task KillAsync() => Run.KillAsync();

    /// <summary>Ends the program as a supervisor does.</summary>
    /// <returns>Its exit status.</returns>
    public async Task<int> StopAsync()
    {
        Signals.SendTerminate(Run.Process);
        return await Run.EndAsync();
    }

    /// <summary>Makes a client.</summary>
    /// <returns>The client, which the caller disposes.</returns>
    public CairnClient Connect() => new(new ClientOptions { Endpoints = [Endpoint], Seed = 1 });

    /// <summary>Ends the program if it runs.</summary>
    /// <returns>When it is gone.</returns>
    public async ValueTask DisposeAsync()
    {
        if (_run is not null)
        {
            await _run.DisposeAsync();
        }
    }
}
