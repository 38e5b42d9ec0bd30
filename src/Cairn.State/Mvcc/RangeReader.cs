using Cairn.Protocol;
using Cairn.Storage.Revisions;
using SortOrder = Cairn.Protocol.RangeRequest.Types.SortOrder;
using SortTarget = Cairn.Protocol.RangeRequest.Types.SortTarget;

namespace Cairn.State.Mvcc;

/// <summary>Answers a range request from a view: fetch, filter, sort, cut, in this order.</summary>
/// <remarks>
/// The limit ends the fetch early only if nothing is filtered and no order was asked for; the count is always that of the whole range. Rows are read for
/// what the index does not know (values), and never for a count. Source: etcd server/etcdserver/txn/txn.go (executeRange).
/// </remarks>
internal sealed class RangeReader
{
    private readonly KeySpaceView _view;
    private readonly RangeRequest _request;
    private readonly long _revision;
    private readonly List<RangeRow> _rows = [];
    private long _count;

    private RangeReader(KeySpaceView view, RangeRequest request, long revision)
    {
        _view = view;
        _request = request;
        _revision = revision;
    }

    /// <summary>Answers a request.</summary>
    /// <param name="view">What to read; its revision is the one in the answer's header.</param>
    /// <param name="request">A validated request.</param>
    /// <param name="result">The answer; empty after an error.</param>
    /// <returns>None, Compacted or FutureRevision.</returns>
    public static StoreError Read(KeySpaceView view, RangeRequest request, out RangeResult result)
    {
        result = RangeResult.Empty;
        var error = view.Resolve(request.Revision, out var revision);
        if (error != StoreError.None)
        {
            return error;
        }

        var reader = new RangeReader(view, request, revision);
        result = reader.Run();
        return StoreError.None;
    }

    private bool IsFiltered =>
        _request.MinModRevision != 0 || _request.MaxModRevision != 0 || _request.MinCreateRevision != 0 || _request.MaxCreateRevision != 0;

    private RangeResult Run()
    {
        Fetch();
        if (IsFiltered)
        {
            _rows.RemoveAll(row => !Passes(row));
        }

        Sort();
        var isCut = _request.Limit > 0 && _rows.Count > _request.Limit;
        if (isCut)
        {
            _rows.RemoveRange((int)_request.Limit, _rows.Count - (int)_request.Limit);
        }

        return new RangeResult(_view.Log, Places(), WithoutValues(), _view.Revision, _count, isCut);
    }

    private void Fetch()
    {
        var range = KeyRange.Of(_request.Key, _request.RangeEnd);
        if (range.IsSingleKey)
        {
            if (KeyIndex.Find(_view.Root, range.Start.Span) is { } history)
            {
                Consider(history, room: 1);
            }

            return;
        }

        var room = Room();
        var cursor = range.Walk(_view.Root);
        while (cursor.MoveNext())
        {
            Consider(cursor.Current, room);
        }
    }

    /// <summary>How many rows are fetched at most: one more than asked for tells that there is more.</summary>
    private long Room() =>
        _request.SortOrder == SortOrder.None && !IsFiltered && _request.Limit > 0 && _request.Limit < long.MaxValue ? _request.Limit + 1 : long.MaxValue;

    private void Consider(KeyHistory history, long room)
    {
        var position = history.PositionSeenAt(_revision);
        if (position < 0)
        {
            return;
        }

        _count++;
        if (!_request.CountOnly && _rows.Count < room)
        {
            _rows.Add(new RangeRow(history, position));
        }
    }

    private bool Passes(RangeRow row)
    {
        var mod = row.Version.Main;
        if ((_request.MaxModRevision != 0 && mod > _request.MaxModRevision) || (_request.MinModRevision != 0 && mod < _request.MinModRevision))
        {
            return false;
        }

        if (_request.MaxCreateRevision == 0 && _request.MinCreateRevision == 0)
        {
            return true;
        }

        var created = row.Numbers.CreateRevision;
        return (_request.MaxCreateRevision == 0 || created <= _request.MaxCreateRevision)
            && (_request.MinCreateRevision == 0 || created >= _request.MinCreateRevision);
    }

    /// <summary>Sorts; rows that are equal stay in the order of their keys.</summary>
    private void Sort()
    {
        var isDescending = _request.SortOrder == SortOrder.Descend;
        if (_request.SortTarget == SortTarget.Key)
        {
            if (isDescending)
            {
                _rows.Reverse();
            }

            return;
        }

        var sign = isDescending ? -1 : 1;
        if (_request.SortTarget == SortTarget.Value)
        {
            var values = _rows.ConvertAll(row => (Row: row, Value: ValueOf(row)));
            var byValue = Comparer<byte[]>.Create((left, right) => sign * left.AsSpan().SequenceCompareTo(right));
            Replace(values.OrderBy(each => each.Value, byValue).Select(each => each.Row));
            return;
        }

        var keyed = _rows.ConvertAll(row => (Row: row, Field: SortField(row)));
        Replace(keyed.OrderBy(each => each.Field, Comparer<long>.Create((left, right) => sign * left.CompareTo(right))).Select(each => each.Row));
    }

    private long SortField(RangeRow row) => _request.SortTarget switch
    {
        SortTarget.Mod => row.Version.Main,
        SortTarget.Version => row.Numbers.Version,
        SortTarget.Create => row.Numbers.CreateRevision,
        _ => throw Invariant.Unreachable($"sort target {_request.SortTarget} passed validation"),
    };

    private void Replace(IEnumerable<RangeRow> sorted)
    {
        RangeRow[] rows = [.. sorted];
        _rows.Clear();
        _rows.AddRange(rows);
    }

    private byte[] ValueOf(RangeRow row)
    {
        Invariant.Holds(RowCodec.TryDecode(_view.ReadRow(row.Version), out _, out _, out var value));
        return value.ToArray();
    }

    private RecordPlace[] Places()
    {
        var places = new RecordPlace[_rows.Count];
        for (var i = 0; i < places.Length; i++)
        {
            places[i] = _rows[i].Version.Place;
        }

        return places;
    }

    private byte[][]? WithoutValues()
    {
        if (!_request.KeysOnly)
        {
            return null;
        }

        var rows = new byte[_rows.Count][];
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = RowCodec.WithoutValue(_view.ReadRow(_rows[i].Version));
        }

        return rows;
    }

    private readonly record struct RangeRow(KeyHistory History, int Position)
    {
        public RecordVersion Version => History[Position];

        public RecordNumbers Numbers => History.NumbersAt(Position);
    }
}
