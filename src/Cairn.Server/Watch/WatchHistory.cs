using Cairn.State;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.Server.Watch;

/// <summary>Reads changes that have left the ring, and rows as they were: what watchers need beside the ring.</summary>
/// <param name="state">The state; only its published view is used, so any thread may read.</param>
internal sealed class WatchHistory(StateMachine state)
{
    /// <summary>Revision that readers see.</summary>
    public long CurrentRevision => state.View.Revision;

    /// <summary>Oldest revision that can be read; -1 before the first compaction.</summary>
    public long CompactedRevision => state.View.CompactedRevision;

    /// <summary>Reads the changes that a watcher wants, from its next revision on, until a page is full.</summary>
    /// <param name="watcher">The watcher.</param>
    /// <param name="through">Last revision to look at.</param>
    /// <param name="page">Receives the changes; whole revisions only.</param>
    /// <param name="seen">Last revision that was looked at; <paramref name="through"/> if the end was reached.</param>
    /// <returns>False if a compaction took what the watcher needs: nothing in the page may be used.</returns>
    /// <exception cref="CorruptionException">A record is not what was written.</exception>
    public bool TryReadPage(Watcher watcher, long through, List<OutgoingEvent> page, out long seen)
    {
        seen = through;
        var view = state.View;
        if (watcher.Next < view.CompactedRevision)
        {
            return false;
        }

        Invariant.Holds(through <= view.Revision);
        var reader = view.ReadHistory(new Revision(watcher.Next, 0));
        var fill = new PageFill(page);
        while (reader.MoveNext())
        {
            if (reader.Revision.Main > through)
            {
                break;
            }

            if (fill.IsFullBefore(reader.Revision.Main))
            {
                seen = reader.Revision.Main - 1;
                break;
            }

            fill.Look(watcher, reader);
        }

        // The view keeps what it names readable; but what the cleaner had already left out, below a floor that was raised before, would be a gap.
        return watcher.Next >= CompactedRevision;
    }

    /// <summary>Reads a key as it was before a revision.</summary>
    /// <param name="key">The key.</param>
    /// <param name="revision">Revision of the change.</param>
    /// <returns>The row; empty if there was none, or if it was compacted.</returns>
    /// <exception cref="CorruptionException">The row is not what was written.</exception>
    public ReadOnlyMemory<byte> ReadPrevious(ReadOnlySpan<byte> key, long revision) => state.View.ReadRow(key, revision - 1);

    /// <summary>Counts what a page holds.</summary>
    private struct PageFill(List<OutgoingEvent> page)
    {
        private long _bytes;
        private long _scanned;
        private int _revisions;
        private long _lastScanned;
        private long _lastMatched;

        public readonly bool IsFullBefore(long revision) =>
            revision != _lastScanned
            && (_scanned >= WatchLimits.ScanRevisionsMax
                || _revisions >= WatchLimits.BatchRevisionsMax
                || _bytes >= WatchLimits.BatchBytesMax);

        public void Look(Watcher watcher, RevisionLogReader reader)
        {
            var revision = reader.Revision;
            _scanned += revision.Main != _lastScanned ? 1 : 0;
            _lastScanned = revision.Main;
            var isDelete = reader.Kind == RecordKind.Tombstone;
            var key = EventRow.KeyOf(reader.Payload);
            if (!watcher.WantsKind(isDelete) || !watcher.Range.Contains(key))
            {
                return;
            }

            var row = isDelete ? EventRow.EncodeDeletion(key, revision.Main) : reader.Payload.ToArray();
            page.Add(new OutgoingEvent(new StateEvent(revision, isDelete, HadPrevious: true, key.ToArray(), row), default));
            _revisions += revision.Main != _lastMatched ? 1 : 0;
            _lastMatched = revision.Main;
            _bytes += row.Length;
        }
    }
}
