using Cairn.Protocol;
using Cairn.State.Lease;

namespace Cairn.State.Mvcc;

/// <summary>Answers a transaction that only reads, from a view, without the log.</summary>
internal static class ReadOnlyTxn
{
    public static StoreError Run(KeySpaceView view, LeaseTable leases, TxnRequest request, out TxnResponse? response)
    {
        Invariant.Holds(TxnEvaluator.IsReadOnly(request));
        response = null;
        var error = TxnEvaluator.Evaluate(view, leases, request, out var path);
        if (error != StoreError.None)
        {
            return error;
        }

        var holds = path.Dequeue();
        var answer = new TxnResponse { Header = new ResponseHeader { Revision = view.Revision }, Succeeded = holds };
        foreach (var operation in holds ? request.Success : request.Failure)
        {
            error = RangeReader.Read(view, operation.RequestRange, out var result);
            if (error != StoreError.None)
            {
                return error;
            }

            answer.Responses.Add(new ResponseOp { ResponseRange = result.ToMessage() });
        }

        response = answer;
        return StoreError.None;
    }
}
