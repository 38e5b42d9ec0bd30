using System.Runtime.CompilerServices;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Client.Recipes;

/// <summary>An election that one session at a time wins. Not thread-safe. Shares its keys with etcd's own election.</summary>
public sealed class Election
{
    private readonly Session _session;
    private readonly KeyRange _all;
    private readonly WaitingLine _line;

    /// <summary>Creates the election for a session, as a candidate or as an observer.</summary>
    /// <param name="session">The candidate.</param>
    /// <param name="name">Its name, the same for all.</param>
    public Election(Session session, string name)
    {
        ArgumentNullException.ThrowIfNull(session);
        _session = session;
        _all = KeyRange.Prefix(name + "/");
        _line = new WaitingLine(session, name);
    }

    /// <summary>The key of the candidate.</summary>
    public ByteString Key => _line.Key;

    /// <summary>The revision of the candidacy, which only grows from leader to leader.</summary>
    public long Revision => _line.Revision;

    /// <summary>Waits to be elected.</summary>
    /// <param name="value">What the leader says of itself.</param>
    /// <param name="cancelled">Ends the wait; the candidacy is withdrawn.</param>
    /// <returns>When elected.</returns>
    /// <exception cref="ClientException">The session ended, or a call failed.</exception>
    public async Task CampaignAsync(ByteString value, CancellationToken cancelled = default)
    {
        KeyValue? found = await _line.EnterAsync(value, cancelled).ConfigureAwait(false);
        if (found is not null && found.Value != value && !await ProclaimAsync(value, cancelled).ConfigureAwait(false))
        {
            throw new ClientException(ClientErrorCode.Unavailable, "the session has expired");
        }

        try
        {
            await _line.AwaitFrontAsync(cancelled).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await _line.LeaveAsync(CancellationToken.None).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>Changes what the leader says of itself.</summary>
    /// <param name="value">The new value.</param>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>Whether the candidacy still stands.</returns>
    /// <exception cref="ClientException">The call failed.</exception>
    public async Task<bool> ProclaimAsync(ByteString value, CancellationToken cancelled = default)
    {
        var request = new TxnRequest
        {
            Compare = { _line.IsOurs() },
            Success = { new RequestOp { RequestPut = new PutRequest { Key = Key, Value = value, Lease = _session.Lease } } },
        };
        return Revision != 0 && (await _session.Client.Kv.TxnAsync(request, cancelled).ConfigureAwait(false)).Succeeded;
    }

    /// <summary>Withdraws.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>Whether the candidacy still stood.</returns>
    /// <exception cref="ClientException">The call failed; the candidacy ends with the session.</exception>
    public Task<bool> ResignAsync(CancellationToken cancelled = default) => _line.LeaveAsync(cancelled);

    /// <summary>Asks who leads.</summary>
    /// <param name="cancelled">Ends the call.</param>
    /// <returns>The leader's key and value, or null if nobody leads.</returns>
    /// <exception cref="ClientException">The call failed.</exception>
    public async Task<KeyValue?> LeaderAsync(CancellationToken cancelled = default) => (await ReadLeaderAsync(cancelled).ConfigureAwait(false)).Leader;

    /// <summary>Follows who leads: first the present leader, then each other one, and each other value.</summary>
    /// <param name="cancelled">Ends it.</param>
    /// <returns>Leaders, without end. Changes that follow each other quickly may be given as one.</returns>
    /// <exception cref="ClientException">A call failed.</exception>
    public async IAsyncEnumerable<KeyValue> ObserveAsync([EnumeratorCancellation] CancellationToken cancelled = default)
    {
        long seen = 0;
        while (true)
        {
            (KeyValue? leader, long revision) = await ReadLeaderAsync(cancelled).ConfigureAwait(false);
            if (leader is not null && leader.ModRevision > seen)
            {
                seen = leader.ModRevision;
                yield return leader;
            }

            await ChangedAsync(revision + 1, cancelled).ConfigureAwait(false);
        }
    }

    private async Task<(KeyValue? Leader, long Revision)> ReadLeaderAsync(CancellationToken cancelled)
    {
        var request = new RangeRequest
        {
            Key = _all.Key,
            RangeEnd = _all.End,
            SortTarget = RangeRequest.Types.SortTarget.Create,
            SortOrder = RangeRequest.Types.SortOrder.Ascend,
            Limit = 1,
        };
        RangeResponse response = await _session.Client.Kv.RangeAsync(request, cancelled).ConfigureAwait(false);
        return (response.Kvs.Count == 0 ? null : response.Kvs[0], response.Header.Revision);
    }

    private async Task ChangedAsync(long fromRevision, CancellationToken cancelled)
    {
        Watcher watcher = _session.Client.Watch.Open(_all, fromRevision);
        await using (watcher.ConfigureAwait(false))
        {
            try
            {
                await watcher.NextAsync(cancelled).ConfigureAwait(false);
            }
            catch (WatchCompactedException)
            {
                // Something changed long ago: the caller looks again.
            }
        }
    }
}
