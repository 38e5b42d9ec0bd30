using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.State;

/// <summary>What can be said of a request without looking at the state: checked before it is proposed, in etcd's order.</summary>
/// <remarks>Pure functions. Source: etcd server/etcdserver/api/v3rpc/key.go (v3.6.14).</remarks>
public static class RequestValidation
{
    /// <summary>Checks a range request.</summary>
    /// <param name="request">The request.</param>
    /// <returns>None, EmptyKey or InvalidSortOption.</returns>
    public static StoreError Check(RangeRequest request)
    {
        if (request.Key.IsEmpty)
        {
            return StoreError.EmptyKey;
        }

        return request.SortOrder is >= RangeRequest.Types.SortOrder.None and <= RangeRequest.Types.SortOrder.Descend
            && request.SortTarget is >= RangeRequest.Types.SortTarget.Key and <= RangeRequest.Types.SortTarget.Value
            ? StoreError.None
            : StoreError.InvalidSortOption;
    }

    /// <summary>Checks a put request.</summary>
    /// <param name="request">The request.</param>
    /// <returns>None, EmptyKey, ValueProvided or LeaseProvided.</returns>
    public static StoreError Check(PutRequest request)
    {
        if (request.Key.IsEmpty)
        {
            return StoreError.EmptyKey;
        }

        if (request.IgnoreValue && !request.Value.IsEmpty)
        {
            return StoreError.ValueProvided;
        }

        return request.IgnoreLease && request.Lease != 0 ? StoreError.LeaseProvided : StoreError.None;
    }

    /// <summary>Checks a delete request.</summary>
    /// <param name="request">The request.</param>
    /// <returns>None or EmptyKey.</returns>
    public static StoreError Check(DeleteRangeRequest request) => request.Key.IsEmpty ? StoreError.EmptyKey : StoreError.None;

    /// <summary>Checks a transaction: sizes and fields first, then that no key is changed twice.</summary>
    /// <param name="request">The request.</param>
    /// <param name="operationsMax">Most comparisons or operations of one list; a nested transaction has what its parents left.</param>
    /// <returns>None or the first refusal.</returns>
    public static StoreError Check(TxnRequest request, int operationsMax)
    {
        var error = CheckOperations(request, operationsMax);
        if (error != StoreError.None)
        {
            return error;
        }

        return TouchedKeys.Collect(request.Success, out _) && TouchedKeys.Collect(request.Failure, out _) ? StoreError.None : StoreError.DuplicateKey;
    }

    /// <summary>Checks an alarm request: one that nobody knows may be asked for, and taken back, but not raised.</summary>
    /// <param name="request">The request.</param>
    /// <returns>None or InvalidAlarm.</returns>
    public static StoreError Check(AlarmRequest request) =>
        request.Action is >= AlarmRequest.Types.AlarmAction.Get and <= AlarmRequest.Types.AlarmAction.Deactivate
        && (request.Action != AlarmRequest.Types.AlarmAction.Activate || request.Alarm is >= AlarmType.None and <= AlarmType.Corrupt)
            ? StoreError.None
            : StoreError.InvalidAlarm;

    /// <summary>Whether a transaction can be answered by reading alone, without the log.</summary>
    /// <param name="request">The request.</param>
    /// <returns>True if both branches hold nothing but ranges; true for the empty transaction.</returns>
    public static bool IsReadOnly(TxnRequest request) => Mvcc.TxnEvaluator.IsReadOnly(request);

    /// <summary>Whether a read-only transaction asks for no more than local, possibly stale, state.</summary>
    /// <param name="request">The request.</param>
    /// <returns>True if every range of both branches is serializable; true for the empty transaction.</returns>
    public static bool IsSerializable(TxnRequest request) =>
        request.Success.Concat(request.Failure).All(operation => operation.RequestRange is { Serializable: true });

    /// <summary>What a put weighs against the space quota.</summary>
    /// <param name="request">The request.</param>
    /// <returns>Bytes.</returns>
    public static long Cost(PutRequest request)
    {
        const int Overhead = 256; // etcd's allowance for what a key costs beside its bytes.
        return Overhead + request.Key.Length + request.Value.Length;
    }

    /// <summary>What a transaction weighs against the space quota: the puts of its heavier branch, nested ones included.</summary>
    /// <param name="request">The request.</param>
    /// <returns>Bytes; 0 if it puts nothing.</returns>
    public static long Cost(TxnRequest request) => Math.Max(request.Success.Sum(Cost), request.Failure.Sum(Cost));

    private static long Cost(RequestOp operation) => operation.RequestCase switch
    {
        RequestOp.RequestOneofCase.RequestPut => Cost(operation.RequestPut),
        RequestOp.RequestOneofCase.RequestTxn => Cost(operation.RequestTxn),
        _ => 0,
    };

    private static StoreError CheckOperations(TxnRequest request, int operationsMax)
    {
        var widest = Math.Max(request.Compare.Count, Math.Max(request.Success.Count, request.Failure.Count));
        if (widest > operationsMax)
        {
            return StoreError.TooManyOperations;
        }

        foreach (var compare in request.Compare)
        {
            if (compare.Key.IsEmpty)
            {
                return StoreError.EmptyKey;
            }
        }

        foreach (var operation in request.Success.Concat(request.Failure))
        {
            var error = Check(operation, operationsMax - widest);
            if (error != StoreError.None)
            {
                return error;
            }
        }

        return StoreError.None;
    }

    private static StoreError Check(RequestOp operation, int operationsMax) => operation.RequestCase switch
    {
        RequestOp.RequestOneofCase.RequestRange => Check(operation.RequestRange),
        RequestOp.RequestOneofCase.RequestPut => Check(operation.RequestPut),
        RequestOp.RequestOneofCase.RequestDeleteRange => Check(operation.RequestDeleteRange),
        RequestOp.RequestOneofCase.RequestTxn => CheckOperations(operation.RequestTxn, operationsMax),

        // An operation with nothing in it: etcd answers "key not found".
        _ => StoreError.KeyNotFound,
    };

    /// <summary>The keys that one branch puts, and the ranges it deletes.</summary>
    /// <remarks>
    /// Nested deletions are held only against puts of the parent and of later siblings, and a range whose end is not after its key (a from-key range
    /// included) against nothing: what etcd accepts is accepted.
    /// </remarks>
    private sealed class TouchedKeys
    {
        private readonly HashSet<ByteString> _puts = [];
        private readonly List<(ByteString Begin, ByteString End)> _deleted = [];
        private List<(ByteString Begin, ByteString End)>? _merged;

        /// <summary>Collects what a list of operations touches.</summary>
        /// <returns>False if some key would be changed twice.</returns>
        public static bool Collect(IEnumerable<RequestOp> operations, out TouchedKeys touched)
        {
            touched = new TouchedKeys();
            var list = operations as IReadOnlyList<RequestOp> ?? [.. operations];
            foreach (var operation in list)
            {
                touched.NoteDeletion(operation.RequestDeleteRange);
            }

            foreach (var operation in list)
            {
                if (operation.RequestTxn is { } nested && !touched.TryAdopt(nested))
                {
                    return false;
                }
            }

            foreach (var operation in list)
            {
                if (operation.RequestPut is { } put && !touched.TryPut(put.Key))
                {
                    return false;
                }
            }

            return true;
        }

        private void NoteDeletion(DeleteRangeRequest? request)
        {
            if (request is null)
            {
                return;
            }

            var end = request.RangeEnd.IsEmpty ? ByteString.CopyFrom([.. request.Key.Span, 0]) : request.RangeEnd;
            if (request.Key.Span.SequenceCompareTo(end.Span) < 0)
            {
                _deleted.Add((request.Key, end));
                _merged = null;
            }
        }

        private bool TryAdopt(TxnRequest nested)
        {
            if (!Collect(nested.Success, out var success) || !Collect(nested.Failure, out var failure))
            {
                return false;
            }

            // The two branches exclude each other, so one key may be in both; but not in a sibling or in the deletions seen so far.
            var all = new HashSet<ByteString>(success._puts);
            all.UnionWith(failure._puts);
            if (!all.All(TryPut))
            {
                return false;
            }

            _deleted.AddRange(success._deleted);
            _deleted.AddRange(failure._deleted);
            _merged = null;
            return true;
        }

        private bool TryPut(ByteString key) => !IsDeleted(key.Span) && _puts.Add(key);

        private bool IsDeleted(ReadOnlySpan<byte> key)
        {
            _merged ??= Merge();
            var low = 0;
            var high = _merged.Count;
            while (low < high)
            {
                var middle = (low + high) >>> 1;
                if (_merged[middle].Begin.Span.SequenceCompareTo(key) <= 0)
                {
                    low = middle + 1;
                }
                else
                {
                    high = middle;
                }
            }

            return low > 0 && key.SequenceCompareTo(_merged[low - 1].End.Span) < 0;
        }

        private List<(ByteString Begin, ByteString End)> Merge()
        {
            var merged = new List<(ByteString Begin, ByteString End)>(_deleted.Count);
            foreach (var range in _deleted.OrderBy(each => each.Begin, Comparer<ByteString>.Create((left, right) => left.Span.SequenceCompareTo(right.Span))))
            {
                if (merged.Count == 0 || merged[^1].End.Span.SequenceCompareTo(range.Begin.Span) < 0)
                {
                    merged.Add(range);
                }
                else if (merged[^1].End.Span.SequenceCompareTo(range.End.Span) < 0)
                {
                    merged[^1] = (merged[^1].Begin, range.End);
                }
            }

            return merged;
        }
    }
}
