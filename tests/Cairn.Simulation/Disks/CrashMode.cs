namespace Cairn.Simulation.Disks;

/// <summary>What a power cut does to what was not synced.</summary>
public enum CrashMode
{
    /// <summary>Nothing unsynced survives: neither bytes nor names.</summary>
    Lose,

    /// <summary>Everything unsynced survives, as if the disk had just finished.</summary>
    Keep,

    /// <summary>Each sector of each unsynced write, each change of length and each name survives or not, by chance: writes are reordered and torn.</summary>
    Sectors,

    /// <summary>As <see cref="Sectors"/>, and one sector of each write is torn at a byte: its first or its second part survives.</summary>
    Bytes,

    /// <summary>
    /// As <see cref="Sectors"/>, and where bytes were to change, some sectors hold old bytes of another place of the file, or garbage, or zeros in one half.
    /// </summary>
    Stale,
}
