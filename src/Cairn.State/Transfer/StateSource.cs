using Cairn.State.Mvcc;
using Cairn.Storage;
using Cairn.Storage.Revisions;

namespace Cairn.State.Transfer;

/// <summary>Reads out of a state what another member of the same history lacks.</summary>
/// <remarks>
/// Given are the rows that the index needs once the compaction is carried out, however far sweep and cleaner have come: so every member gives the same. Rows
/// that were left behind would do harm: a put whose deletion the cleaner has already dropped would come back to life. One user at a time, any thread; the
/// view keeps its files readable. Nobody waits for it.
/// </remarks>
public sealed class StateSource
{
    private readonly KeySpaceView _view;
    private readonly RevisionLogReader _rows;
    private readonly List<Revision> _kept = [];
    private long _given;

    /// <summary>Looks through the index; takes about a second for some millions of keys.</summary>
    /// <param name="view">The state.</param>
    /// <param name="baseRevision">What the other has; 0 if nothing.</param>
    public StateSource(ReadView view, long baseRevision)
    {
        ArgumentNullException.ThrowIfNull(view);
        Invariant.Holds(baseRevision >= 0 && baseRevision <= view.Revision);
        _view = view.Keys;
        BaseRevision = baseRevision;
        IsCompactedBeyondBase = baseRevision > 0 && view.CompactedRevision > baseRevision;
        _rows = view.ReadHistory(new Revision(baseRevision + 1, 0));
        Measure();
    }

    /// <summary>What the other has.</summary>
    public long BaseRevision { get; }

    /// <summary>Whether compaction left some of what the other has, so that it must be told which.</summary>
    public bool IsCompactedBeyondBase { get; }

    /// <summary>The rows up to the base that are still needed, ascending; empty unless <see cref="IsCompactedBeyondBase"/>.</summary>
    public IReadOnlyList<Revision> Kept => _kept;

    /// <summary>Rows to be given.</summary>
    public long RowCount { get; private set; }

    /// <summary>Bytes of their payloads.</summary>
    public long RowBytes { get; private set; }

    /// <summary>Kind of the row at hand.</summary>
    public RecordKind Kind => _rows.Kind;

    /// <summary>Revision of the row at hand.</summary>
    public Revision Revision => _rows.Revision;

    /// <summary>Payload of the row at hand; valid until the next move.</summary>
    public ReadOnlySpan<byte> Payload => _rows.Payload;

    /// <summary>Goes to the next row that the other lacks.</summary>
    /// <returns>False after the last.</returns>
    /// <exception cref="CorruptionException">A row on disk is not what was written, or is missing.</exception>
    public bool MoveNext()
    {
        while (_rows.MoveNext())
        {
            if (IsNeeded())
            {
                _given++;
                return true;
            }
        }

        return _given == RowCount ? false : throw new CorruptionException(
            "store", 0, $"{RowCount - _given} rows above revision {BaseRevision} that the index needs are in no segment");
    }

    private void Measure()
    {
        var cursor = new IndexCursor(_view.Root, default, default);
        while (cursor.MoveNext())
        {
            var history = cursor.Current;
            var last = history.PositionAt(_view.Revision);
            for (var i = history.DroppedBy(_view.CompactedRevision); i <= last; i++)
            {
                var version = history[i];
                if (version.Main > BaseRevision)
                {
                    RowCount++;
                    RowBytes += version.Place.Length;
                }
                else if (IsCompactedBeyondBase)
                {
                    _kept.Add(version.Revision);
                }
            }
        }

        _kept.Sort();
    }

    private bool IsNeeded()
    {
        if (!RowCodec.TryDecode(_rows.Payload, out _, out var key, out _))
        {
            throw new CorruptionException($"segment {_rows.Place.Segment}", _rows.Place.Offset, "the payload of a verified record is no row");
        }

        var history = KeyIndex.Find(_view.Root, key);
        var position = history?.PositionOf(_rows.Revision) ?? -1;
        return position >= 0 && position >= history!.DroppedBy(_view.CompactedRevision); // A position was found in it.
    }
}
