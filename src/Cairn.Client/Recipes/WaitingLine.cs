using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Client.Recipes;

/// <summary>A line in which each waits for the one before: a key for each, in the order in which the keys were made. Not thread-safe.</summary>
/// <remarks>
/// The keys are those of etcd's own recipes, so that programs of both kinds wait in one line. Source: etcd client/v3/concurrency key.go, mutex.go and
/// election.go.
/// </remarks>
internal sealed class WaitingLine
{
    private readonly Session _session;
    private readonly string _prefix;

    public WaitingLine(Session session, string name)
    {
        _session = session;
        _prefix = name + "/";
        Key = ByteString.CopyFromUtf8($"{_prefix}{session.Lease:x}");
    }

    /// <summary>Our own key.</summary>
    public ByteString Key { get; }

    /// <summary>The revision that made our key, or 0.</summary>
    public long Revision { get; private set; }

    /// <summary>Takes a place at the end, unless there is one already.</summary>
    /// <param name="value">The value of our key.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>Our key as it was found, or null if it was made just now.</returns>
    public async Task<KeyValue?> EnterAsync(ByteString value, CancellationToken cancelled)
    {
        var request = new TxnRequest
        {
            Compare = { new Compare { Target = Compare.Types.CompareTarget.Create, Key = Key, CreateRevision = 0 } },
            Success = { new RequestOp { RequestPut = new PutRequest { Key = Key, Value = value, Lease = _session.Lease } } },
            Failure = { new RequestOp { RequestRange = new RangeRequest { Key = Key } } },
        };
        TxnResponse response = await _session.Client.Kv.TxnAsync(request, cancelled).ConfigureAwait(false);
        KeyValue? found = response.Succeeded ? null : response.Responses[0].ResponseRange.Kvs[0];
        Revision = found?.CreateRevision ?? response.Header.Revision;
        return found;
    }

    /// <summary>Waits until all who came before have left.</summary>
    /// <param name="cancelled">Ends the wait; our place stays.</param>
    /// <exception cref="ClientException">The session ended in the wait.</exception>
    public async Task AwaitFrontAsync(CancellationToken cancelled)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancelled, _session.Lost);
        try
        {
            while (await BeforeAsync(either.Token).ConfigureAwait(false) is { } before)
            {
                await DeletedAsync(before.Key, before.Revision + 1, either.Token).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (!cancelled.IsCancellationRequested)
        {
            throw Expired();
        }

        // The session may have ended while we waited, and our place with it.
        RangeResponse own = await _session.Client.Kv.GetAsync(KeyRange.Of(Key), cancelled).ConfigureAwait(false);
        if (own.Kvs.Count == 0 || own.Kvs[0].CreateRevision != Revision)
        {
            throw Expired();
        }
    }

    /// <summary>Gives up our place, if it is still ours.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>Whether it was ours.</returns>
    public async Task<bool> LeaveAsync(CancellationToken cancelled)
    {
        if (Revision == 0)
        {
            return false;
        }

        var request = new TxnRequest
        {
            Compare = { IsOurs() },
            Success = { new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = Key } } },
        };
        bool left = (await _session.Client.Kv.TxnAsync(request, cancelled).ConfigureAwait(false)).Succeeded;
        Revision = 0;
        return left;
    }

    /// <summary>Compares so that a transaction happens only while our place is ours.</summary>
    /// <returns>The comparison.</returns>
    public Compare IsOurs() => new() { Target = Compare.Types.CompareTarget.Create, Key = Key, CreateRevision = Revision };

    private static ClientException Expired() => new(ClientErrorCode.Unavailable, "the session has expired");

    private async Task<(ByteString Key, long Revision)?> BeforeAsync(CancellationToken cancelled)
    {
        KeyRange all = KeyRange.Prefix(_prefix);
        var request = new RangeRequest
        {
            Key = all.Key,
            RangeEnd = all.End,
            MaxCreateRevision = Revision - 1,
            SortTarget = RangeRequest.Types.SortTarget.Create,
            SortOrder = RangeRequest.Types.SortOrder.Descend,
            Limit = 1,
        };
        RangeResponse response = await _session.Client.Kv.RangeAsync(request, cancelled).ConfigureAwait(false);
        return response.Kvs.Count == 0 ? null : (response.Kvs[0].Key, response.Header.Revision);
    }

    private async Task DeletedAsync(ByteString key, long fromRevision, CancellationToken cancelled)
    {
        Watcher watcher = _session.Client.Watch.Open(KeyRange.Of(key), fromRevision);
        await using (watcher.ConfigureAwait(false))
        {
            try
            {
                while (true)
                {
                    WatchResponse response = await watcher.NextAsync(cancelled).ConfigureAwait(false);
                    if (response.Events.Any(static change => change.Type == Event.Types.EventType.Delete))
                    {
                        return;
                    }
                }
            }
            catch (WatchCompactedException)
            {
                // What was missed may have been the deletion: the caller looks again.
            }
        }
    }
}
