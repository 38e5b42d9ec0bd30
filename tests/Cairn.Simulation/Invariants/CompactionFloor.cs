using Cairn.Simulation.Histories;

namespace Cairn.Simulation.Invariants;

/// <summary>History is gone only where somebody asked for that.</summary>
/// <remarks>Source: etcd server/storage/mvcc/kvstore.go: a read below the compacted revision is refused, one at it is not.</remarks>
internal static class CompactionFloor
{
    public static string? Check(History history)
    {
        var refused = history.Operations.Find(operation =>
            operation.CompactedRevision > 0 && !WasAsked(history, operation.CompactedRevision, operation.Returned));
        if (refused is not null)
        {
            return $"{refused} was refused as compacted, which nobody asked for";
        }

        var gap = history.Watches.SelectMany(watch => watch.Gaps).FirstOrDefault(gap => !WasAsked(history, gap.Last, long.MaxValue));
        return gap == default ? null : $"a watch was told that {gap} is compacted, which nobody asked for";
    }

    private static bool WasAsked(History history, long revision, long before) =>
        history.Compactions.Exists(compaction => compaction.Revision > revision && compaction.Invoked < before);
}
