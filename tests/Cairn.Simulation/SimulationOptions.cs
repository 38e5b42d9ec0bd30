namespace Cairn.Simulation;

/// <summary>What a run is about; everything else follows from the seed.</summary>
internal sealed record SimulationOptions
{
    public required ulong Seed { get; init; }

    /// <summary>Size of the cluster, from 1 to 7; null leaves it to the seed.</summary>
    public int? Members { get; init; }

    /// <summary>A bug to be found.</summary>
    public Plant Plant { get; init; }

    /// <summary>Whether the run is about rot: many bits flip, and little else goes wrong.</summary>
    public bool Rots { get; init; }

    /// <summary>Whether the run is about healing: disks are wiped, rolled back and exchanged, members removed, moved, and started late.</summary>
    public bool Heals { get; init; }

    /// <summary>Where the log lines of the members go; null for nowhere.</summary>
    public TextWriter? Log { get; init; }
}

/// <summary>What a run came to.</summary>
/// <param name="Seed">Its seed.</param>
/// <param name="Mode">What it was about, as the command line says it, with a space behind it; empty for everything.</param>
/// <param name="Members">Size of its cluster.</param>
/// <param name="Failure">What was not as it must be; null if nothing.</param>
/// <param name="Trace">Digest of everything that happened: equal seeds give equal ones.</param>
/// <param name="Flips">Bits that flipped.</param>
/// <param name="Pairs">Pairs of faults, as "Wipe+Kill", the second one begun while what the first one had done was noticed, and not healed yet; with a space between.</param>
/// <param name="Lost">Committed entries that were lost with a majority of all disks, and announced.</param>
/// <param name="Lasted">Simulated time.</param>
/// <param name="Summary">Counts, for people.</param>
internal sealed record SimulationResult(ulong Seed, string Mode, int Members, string? Failure, ulong Trace, int Flips, string Pairs, int Lost, TimeSpan Lasted, string Summary);
