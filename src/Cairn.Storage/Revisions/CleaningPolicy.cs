namespace Cairn.Storage.Revisions;

/// <summary>When a segment is worth cleaning.</summary>
public sealed record CleaningPolicy
{
    /// <summary>
    /// Per cent of a segment, from 1 to 100, that must be dead. Low when room is short, high when it is not: at 50, the files take at most about twice what lives,
    /// and each byte cleaned frees one.
    /// </summary>
    public int DeadPercentMin { get; init; } = 50;

    /// <summary>Segments emptied into one output, from 2; each costs one read buffer meanwhile.</summary>
    public int VictimsMax { get; init; } = 16;
}
