using System.Net.Security;

namespace Cairn.Grpc.Calling;

/// <summary>How a channel reaches its server.</summary>
public sealed record GrpcChannelOptions
{
    /// <summary>How long connecting may take, TLS included; then the call ends with <see cref="GrpcStatusCode.Unavailable"/>.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>How long a connection with open calls may be silent before it is probed; <see cref="Timeout.InfiniteTimeSpan"/> never probes.</summary>
    /// <remarks>Not below 5 s: servers of etcd's kind end connections that probe more often.</remarks>
    public TimeSpan ProbeInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long the answer to a probe may take before the connection counts as broken, and its calls end.</summary>
    public TimeSpan ProbeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest message that is accepted, in bytes.</summary>
    public int ResponseBytesMax { get; init; } = int.MaxValue;

    /// <summary>What to present and to accept when the address is <c>https</c>; null for the system's defaults.</summary>
    public SslClientAuthenticationOptions? Tls { get; init; }

    /// <summary>Where deadlines get their time from.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
