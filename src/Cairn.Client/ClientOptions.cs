using System.Net.Security;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Cairn.Client;

/// <summary>Where a cluster is and how to speak to it.</summary>
public sealed record ClientOptions
{
    /// <summary>Members of the cluster, as <c>HOST:PORT</c>, <c>http://HOST:PORT</c> or <c>https://HOST:PORT</c>; at least one.</summary>
    public required IReadOnlyList<string> Endpoints { get; init; }

    /// <summary>How long connecting to one endpoint may take before the next is tried.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long a call may take, all attempts together; null for no limit. Streams have none.</summary>
    public TimeSpan? CallTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection with open calls may be silent before it is probed, at least 5 s.</summary>
    public TimeSpan ProbeInterval { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long the answer to a probe may take before the connection counts as broken.</summary>
    public TimeSpan ProbeTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether members without a leader refuse calls and end streams, so that another member is tried.</summary>
    public bool RequireLeader { get; init; }

    /// <summary>Name of the user, or null if the store asks for none.</summary>
    public string? UserName { get; init; }

    /// <summary>Password of the user.</summary>
    public string Password { get; init; } = "";

    /// <summary>A token that is sent as it is, such as a JWT, instead of a name and a password; or null.</summary>
    public string? Token { get; init; }

    /// <summary>What to present and to accept over TLS; null for the system's defaults.</summary>
    public SslClientAuthenticationOptions? Tls { get; init; }

    /// <summary>Where time comes from.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Seeds what is left to chance: which endpoint comes first, and how long pauses are. Clients should differ.</summary>
    public ulong Seed { get; init; } = (ulong)System.Security.Cryptography.RandomNumberGenerator.GetInt32(int.MaxValue);

    /// <summary>Gets reports of endpoints that fail.</summary>
    public ILogger Logger { get; init; } = NullLogger.Instance;
}
