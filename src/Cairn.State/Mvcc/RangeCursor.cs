using Cairn.Protocol;
using Cairn.Storage.Revisions;

namespace Cairn.State.Mvcc;

/// <summary>A range answered in pieces, all of one revision, in bounded memory: the rows of a piece are found when it is asked for.</summary>
/// <remarks>
/// The pieces together equal the answer in one. Revision, count and "more" are on the last piece only. Sees the index as it was, whatever is compacted
/// meanwhile; whether such an answer is still wanted is for the caller to say. Owned by the call that asked; not thread-safe.
/// </remarks>
public sealed class RangeCursor
{
    private readonly KeySpaceView _view;
    private readonly RangeRequest _request;
    private readonly long _revision;
    private readonly IndexCursor? _walk;
    private KeyHistory? _single;
    private long _count;
    private long _sent;

    private RangeCursor(KeySpaceView view, RangeRequest request, long revision)
    {
        _view = view;
        _request = request;
        _revision = revision;
        var range = KeyRange.Of(request.Key, request.RangeEnd);
        _walk = range.IsSingleKey ? null : range.Walk(view.Root);
        _single = range.IsSingleKey ? KeyIndex.Find(view.Root, range.Start.Span) : null;
    }

    /// <summary>The revision that all pieces show.</summary>
    public long PinnedRevision => _revision;

    /// <summary>Whether the last piece was taken.</summary>
    public bool IsAtEnd { get; private set; }

    internal static StoreError Open(KeySpaceView view, RangeRequest request, out RangeCursor? cursor)
    {
        var error = view.Resolve(request.Revision, out var revision);
        cursor = error == StoreError.None ? new RangeCursor(view, request, revision) : null;
        return error;
    }

    /// <summary>Takes the next piece.</summary>
    /// <param name="rowsMax">Most rows of it, at least 1.</param>
    /// <returns>The piece; the one after which <see cref="IsAtEnd"/> is set is the last.</returns>
    /// <exception cref="Cairn.Storage.CorruptionException">A row on disk is not what was written.</exception>
    public RangeResult Next(int rowsMax)
    {
        Invariant.Holds(rowsMax > 0 && !IsAtEnd);
        var rows = new List<RecordVersion>();
        while (TryNext(out var history))
        {
            if (!history.TryGetAt(_revision, out var version))
            {
                continue;
            }

            _count++;
            if (_request.CountOnly || (_request.Limit > 0 && _sent == _request.Limit))
            {
                continue;
            }

            rows.Add(version);
            _sent++;
            if (rows.Count == rowsMax)
            {
                return Piece(rows, isLast: false);
            }
        }

        IsAtEnd = true;
        return Piece(rows, isLast: true);
    }

    private bool TryNext(out KeyHistory history)
    {
        var single = _single;
        _single = null;
        var isThere = single is not null || (_walk is not null && _walk.MoveNext());
        history = isThere ? single ?? _walk!.Current : null!; // Nothing is read from it unless it is there.
        return isThere;
    }

    private RangeResult Piece(List<RecordVersion> rows, bool isLast)
    {
        var places = new RecordPlace[rows.Count];
        var stripped = _request.KeysOnly ? new byte[rows.Count][] : null;
        for (var i = 0; i < places.Length; i++)
        {
            places[i] = rows[i].Place;
            if (stripped is not null)
            {
                stripped[i] = RowCodec.WithoutValue(_view.ReadRow(rows[i]));
            }
        }

        var isCut = !_request.CountOnly && _sent < _count;
        return isLast
            ? new RangeResult(_view.Log, places, stripped, _view.Revision, _count, isCut)
            : new RangeResult(_view.Log, places, stripped, 0, 0, more: false);
    }
}
