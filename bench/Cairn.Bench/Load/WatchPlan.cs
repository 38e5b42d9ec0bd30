using System.Net;

namespace Cairn.Bench.Load;

/// <summary>Watchers, and the puts that they see.</summary>
internal sealed record WatchPlan
{
    /// <summary>Where the servers are.</summary>
    public required IReadOnlyList<IPEndPoint> Endpoints { get; init; }

    /// <summary>Connections of the watchers; the puts have as many of their own.</summary>
    public required int Connections { get; init; }

    /// <summary>Clients that put.</summary>
    public required int Clients { get; init; }

    /// <summary>Watch streams, spread over the connections.</summary>
    public required int Streams { get; init; }

    /// <summary>Watchers on each stream.</summary>
    public required int WatchersPerStream { get; init; }

    /// <summary>How many different keys are watched, in turn; puts go round them.</summary>
    public required int WatchedKeys { get; init; }

    /// <summary>Bytes of a key.</summary>
    public required int KeySize { get; init; }

    /// <summary>Bytes of a value, at least 8: each begins with the time at which it was due.</summary>
    public required int ValueSize { get; init; }

    /// <summary>Puts in all.</summary>
    public required long Puts { get; init; }

    /// <summary>Puts a second; 0 is no limit.</summary>
    public required double PutRate { get; init; }

    /// <summary>Whether events carry the former value.</summary>
    public bool PreviousValue { get; init; }

    /// <summary>The process whose use is measured, or null.</summary>
    public int? ServerProcess { get; init; }

    /// <summary>The processor to which the threads of the clients are bound, or null.</summary>
    public int? Processor { get; init; }
}
