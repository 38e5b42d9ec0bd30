using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Host.Proxy;

/// <summary>Puts a prefix before the keys of requests, and takes it from those of answers, so that clients see a part of the store as the whole.</summary>
/// <remarks>
/// Worked example, prefix "a/": key "k" becomes "a/k"; the range from "k" to "m" is "a/k" to "a/m"; the range from "k" without end ("\0") is "a/k" to "a0", where keys
/// with the prefix end. Changes messages in place: whoever calls owns them. Source: etcd client/v3/namespace.
/// </remarks>
internal sealed class KeyNamespace
{
    private static readonly ByteString NoEnd = ByteString.CopyFrom(0);

    private readonly ByteString _prefix;
    private readonly ByteString _end;

    /// <param name="prefix">The prefix; empty to change nothing.</param>
    public KeyNamespace(string prefix)
    {
        _prefix = ByteString.CopyFromUtf8(prefix);
        _end = EndOf(_prefix);
    }

    /// <summary>Whether keys are changed.</summary>
    public bool IsSet => !_prefix.IsEmpty;

    /// <summary>Maps a request.</summary>
    public void Map(RangeRequest request) => (request.Key, request.RangeEnd) = Outward(request.Key, request.RangeEnd);

    /// <summary>Maps a request.</summary>
    public void Map(PutRequest request) => request.Key = Outward(request.Key, ByteString.Empty).Key;

    /// <summary>Maps a request.</summary>
    public void Map(DeleteRangeRequest request) => (request.Key, request.RangeEnd) = Outward(request.Key, request.RangeEnd);

    /// <summary>Maps a request. No key is the lowest one, as for a member.</summary>
    public void Map(WatchCreateRequest request)
    {
        if (IsSet && request.Key.IsEmpty)
        {
            request.Key = NoEnd;
        }

        (request.Key, request.RangeEnd) = Outward(request.Key, request.RangeEnd);
    }

    /// <summary>Maps a request.</summary>
    public void Map(TxnRequest request)
    {
        foreach (Compare compare in request.Compare)
        {
            (compare.Key, compare.RangeEnd) = Outward(compare.Key, compare.RangeEnd);
        }

        foreach (RequestOp operation in request.Success.Concat(request.Failure))
        {
            switch (operation.RequestCase)
            {
                case RequestOp.RequestOneofCase.RequestRange:
                    Map(operation.RequestRange);
                    break;
                case RequestOp.RequestOneofCase.RequestPut:
                    Map(operation.RequestPut);
                    break;
                case RequestOp.RequestOneofCase.RequestDeleteRange:
                    Map(operation.RequestDeleteRange);
                    break;
                case RequestOp.RequestOneofCase.RequestTxn:
                    Map(operation.RequestTxn);
                    break;
            }
        }
    }

    /// <summary>Maps an answer back.</summary>
    public void Unmap(RangeResponse answer) => Unmap(answer.Kvs);

    /// <summary>Maps an answer back.</summary>
    public void Unmap(PutResponse answer) => Unmap(answer.PrevKv);

    /// <summary>Maps an answer back.</summary>
    public void Unmap(DeleteRangeResponse answer) => Unmap(answer.PrevKvs);

    /// <summary>Maps an answer back.</summary>
    public void Unmap(WatchResponse answer)
    {
        foreach (Event change in answer.Events)
        {
            Unmap(change.Kv);
            Unmap(change.PrevKv);
        }
    }

    /// <summary>Maps an answer back: keys of a lease that are not of this namespace are not shown.</summary>
    public void Unmap(LeaseTimeToLiveResponse answer)
    {
        ByteString[] keys = [.. answer.Keys.Where(key => key.Span.StartsWith(_prefix.Span)).Select(Inward)];
        answer.Keys.Clear();
        answer.Keys.AddRange(keys);
    }

    /// <summary>Maps an answer back.</summary>
    public void Unmap(TxnResponse answer)
    {
        foreach (ResponseOp operation in answer.Responses)
        {
            switch (operation.ResponseCase)
            {
                case ResponseOp.ResponseOneofCase.ResponseRange:
                    Unmap(operation.ResponseRange);
                    break;
                case ResponseOp.ResponseOneofCase.ResponsePut:
                    Unmap(operation.ResponsePut);
                    break;
                case ResponseOp.ResponseOneofCase.ResponseDeleteRange:
                    Unmap(operation.ResponseDeleteRange);
                    break;
                case ResponseOp.ResponseOneofCase.ResponseTxn:
                    Unmap(operation.ResponseTxn);
                    break;
            }
        }
    }

    /// <summary>Where the keys with a prefix end; "\0" if there is no such key.</summary>
    private static ByteString EndOf(ByteString prefix)
    {
        byte[] end = prefix.ToByteArray();
        for (int i = end.Length - 1; i >= 0; i--)
        {
            if (++end[i] != 0)
            {
                return ByteString.CopyFrom(end, 0, i + 1);
            }
        }

        return NoEnd;
    }

    private void Unmap(IEnumerable<KeyValue> rows)
    {
        foreach (KeyValue row in rows)
        {
            Unmap(row);
        }
    }

    private void Unmap(KeyValue? row)
    {
        if (row is not null)
        {
            row.Key = Inward(row.Key);
        }
    }

    /// <summary>A range without a key stays one, so that the members refuse it.</summary>
    private (ByteString Key, ByteString End) Outward(ByteString key, ByteString end) => !IsSet || key.IsEmpty
        ? (key, end)
        : (Join(key), end.IsEmpty ? end : end == NoEnd ? _end : Join(end));

    private ByteString Join(ByteString key) => ByteString.CopyFrom([.. _prefix.Span, .. key.Span]);

    private ByteString Inward(ByteString key) => ByteString.CopyFrom(key.Span[_prefix.Length..]);
}
