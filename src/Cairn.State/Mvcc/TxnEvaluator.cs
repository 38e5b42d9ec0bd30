using Cairn.Protocol;
using Cairn.State.Lease;

namespace Cairn.State.Mvcc;

/// <summary>The half of a transaction that changes nothing: which branches are taken, and whether everything in them can be done.</summary>
/// <remarks>
/// <para>
/// All branches, nested ones too, are chosen on the state before the transaction. Then every operation of the chosen ones is checked; only if all can be
/// done does the first write happen. So a transaction never fails half-way, and its outcome never depends on how far this member swept a compaction.
/// </para>
/// <para>Source: etcd server/etcdserver/txn/txn.go (compareToPath, checkTxn), v3.6.14.</para>
/// </remarks>
internal sealed class TxnEvaluator
{
    private readonly KeySpaceView _view;
    private readonly LeaseTable _leases;
    private readonly Queue<bool> _path = new();
    private readonly List<KeyRange> _deletedBefore = [];

    private TxnEvaluator(KeySpaceView view, LeaseTable leases)
    {
        _view = view;
        _leases = leases;
    }

    /// <summary>Whether a transaction only reads, whichever branch it takes. One that holds a transaction counts as writing.</summary>
    public static bool IsReadOnly(TxnRequest request) =>
        request.Success.All(operation => operation.RequestCase == RequestOp.RequestOneofCase.RequestRange)
        && request.Failure.All(operation => operation.RequestCase == RequestOp.RequestOneofCase.RequestRange);

    /// <summary>Chooses the branches and checks them.</summary>
    /// <param name="view">The state before the transaction.</param>
    /// <param name="leases">The leases before it.</param>
    /// <param name="request">A validated request.</param>
    /// <param name="path">For each transaction met on the way, in the order of execution, whether its comparisons hold.</param>
    /// <returns>The first refusal, or None.</returns>
    public static StoreError Evaluate(KeySpaceView view, LeaseTable leases, TxnRequest request, out Queue<bool> path)
    {
        var evaluator = new TxnEvaluator(view, leases);
        evaluator.Choose(request);
        path = new Queue<bool>(evaluator._path);
        return evaluator.Check(request);
    }

    private void Choose(TxnRequest request)
    {
        var holds = request.Compare.All(Holds);
        _path.Enqueue(holds);
        foreach (var operation in holds ? request.Success : request.Failure)
        {
            if (operation.RequestCase == RequestOp.RequestOneofCase.RequestTxn)
            {
                Choose(operation.RequestTxn);
            }
        }
    }

    private StoreError Check(TxnRequest request)
    {
        foreach (var operation in _path.Dequeue() ? request.Success : request.Failure)
        {
            var error = operation.RequestCase switch
            {
                RequestOp.RequestOneofCase.RequestRange => Check(operation.RequestRange),
                RequestOp.RequestOneofCase.RequestPut => Check(operation.RequestPut),
                RequestOp.RequestOneofCase.RequestDeleteRange => Note(operation.RequestDeleteRange),
                RequestOp.RequestOneofCase.RequestTxn => Check(operation.RequestTxn),
                _ => StoreError.None,
            };
            if (error != StoreError.None)
            {
                return error;
            }
        }

        return StoreError.None;
    }

    private StoreError Check(RangeRequest request)
    {
        if (request.Revision == 0)
        {
            return StoreError.None;
        }

        return request.Revision > _view.Revision ? StoreError.FutureRevision
            : request.Revision < _view.CompactedRevision ? StoreError.Compacted : StoreError.None;
    }

    private StoreError Check(PutRequest request)
    {
        if ((request.IgnoreValue || request.IgnoreLease) && !WillExist(request))
        {
            return StoreError.KeyNotFound;
        }

        return request.Lease != 0 && !_leases.Contains(request.Lease) ? StoreError.LeaseNotFound : StoreError.None;
    }

    /// <summary>Whether a key whose value or lease is to be kept will be there when its turn comes.</summary>
    /// <remarks>etcd does not look at the deletions in front, and ends its process when the put then fails.</remarks>
    private bool WillExist(PutRequest request) =>
        _view.TryFind(request.Key.Span, _view.Revision, out _)
        && !_deletedBefore.Exists(range => range.Contains(request.Key.Span));

    private StoreError Note(DeleteRangeRequest request)
    {
        _deletedBefore.Add(KeyRange.Of(request.Key, request.RangeEnd));
        return StoreError.None;
    }

    private bool Holds(Compare compare)
    {
        var range = KeyRange.Of(compare.Key, compare.RangeEnd);
        if (range.IsSingleKey)
        {
            var position = _view.Locate(range.Start.Span, _view.Revision, out var history);
            return position >= 0 ? Holds(compare, history!, position) : HoldsForNoKey(compare); // Located: there is a history.
        }

        var isAnyKey = false;
        var cursor = range.Walk(_view.Root);
        while (cursor.MoveNext())
        {
            var position = cursor.Current.PositionSeenAt(_view.Revision);
            if (position < 0)
            {
                continue;
            }

            isAnyKey = true;
            if (!Holds(compare, cursor.Current, position))
            {
                return false;
            }
        }

        return isAnyKey || HoldsForNoKey(compare);
    }

    /// <summary>A key that does not exist has zero for every number, but no value, not even an empty one.</summary>
    private static bool HoldsForNoKey(Compare compare) =>
        compare.Target != Compare.Types.CompareTarget.Value && Holds(compare, default, default);

    private bool Holds(Compare compare, KeyHistory history, int position)
    {
        var version = history[position];
        if (compare.Target == Compare.Types.CompareTarget.Value || (compare.Target == Compare.Types.CompareTarget.Lease && version.HasLease))
        {
            Invariant.Holds(RowCodec.TryDecode(_view.ReadRow(version), out var fields, out _, out var value));
            return Holds(compare, fields, value);
        }

        var numbers = history.NumbersAt(position);
        return Holds(compare, new RowFields(numbers.CreateRevision, version.Main, numbers.Version, 0), default);
    }

    private static bool Holds(Compare compare, RowFields fields, ReadOnlySpan<byte> value)
    {
        // An operand of another kind than the target counts as zero, or as empty; the generated accessors answer just that.
        var order = compare.Target switch
        {
            Compare.Types.CompareTarget.Value => value.SequenceCompareTo(compare.Value.Span),
            Compare.Types.CompareTarget.Create => fields.CreateRevision.CompareTo(compare.CreateRevision),
            Compare.Types.CompareTarget.Mod => fields.ModRevision.CompareTo(compare.ModRevision),
            Compare.Types.CompareTarget.Version => fields.Version.CompareTo(compare.Version),
            Compare.Types.CompareTarget.Lease => fields.Lease.CompareTo(compare.Lease),
            _ => 0,
        };
        return compare.Result switch
        {
            Compare.Types.CompareResult.Equal => order == 0,
            Compare.Types.CompareResult.NotEqual => order != 0,
            Compare.Types.CompareResult.Greater => order > 0,
            Compare.Types.CompareResult.Less => order < 0,
            _ => true,
        };
    }
}
