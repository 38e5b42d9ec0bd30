using System.Collections.Immutable;

namespace Cairn.Grpc.Calling;

/// <summary>Servers of which each can answer: one is used until it fails, then the next. Any thread.</summary>
public sealed class EndpointRing : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Func<Uri, GrpcChannel> _connect;
    private ImmutableArray<GrpcChannel> _channels;
    private ImmutableArray<GrpcChannel> _asides = [];
    private int _current;

    /// <summary>Creates the ring; nothing is connected yet.</summary>
    /// <param name="endpoints">The servers, at least one.</param>
    /// <param name="connect">Makes the channel of an endpoint.</param>
    /// <param name="first">Says, of so many, which comes first, so that clients spread over them.</param>
    /// <exception cref="ArgumentException">There is no endpoint, or one is malformed.</exception>
    public EndpointRing(IEnumerable<string> endpoints, Func<Uri, GrpcChannel> connect, Func<int, int> first)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(connect);
        ArgumentNullException.ThrowIfNull(first);
        _connect = connect;
        _channels = [.. endpoints.Select(Parse).Distinct().Select(connect)];
        if (_channels.IsEmpty)
        {
            throw new ArgumentException("at least one endpoint is needed", nameof(endpoints));
        }

        _current = first(_channels.Length);
    }

    /// <summary>Number of servers.</summary>
    public int Count => _channels.Length;

    /// <summary>Addresses of the servers.</summary>
    public IReadOnlyList<Uri> Addresses => [.. _channels.Select(static channel => channel.Address)];

    /// <summary>The server in use.</summary>
    public GrpcChannel Current
    {
        get
        {
            lock (_lock)
            {
                return _channels[_current];
            }
        }
    }

    /// <summary>Leaves a server that failed, unless another caller has done so before.</summary>
    /// <param name="failed">The server.</param>
    public void Leave(GrpcChannel failed)
    {
        lock (_lock)
        {
            if (_channels[_current] == failed)
            {
                _current = (_current + 1) % _channels.Length;
            }
        }
    }

    /// <summary>Finds the server with an address, or connects to it aside from the ring.</summary>
    /// <param name="endpoint">The address.</param>
    /// <returns>Its channel.</returns>
    public GrpcChannel At(string endpoint)
    {
        Uri address = Parse(endpoint);
        lock (_lock)
        {
            GrpcChannel? known = _channels.Concat(_asides).FirstOrDefault(channel => channel.Address == address);
            if (known is null)
            {
                known = _connect(address);
                _asides = _asides.Add(known);
            }

            return known;
        }
    }

    /// <summary>Replaces the servers. Channels of those that stay are kept; the others are closed.</summary>
    /// <param name="endpoints">The servers, at least one.</param>
    public void Replace(IEnumerable<string> endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ImmutableArray<Uri> wanted = [.. endpoints.Select(Parse).Distinct()];
        Invariant.Holds(!wanted.IsEmpty);
        ImmutableArray<GrpcChannel> gone;
        lock (_lock)
        {
            GrpcChannel current = _channels[_current];
            gone = _channels.RemoveAll(channel => wanted.Contains(channel.Address));
            _channels = [.. wanted.Select(address => _channels.FirstOrDefault(channel => channel.Address == address) ?? _connect(address))];
            _current = Math.Max(0, _channels.IndexOf(current));
        }

        foreach (GrpcChannel channel in gone)
        {
            channel.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (GrpcChannel channel in _channels.Concat(_asides))
        {
            channel.Dispose();
        }
    }

    /// <summary>Reads an endpoint in any of its spellings.</summary>
    /// <param name="endpoint">Such as <c>127.0.0.1:2379</c> or <c>https://node:2379</c>.</param>
    /// <returns>The address, without a path.</returns>
    /// <exception cref="ArgumentException">The text is no endpoint.</exception>
    public static Uri Parse(string endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        string text = endpoint.Contains("://", StringComparison.Ordinal) ? endpoint : $"http://{endpoint}";
        return Uri.TryCreate(text, UriKind.Absolute, out Uri? address) && address.Scheme is "http" or "https"
            ? new Uri(address.GetLeftPart(UriPartial.Authority))
            : throw new ArgumentException($"{endpoint} is not an endpoint", nameof(endpoint));
    }
}
