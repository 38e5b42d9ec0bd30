using System.Net;

namespace Cairn.Bench.Load;

/// <summary>How much load, from how many clients, how fast.</summary>
internal sealed record LoadPlan
{
    /// <summary>Where the servers are; connections go round them.</summary>
    public required IReadOnlyList<IPEndPoint> Endpoints { get; init; }

    /// <summary>Connections, at least 1.</summary>
    public required int Connections { get; init; }

    /// <summary>Clients, each with one call at a time, spread over the connections; at least as many as connections.</summary>
    public required int Clients { get; init; }

    /// <summary>Requests in all.</summary>
    public long Total { get; init; } = long.MaxValue;

    /// <summary>When to stop although <see cref="Total"/> is not reached; <see cref="TimeSpan.MaxValue"/> for never.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.MaxValue;

    /// <summary>Requests a second, or 0 for as fast as the clients can. With a rate, latency counts from when a request was due, so that a server
    /// that stands still is charged for all that had to wait.</summary>
    public double Rate { get; init; }

    /// <summary>The processor to which the threads of the clients are bound, or null.</summary>
    public int? Processor { get; init; }

    /// <summary>The processes whose use is measured.</summary>
    public IReadOnlyList<int> ServerProcesses { get; init; } = [];

    /// <summary>Number of the first request, so that a run can go on where another ended.</summary>
    public long FirstSequence { get; init; }
}
