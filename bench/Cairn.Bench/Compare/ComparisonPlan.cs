namespace Cairn.Bench.Compare;

/// <summary>What is compared, and how often.</summary>
internal sealed record ComparisonPlan
{
    /// <summary>The two servers: the yardstick first.</summary>
    public required IReadOnlyList<Contestant> Contestants { get; init; }

    /// <summary>Members of each of the two clusters.</summary>
    public required int Members { get; init; }

    /// <summary>Where server and clients run, one after the other.</summary>
    public required IReadOnlyList<Placement> Placements { get; init; }

    /// <summary>The directory under which each server gets a data directory of its own.</summary>
    public required string WorkDirectory { get; init; }

    /// <summary>Rounds of each measure of throughput and latency; the two servers take turns, and the median counts.</summary>
    public required int Rounds { get; init; }

    /// <summary>Calls of a round of a measure of throughput.</summary>
    public long Calls { get; init; }

    /// <summary>Calls of a round of a measure with a single client.</summary>
    public long SingleCalls { get; init; }

    /// <summary>Connections.</summary>
    public required int Connections { get; init; }

    /// <summary>Clients.</summary>
    public required int Clients { get; init; }

    /// <summary>Bytes of a key.</summary>
    public required int KeySize { get; init; }

    /// <summary>Bytes of a value.</summary>
    public required int ValueSize { get; init; }

    /// <summary>Number of different keys in measures of throughput and latency.</summary>
    public required long Keys { get; init; }

    /// <summary>Puts, each of a new key, after which memory is measured.</summary>
    public long MemoryPuts { get; init; }

    /// <summary>Keys in the store when it is restarted.</summary>
    public long RestartKeys { get; init; }

    /// <summary>Rounds of restarts, and of fresh servers whose memory is measured.</summary>
    public int SlowRounds { get; init; }

    /// <summary>Puts a second of the measure of steadiness.</summary>
    public long SteadyRate { get; init; }

    /// <summary>Seconds of one round of the measure of steadiness.</summary>
    public int SteadySeconds { get; init; }

    /// <summary>Time between two compactions in the measure of steadiness.</summary>
    public TimeSpan CompactInterval { get; init; }

    /// <summary>MiB of values in the store that is saved.</summary>
    public long SaveMebibytes { get; init; }

    /// <summary>Puts a second while the store is saved.</summary>
    public long SaveRate { get; init; }
}
