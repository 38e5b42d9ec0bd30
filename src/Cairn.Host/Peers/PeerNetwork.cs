using System.Collections.Concurrent;
using Cairn.Server;
using Cairn.Server.Peers;

namespace Cairn.Host.Peers;

/// <summary>Dials the other members: for each link the two streams from which this member receives, and the requests of the pipeline.</summary>
/// <remarks>Thread-safe. Everything ends with <see cref="DisposeAsync"/>.</remarks>
internal sealed class PeerNetwork : IAsyncDisposable
{
    private readonly PeerHttp _http;
    private readonly PeerLinks _links;
    private readonly string _ownUrls;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<PeerLink, PeerDialler> _diallers = new();

    // Elections take more than one member. Begun with the first link, it is done before the first of them.
    private readonly Lazy<Task> _compiling = new(static () => Task.Run(CompiledAhead.Prepare));
    private Node? _node;

    /// <param name="http">Dials.</param>
    /// <param name="links">The links to be served.</param>
    /// <param name="ownUrls">Peer URLs of this member.</param>
    /// <param name="time">Source of time.</param>
    /// <param name="logger">Where log lines go.</param>
    public PeerNetwork(PeerHttp http, PeerLinks links, IReadOnlyList<string> ownUrls, TimeProvider time, ILogger logger)
    {
        _http = http;
        _links = links;
        _ownUrls = string.Join(',', ownUrls);
        _time = time;
        _logger = logger;
    }

    /// <summary>Serves all links from now on.</summary>
    /// <param name="node">The node.</param>
    public void Start(Node node)
    {
        _node = node;
        _http.Introduce = request => PeerHeaders.Introduce(request, node, _ownUrls);
        _links.Opened += Open;
        _links.Closed += Close;
        foreach (PeerLink link in _links.All)
        {
            Open(link);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _links.Opened -= Open;
        _links.Closed -= Close;
        _links.Close();
        foreach (PeerDialler dialler in _diallers.Values)
        {
            await dialler.DisposeAsync();
        }

        if (_compiling.IsValueCreated)
        {
            await _compiling.Value;
        }
    }

    private void Open(PeerLink link)
    {
        _ = _compiling.Value;
        var dialler = new PeerDialler(_http, link, _node!, _ownUrls, _time, _logger);
        if (_diallers.TryAdd(link, dialler))
        {
            dialler.Start();
        }
    }

    private void Close(PeerLink link)
    {
        if (_diallers.TryRemove(link, out PeerDialler? dialler))
        {
            _ = dialler.DisposeAsync().AsTask();
        }
    }
}
