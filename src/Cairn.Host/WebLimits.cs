namespace Cairn.Host;

/// <summary>Limits of the connections of clients.</summary>
internal sealed record WebLimits
{
    /// <summary>Most streams of one connection.</summary>
    public required long ConcurrentStreamsMax { get; init; }

    /// <summary>Interval of pings to idle clients; zero is off.</summary>
    public required TimeSpan KeepAliveInterval { get; init; }

    /// <summary>How long a ping may go unanswered.</summary>
    public required TimeSpan KeepAliveTimeout { get; init; }

    /// <summary>Whether several processes may listen on the same port.</summary>
    public bool ReusePort { get; init; }
}
