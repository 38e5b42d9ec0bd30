using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Mvcc;

/// <summary>Tells a cleaner which records are needed, and takes its moves over into the index: all moves of one key at once.</summary>
/// <remarks>
/// Older views keep the old places, which their view of the log keeps readable; so a moved row gives its key a new history. Keys with very many versions
/// make copying a history per row too dear, hence the grouping.
/// </remarks>
internal sealed class MoveCollector
{
    private readonly KeyIndex _index;
    private readonly Dictionary<KeyHistory, List<RecordMove>> _moves = new(ReferenceEqualityComparer.Instance);

    private MoveCollector(KeyIndex index) => _index = index;

    /// <summary>Runs something that reports moves, then takes them over.</summary>
    public static void Run(KeyIndex index, Action<RecordMover> reporter)
    {
        var collector = new MoveCollector(index);
        reporter(collector.TryNote);
        foreach (var (history, moves) in collector._moves)
        {
            index.Replace(history.With(moves));
        }
    }

    /// <summary>Makes the question that a cleaner asks of each record.</summary>
    /// <param name="root">The index to ask.</param>
    /// <param name="keepTombstonesAfter">Tombstones above this revision are kept even if the index has forgotten them.</param>
    public static RecordLookup LookupIn(Func<IndexNode> root, long keepTombstonesAfter) =>
        (kind, revision, place, payload) =>
        {
            if (!RowCodec.TryDecode(payload, out _, out var key, out _))
            {
                throw new CorruptionException($"segment {place.Segment}", place.Offset, "the payload of a verified record is no row");
            }

            var history = KeyIndex.Find(root(), key);
            var position = history?.PositionOf(revision) ?? -1;
            if (position >= 0)
            {
                return history![position].Place == place ? key.ToArray() : null; // A position was found in it.
            }

            return kind == RecordKind.Tombstone && revision.Main > keepTombstonesAfter ? key.ToArray() : null;
        };

    private bool TryNote(in RecordMove move)
    {
        var history = _index.Find((byte[])move.Handle);
        var position = history?.PositionOf(move.Revision) ?? -1;
        if (history is null || position < 0 || history[position].Place != move.From)
        {
            return false;
        }

        if (!_moves.TryGetValue(history, out var moves))
        {
            _moves.Add(history, moves = []);
        }

        moves.Add(move);
        return true;
    }
}
