using Cairn.Server.Reads;

namespace Cairn.Server.Watch;

/// <summary>Recognizes clients that saw a history which is lost, because the store was restored with its revision as it was: they would wait for its next change in silence.</summary>
/// <param name="history">What there is.</param>
/// <param name="context">Who watches.</param>
/// <param name="confirmation">Finds out how far the cluster is; null for as far as the history.</param>
internal sealed class LostHistory(WatchHistory history, RequestContext context, Confirmation? confirmation)
{
    // Nobody waits for so many changes; and no member that serves is so far behind without knowing.
    private const long FutureRevisionsMax = 1_000_000;

    /// <summary>Finds out whether a watcher can begin where it wants to. A member that is behind asks the others how far they are.</summary>
    /// <param name="start">First revision that it wants.</param>
    /// <returns>The compacted revision to tell it, if it has to look again at everything; null if it can begin.</returns>
    public async ValueTask<long?> FindCompactedAsync(long start)
    {
        var isLost = IsBeyond(start) && (confirmation is null || await confirmation.ReadAsync(context) == NodeError.None) && IsBeyond(start);
        return isLost ? history.CurrentRevision : start < history.CompactedRevision ? history.CompactedRevision : null;
    }

    private bool IsBeyond(long start) => start - FutureRevisionsMax > history.CurrentRevision;
}
