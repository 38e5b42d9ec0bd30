using Cairn.Protocol;
using Cairn.State.Lease;
using Google.Protobuf;

namespace Cairn.State.Mvcc;

/// <summary>Carries out requests on the key space that were found in order, and makes their answers.</summary>
/// <remarks>
/// Headers hold the revision alone: that before the transaction until it has changed something, the new one from then on. A nested transaction's header is
/// there, and empty. Owned by the apply loop. Source: etcd server/etcdserver/txn/txn.go, v3.6.14.
/// </remarks>
internal sealed class KeySpaceCommands(KeySpace keys, LeaseTable leases)
{
    /// <summary>Carries out a put that stands alone.</summary>
    public StoreError Put(PutRequest request, out PutResponse? response)
    {
        response = null;
        if (request.Lease != 0 && !leases.Contains(request.Lease))
        {
            return StoreError.LeaseNotFound;
        }

        if ((request.IgnoreValue || request.IgnoreLease) && Previous(request.Key) is null)
        {
            return StoreError.KeyNotFound;
        }

        response = Put(request);
        keys.Commit();
        return StoreError.None;
    }

    /// <summary>Carries out a deletion that stands alone.</summary>
    public DeleteRangeResponse DeleteAlone(DeleteRangeRequest request)
    {
        var response = Delete(request);
        keys.Commit();
        return response;
    }

    /// <summary>Carries out a transaction, or nothing of it.</summary>
    public StoreError Txn(TxnRequest request, out TxnResponse? response)
    {
        Invariant.Holds(!keys.IsChanged);
        response = null;
        var error = TxnEvaluator.Evaluate(keys.View, leases, request, out var path);
        if (error != StoreError.None)
        {
            return error;
        }

        var hasChanged = false;
        Rehearse(request, new Queue<bool>(path), ref hasChanged);
        response = Execute(request, path);
        Invariant.Holds(path.Count == 0);
        response.Header.Revision = keys.Commit();
        return StoreError.None;
    }

    /// <summary>Deletes the keys of a lease, in their order, and the lease: one revision, or none if it has no keys.</summary>
    public StoreError Revoke(long lease)
    {
        if (!leases.Contains(lease))
        {
            return StoreError.LeaseNotFound;
        }

        foreach (var key in leases.KeysOf(lease))
        {
            var deleted = keys.Delete(new KeyRange(key, default));
            Invariant.Holds(deleted == 1);
        }

        leases.Remove(lease);
        keys.Commit();
        return StoreError.None;
    }

    /// <summary>Reads what the transaction is going to read after its first change: a damaged row must be met before anything has changed.</summary>
    /// <remarks>What the transaction itself writes is in memory. Deletions make a limited range reach further, so the limit does not count.</remarks>
    private void Rehearse(TxnRequest request, Queue<bool> path, ref bool hasChanged)
    {
        foreach (var operation in path.Dequeue() ? request.Success : request.Failure)
        {
            switch (operation.RequestCase)
            {
                case RequestOp.RequestOneofCase.RequestRange when hasChanged && operation.RequestRange is { CountOnly: false } range:
                    ReadRows(range.Key, range.RangeEnd, range.Revision);
                    break;
                case RequestOp.RequestOneofCase.RequestPut:
                    if (hasChanged && operation.RequestPut is var put && (put.PrevKv || put.IgnoreLease || put.IgnoreValue))
                    {
                        ReadRows(put.Key, ByteString.Empty, 0);
                    }

                    hasChanged = true;
                    break;
                case RequestOp.RequestOneofCase.RequestDeleteRange:
                    if (hasChanged && operation.RequestDeleteRange is { PrevKv: true } deletion)
                    {
                        ReadRows(deletion.Key, deletion.RangeEnd, 0);
                    }

                    hasChanged = true;
                    break;
                case RequestOp.RequestOneofCase.RequestTxn:
                    Rehearse(operation.RequestTxn, path, ref hasChanged);
                    break;
                default:
                    break;
            }
        }
    }

    private void ReadRows(ByteString key, ByteString end, long revision)
    {
        var error = RangeReader.Read(keys.View, new RangeRequest { Key = key, RangeEnd = end, Revision = revision }, out var result);
        Invariant.Holds(error == StoreError.None, $"a checked range in a transaction failed: {error}");
        for (var i = 0; i < result.RowCount; i++)
        {
            result.RowAt(i);
        }
    }

    private TxnResponse Execute(TxnRequest request, Queue<bool> path)
    {
        var holds = path.Dequeue();
        var response = new TxnResponse { Header = new ResponseHeader(), Succeeded = holds };
        foreach (var operation in holds ? request.Success : request.Failure)
        {
            var answer = new ResponseOp();
            switch (operation.RequestCase)
            {
                case RequestOp.RequestOneofCase.RequestRange:
                    answer.ResponseRange = Range(operation.RequestRange);
                    break;
                case RequestOp.RequestOneofCase.RequestPut:
                    answer.ResponsePut = Put(operation.RequestPut);
                    break;
                case RequestOp.RequestOneofCase.RequestDeleteRange:
                    answer.ResponseDeleteRange = Delete(operation.RequestDeleteRange);
                    break;
                case RequestOp.RequestOneofCase.RequestTxn:
                    answer.ResponseTxn = Execute(operation.RequestTxn, path);
                    break;
                default:
                    break;
            }

            response.Responses.Add(answer);
        }

        return response;
    }

    private RangeResponse Range(RangeRequest request)
    {
        var error = RangeReader.Read(keys.View, request, out var result);
        Invariant.Holds(error == StoreError.None, $"a checked range in a transaction failed: {error}");
        return result.ToMessage();
    }

    private PutResponse Put(PutRequest request)
    {
        var response = new PutResponse();
        var value = request.Value.Span;
        var lease = request.Lease;
        if (request.IgnoreValue || request.IgnoreLease || request.PrevKv)
        {
            var previous = Previous(request.Key);
            Invariant.Holds(previous is not null || !(request.IgnoreValue || request.IgnoreLease));
            response.PrevKv = request.PrevKv ? previous : null;
            value = request.IgnoreValue ? previous!.Value.Span : value; // Checked: the key exists if its value is to be kept.
            lease = request.IgnoreLease ? previous!.Lease : lease;
        }

        keys.Put(request.Key.Span, value, lease);
        response.Header = new ResponseHeader { Revision = keys.ReadRevision };
        return response;
    }

    private DeleteRangeResponse Delete(DeleteRangeRequest request)
    {
        var response = new DeleteRangeResponse();
        if (request.PrevKv)
        {
            var existing = Range(new RangeRequest { Key = request.Key, RangeEnd = request.RangeEnd });
            response.PrevKvs.AddRange(existing.Kvs);
        }

        response.Deleted = keys.Delete(KeyRange.Of(request.Key, request.RangeEnd));
        response.Header = new ResponseHeader { Revision = keys.ReadRevision };
        return response;
    }

    private KeyValue? Previous(ByteString key) =>
        keys.View.TryFind(key.Span, keys.ReadRevision, out var version) ? KeyValue.Parser.ParseFrom(keys.View.ReadRow(version)) : null;
}
