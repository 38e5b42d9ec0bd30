namespace Cairn.Simulation.Histories;

/// <summary>A hash of the key space that a member told.</summary>
/// <param name="Member">Its name.</param>
/// <param name="Revision">The revision up to which it goes.</param>
/// <param name="Compacted">The compaction that it is of.</param>
/// <param name="Hash">The hash.</param>
internal sealed record HashRecord(string Member, long Revision, long Compacted, uint Hash);
