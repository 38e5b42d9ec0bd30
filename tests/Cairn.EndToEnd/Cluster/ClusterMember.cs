using System.Net.Security;
using Cairn.Client;
using Cairn.EndToEnd.Harness;

namespace Cairn.EndToEnd.Cluster;

/// <summary>One member of a cluster on the loopback interface.</summary>
/// <param name="name">Its name.</param>
/// <param name="dataDirectory">Where its data is.</param>
internal sealed class ClusterMember(string name, string dataDirectory) : IAsyncDisposable
{
    private readonly int[] _elsewhere = Ports.Free(2);
    private int[] _ports = Ports.Free(2);
    private ClusterMember[] _told = [];
    private ProgramRun? _run;

    private string Scheme => Tls is null ? "http" : "https";

    private string ClientUrl => UrlOf("127.0.0.1", _ports[0]);

    /// <summary>Its name.</summary>
    public string Name => name;

    /// <summary>Where its data is.</summary>
    public string DataDirectory => dataDirectory;

    /// <summary>The endpoint for clients.</summary>
    public string Endpoint => EndpointOf(_ports[0]);

    /// <summary>The endpoint for clients once it has moved.</summary>
    public string EndpointElsewhere => EndpointOf(_elsewhere[0]);

    /// <summary>The URL for peers.</summary>
    public string PeerUrl => UrlOf(PeerName ?? PeerAddress, PeerPort);

    /// <summary>The name under which peers are told of it; null for its address.</summary>
    public string? PeerName { get; set; }

    /// <summary>Where it listens for peers: any address of the loopback interface.</summary>
    public string PeerAddress { get; set; } = "127.0.0.1";

    /// <summary>The port for peers.</summary>
    public int PeerPort
    {
        get => _ports[1];
        set => _ports[1] = value;
    }

    /// <summary>What its clients show, and ask of it; null without TLS.</summary>
    public SslClientAuthenticationOptions? Tls { get; set; }

    /// <summary>The program: Cairn's server unless said otherwise.</summary>
    public string Program { get; set; } = ServerBinary.Path;

    /// <summary>What starts the program: nothing, or a command whose last arguments are the program and its own.</summary>
    public IReadOnlyList<string> Starter { get; set; } = [];

    /// <summary>Variables beside ours.</summary>
    public IReadOnlyDictionary<string, string> Variables { get; set; } = new Dictionary<string, string>();

    /// <summary>Flags beside the usual ones.</summary>
    public string[] Flags { get; set; } = [];

    /// <summary>The running program.</summary>
    public ProgramRun Run => _run ?? throw new InvalidOperationException($"{name} is not started");

    /// <summary>Whether it runs.</summary>
    public bool IsRunning => _run is { Process.HasExited: false };

    /// <summary>Starts the program without waiting for it.</summary>
    /// <param name="members">The members that it is told of.</param>
    /// <param name="state">Whether they are a new or an existing cluster.</param>
    public void Launch(IEnumerable<ClusterMember> members, string state = "new")
    {
        _told = [.. members];
        Start(Settings(_told, state).SelectMany(static setting => new[] { $"--{setting.Flag}", setting.Value }), Variables);
    }

    /// <summary>As <see cref="Launch"/>, told everything by variables, as containers are.</summary>
    /// <param name="members">The members that it is told of.</param>
    /// <param name="state">Whether they are a new or an existing cluster.</param>
    public void LaunchByVariables(IEnumerable<ClusterMember> members, string state = "new") => Start(
        [],
        [.. Variables, .. Settings(members, state).Select(static setting => KeyValuePair.Create($"ETCD_{setting.Flag.ToUpperInvariant().Replace('-', '_')}", setting.Value))]);

    /// <summary>Waits until it serves.</summary>
    /// <exception cref="InvalidOperationException">It did not; what the others said may tell why.</exception>
    public async Task ReadyAsync()
    {
        try
        {
            await Run.LineAsync(static line => line.Contains("ready to serve client requests", StringComparison.Ordinal));
        }
        catch (InvalidOperationException e)
        {
            var others = _told.Where(other => other != this && other._run is not null).Select(static other => $"{other.Name} said:\n{other.Run.Said}");
            throw new InvalidOperationException($"{name} does not serve.\n{string.Join('\n', others)}", e);
        }
    }

    /// <summary>Moves to other addresses, with its disk; to be started again by the caller.</summary>
    public void Move() => _ports = _elsewhere;

    /// <summary>Loses its disk, if it has written to it.</summary>
    public void Wipe()
    {
        if (Directory.Exists(dataDirectory))
        {
            Directory.Delete(dataDirectory, recursive: true);
        }
    }

    /// <summary>Ends the program as a power cut does, but for what the system still writes.</summary>
    public Task KillAsync() => Run.KillAsync();

    /// <summary>Makes a client of this member alone.</summary>
    public CairnClient Connect() => new(new ClientOptions { Endpoints = [Endpoint], Tls = Tls, Seed = 1 });

    /// <summary>Ends the program if it runs.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_run is not null)
        {
            await _run.DisposeAsync();
        }
    }

    private (string Flag, string Value)[] Settings(IEnumerable<ClusterMember> members, string state) =>
    [
        ("name", name),
        ("data-dir", dataDirectory),
        ("listen-client-urls", ClientUrl),
        ("advertise-client-urls", ClientUrl),
        ("listen-peer-urls", UrlOf(PeerAddress, PeerPort)),
        ("initial-advertise-peer-urls", PeerUrl),
        ("initial-cluster", string.Join(',', members.Select(member => $"{member.Name}={member.PeerUrl}"))),
        ("initial-cluster-state", state),
    ];

    private void Start(IEnumerable<string> settings, IEnumerable<KeyValuePair<string, string>> variables)
    {
        string[] command = [.. Starter, Program, .. settings, .. Flags];
        _run = ProgramRun.Start(command[0], command.Skip(1), variables);
    }

    private string UrlOf(string host, int port) => $"{Scheme}://{host}:{port}";

    private string EndpointOf(int port) => Tls is null ? $"127.0.0.1:{port}" : UrlOf("127.0.0.1", port);
}
