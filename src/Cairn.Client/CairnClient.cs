using Cairn.Client.Calls;
using Cairn.Grpc.Calling;
using Cairn.Protocol;

namespace Cairn.Client;

/// <summary>Makes a cluster look like one store to a program. Any thread; one for each program is enough.</summary>
/// <remarks>
/// Calls go to one member until it fails, then to the next. A call is made again only if that cannot do anything twice: reads whenever no member could
/// answer, writes only when no member saw them. Everything else is thrown as <see cref="ClientException"/>. Works with any server of etcd's v3 API.
/// </remarks>
public sealed class CairnClient : IAsyncDisposable
{
    private readonly Caller _caller;

    /// <summary>Creates a client; it connects with the first call.</summary>
    /// <param name="options">Where the cluster is.</param>
    /// <exception cref="ArgumentException">There is no endpoint, or one is malformed.</exception>
    public CairnClient(ClientOptions options)
        : this(options, address => Connect(address, options))
    {
    }

    internal CairnClient(ClientOptions options, Func<Uri, GrpcChannel> connect)
    {
        ArgumentNullException.ThrowIfNull(options);
        _caller = new Caller(options, connect);
        Kv = new KvClient(_caller);
        Watch = new WatchClient(_caller);
        Lease = new LeaseClient(_caller);
        Cluster = new ClusterClient(_caller);
        Maintenance = new MaintenanceClient(_caller);
        Auth = new AuthClient(_caller);
        Healing = new HealingClient(_caller);
    }

    /// <summary>Keys and values.</summary>
    public KvClient Kv { get; }

    /// <summary>Changes as they happen.</summary>
    public WatchClient Watch { get; }

    /// <summary>Keys that live as long as somebody says so.</summary>
    public LeaseClient Lease { get; }

    /// <summary>The members.</summary>
    public ClusterClient Cluster { get; }

    /// <summary>What operators do.</summary>
    public MaintenanceClient Maintenance { get; }

    /// <summary>Users, roles and their permissions.</summary>
    public AuthClient Auth { get; }

    /// <summary>What Cairn does about members that are lost.</summary>
    public HealingClient Healing { get; }

    /// <summary>The endpoints in use.</summary>
    public IReadOnlyList<Uri> Endpoints => _caller.Ring.Addresses;

    /// <summary>Takes the endpoints from the members that the cluster has now, learners and members that have not started excepted.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>When the endpoints are replaced; they stay if no member announces any.</returns>
    /// <exception cref="ClientException">The call failed.</exception>
    public async Task SyncEndpointsAsync(CancellationToken cancelled = default)
    {
        MemberListResponse members = await Cluster.ListAsync(cancelled: cancelled).ConfigureAwait(false);
        string[] urls = [.. members.Members.Where(static member => !member.IsLearner && member.Name.Length > 0).SelectMany(static member => member.ClientURLs)];
        if (urls.Length > 0)
        {
            _caller.Ring.Replace(urls);
        }
    }

    /// <summary>Closes all connections; calls and watchers that are open fail.</summary>
    /// <returns>When they are closed.</returns>
    public ValueTask DisposeAsync()
    {
        _caller.Dispose();
        return ValueTask.CompletedTask;
    }

    private static GrpcChannel Connect(Uri address, ClientOptions options) => new(address, new GrpcChannelOptions
    {
        ConnectTimeout = options.ConnectTimeout,
        ProbeInterval = options.ProbeInterval,
        ProbeTimeout = options.ProbeTimeout,
        Tls = options.Tls,
        Time = options.Time,
    });
}
