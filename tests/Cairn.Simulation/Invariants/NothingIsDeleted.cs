using Cairn.Server;
using Cairn.Simulation.Disks;

namespace Cairn.Simulation.Invariants;

/// <summary>What healing moves aside is in quarantine: whoever starts as another member still has the log of the one that it was.</summary>
/// <remarks>Source: docs/HEALING.md, "Data is moved, never deleted".</remarks>
internal static class NothingIsDeleted
{
    public static string? Check(ulong before, SimulatedDisk disk) =>
        before == 0 || disk.Files.Any(static path => path.StartsWith(DataDirectory.Quarantine, StringComparison.Ordinal) && path.EndsWith(".wal", StringComparison.Ordinal))
            ? null
            : $"was member {before:x}, and its log is not in quarantine";
}
