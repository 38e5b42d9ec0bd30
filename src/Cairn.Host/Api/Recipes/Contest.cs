using Cairn.Protocol;
using Cairn.Server;
using Google.Protobuf;

namespace Cairn.Host.Api.Recipes;

/// <summary>What entering a contest came to.</summary>
/// <param name="Revision">Create revision of the contestant's key: who has the lowest wins.</param>
/// <param name="Present">The key as it was, if this lease had entered before; null if it is new.</param>
/// <param name="Header">Header of the answer.</param>
internal sealed record Entrance(long Revision, KeyValue? Present, ResponseHeader Header);

/// <summary>
/// A contest for one place, as locks and elections are: each contestant puts a key under a common prefix, bound to its lease; the oldest key has the place, and each
/// waits for those before it to go.
/// </summary>
/// <remarks>
/// Worked example: the lock "build" with the leases 0x1a and 0x2b gives <c>build/1a</c> (create revision 7: has it) and <c>build/2b</c> (9: waits for the deletion of
/// every key of the prefix with a create revision of at most 8). The keys are those of Go's package, so that its clients take part.
/// Source: etcd client/v3/concurrency/{mutex,election,key}.go.
/// </remarks>
/// <param name="node">The node.</param>
/// <param name="context">Who takes part.</param>
/// <param name="name">Name of the lock or the election.</param>
internal sealed class Contest(Node node, RequestContext context, ByteString name)
{
    /// <summary>What all contestants' keys begin with.</summary>
    public ByteString Prefix { get; } = ByteString.CopyFrom([.. name.Span, (byte)'/']);

    /// <summary>The key of a contestant.</summary>
    /// <param name="lease">Its lease, written as Go does: lower-case hexadecimal with a sign.</param>
    public ByteString KeyOf(long lease) =>
        ByteString.CopyFrom([.. Prefix.Span, .. System.Text.Encoding.ASCII.GetBytes(lease < 0 ? $"-{(ulong)-lease:x}" : $"{lease:x}")]);

    /// <summary>Enters, unless this lease has.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="value">Value of a new key.</param>
    public async ValueTask<Answer<Entrance>> EnterAsync(long lease, ByteString value)
    {
        ByteString key = KeyOf(lease);
        var request = new TxnRequest
        {
            Compare = { CreatedAt(key, revision: 0) },
            Success = { new RequestOp { RequestPut = new PutRequest { Key = key, Value = value, Lease = lease } } },
            Failure = { new RequestOp { RequestRange = new RangeRequest { Key = key } } },
        };
        Answer<TxnResponse> answer = await node.TxnAsync(request, context);
        if (!answer.Succeeded)
        {
            return answer.Error;
        }

        KeyValue? present = answer.Value.Succeeded ? null : answer.Value.Responses[0].ResponseRange.Kvs[0];
        return new Entrance(present?.CreateRevision ?? answer.Value.Header.Revision, present, answer.Value.Header);
    }

    /// <summary>Waits until every key that is older than one's own has gone. They are watched one after the other, the youngest first: so a departure wakes one waiter, not all.</summary>
    /// <param name="revision">Create revision of one's own key.</param>
    public async ValueTask<NodeError> WaitForOlderAsync(long revision)
    {
        while (true)
        {
            var request = new RangeRequest
            {
                Key = Prefix,
                RangeEnd = After(Prefix),
                SortOrder = RangeRequest.Types.SortOrder.Descend,
                SortTarget = RangeRequest.Types.SortTarget.Create,
                Limit = 1,
                MaxCreateRevision = revision - 1,
            };
            Answer<RangeResponse> older = await ReadAsync(request);
            if (!older.Succeeded || older.Value.Kvs.Count == 0)
            {
                return older.Error;
            }

            using var watch = new KeyWatch(node, context, older.Value.Kvs[0].Key, rangeEnd: ByteString.Empty, older.Value.Header.Revision + 1);
            while (await watch.NextAsync() is { } change)
            {
                if (change.Type == Event.Types.EventType.Delete)
                {
                    break;
                }
            }

            if (watch.Ended != NodeError.None)
            {
                return watch.Ended;
            }
        }
    }

    /// <summary>Reads the key that has the place.</summary>
    public ValueTask<Answer<RangeResponse>> ReadFirstAsync() => ReadAsync(new RangeRequest
    {
        Key = Prefix,
        RangeEnd = After(Prefix),
        SortOrder = RangeRequest.Types.SortOrder.Ascend,
        SortTarget = RangeRequest.Types.SortTarget.Create,
        Limit = 1,
    });

    /// <summary>Reads a range.</summary>
    public async ValueTask<Answer<RangeResponse>> ReadAsync(RangeRequest request)
    {
        Answer<Server.Reads.RangeAnswer> answer = await node.RangeAsync(request, context);
        return answer.Succeeded ? answer.Value.ToMessage() : answer.Error;
    }

    /// <summary>Deletes a key although the client may not wait any more: a waiter that gives up must not keep its place.</summary>
    public ValueTask<Answer<DeleteRangeResponse>> LeaveAsync(ByteString key) =>
        node.DeleteRangeAsync(new DeleteRangeRequest { Key = key }, context with { Cancelled = CancellationToken.None });

    /// <summary>The condition that a key was created at a revision; 0 that it does not exist.</summary>
    public static Compare CreatedAt(ByteString key, long revision) => new()
    {
        Key = key,
        Target = Compare.Types.CompareTarget.Create,
        Result = Compare.Types.CompareResult.Equal,
        CreateRevision = revision,
    };

    /// <summary>The end of the range of all keys with a prefix that ends in a slash.</summary>
    public static ByteString After(ByteString prefix) => ByteString.CopyFrom([.. prefix.Span[..^1], (byte)'0']);
}
