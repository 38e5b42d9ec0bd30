using Cairn.Protocol;
using Cairn.Server.Proposals;
using Cairn.State.Entries;
using Microsoft.Extensions.Logging;

namespace Cairn.Server.Requests;

/// <summary>When a batch of entries was committed, as this member learned, and when it was applied; as timestamps.</summary>
/// <param name="Index">Index of its first entry.</param>
/// <param name="Committed">When it was handed to the apply loop.</param>
/// <param name="Applied">When its effects could be seen.</param>
internal readonly record struct BatchTimes(ulong Index, long Committed, long Applied);

/// <summary>Says which requests took long, and where: in the queue, until they were replicated, on this member's own disk, until they were applied.</summary>
/// <remarks>
/// <para>
/// While nothing is slow it costs a timestamp a batch and a comparison a request. The disk's part is looked up for the slow ones only: it runs beside replication, and
/// may well end after it, since a quorum of others commits. A few lines a second at most; what is left out is counted.
/// </para>
/// <para>Wording, and what is reported of ranges, are etcd's. Source: etcd server/etcdserver/util.go (warnOfExpensiveGenericRequest). Any thread.</para>
/// </remarks>
/// <param name="time">Measures.</param>
/// <param name="limit">What takes longer is slow.</param>
/// <param name="logger">Where it is said.</param>
/// <param name="slowApplies">Counts them.</param>
internal sealed class SlowRequests(TimeProvider time, TimeSpan limit, ILogger logger, Metrics.Counter slowApplies)
{
    // Syncs remembered: at a thousand a second, those of the last second, which is what a request that was slow for another reason needs.
    private const int SyncsCapacity = 1024;

    // A stall makes every request slow at once; the first ten say all that there is to be said.
    private const int LinesPerSecondMax = 10;

    private readonly Lock _lock = new();
    private readonly (ulong Index, long At)[] _syncs = new (ulong, long)[SyncsCapacity];
    private readonly LineBudget _lines = new(time, LinesPerSecondMax);
    private int _synced;

    /// <summary>The time, as a timestamp.</summary>
    public long Now => time.GetTimestamp();

    /// <summary>Notes that the log is durable here up to an index. The raft loop.</summary>
    /// <param name="index">The index.</param>
    public void Synced(ulong index)
    {
        lock (_lock)
        {
            _syncs[_synced++ % SyncsCapacity] = (index, Now);
        }
    }

    /// <summary>Looks at a write that was applied. The apply loop.</summary>
    /// <param name="proposal">The write.</param>
    /// <param name="position">Its position in its batch.</param>
    /// <param name="batch">When its batch went where.</param>
    /// <param name="error">What the state machine said.</param>
    public void Applied(Proposal proposal, int position, in BatchTimes batch, State.StoreError error)
    {
        var took = time.GetElapsedTime(proposal.Began, batch.Applied);
        if (took <= limit || !TryBeginLine(out var leftOut))
        {
            return;
        }

        var accepted = proposal.AcceptedAt == 0 ? batch.Committed : proposal.AcceptedAt;
        var syncedAt = FindSync(batch.Index + (ulong)position);
        logger.SlowWrite(
            took,
            limit,
            proposal.Change is null ? EntryText.Summary(proposal.Data) : "a membership change",
            error == State.StoreError.None ? "" : error.ToString(),
            time.GetElapsedTime(proposal.Began, accepted),
            time.GetElapsedTime(accepted, batch.Committed),
            syncedAt == 0 ? "not durable here yet" : $"{Math.Max(time.GetElapsedTime(accepted, syncedAt).TotalMilliseconds, 0):F1}ms",
            time.GetElapsedTime(batch.Committed, batch.Applied),
            leftOut);
    }

    /// <summary>Looks at a range that was answered, but for sending it.</summary>
    /// <param name="request">The request.</param>
    /// <param name="began">When it came, as a timestamp.</param>
    /// <param name="confirmed">When it was known that nothing acknowledged is missed.</param>
    /// <param name="rows">Rows of the answer.</param>
    public void Read(RangeRequest request, long began, long confirmed, long rows)
    {
        var now = Now;
        var took = time.GetElapsedTime(began, now);
        if (took > limit && TryBeginLine(out var leftOut))
        {
            var text = $"range key:\"{request.Key.ToStringUtf8()}\" range_end:\"{request.RangeEnd.ToStringUtf8()}\" limit:{request.Limit} revision:{request.Revision}";
            logger.SlowRead(
                took, limit, "read-only range ", text, $"range_response_count:{rows}", time.GetElapsedTime(began, confirmed), time.GetElapsedTime(confirmed, now), leftOut);
        }
    }

    /// <summary>Finds when this member's own disk had an entry.</summary>
    /// <returns>A timestamp; 0 if it does not have it yet, or had it long ago.</returns>
    private long FindSync(ulong index)
    {
        lock (_lock)
        {
            for (var i = Math.Max(0, _synced - SyncsCapacity); i < _synced; i++)
            {
                var sync = _syncs[i % SyncsCapacity];
                if (sync.Index >= index)
                {
                    return sync.At;
                }
            }
        }

        return 0;
    }

    private bool TryBeginLine(out long leftOut)
    {
        slowApplies.Add();
        return _lines.TryTake(out leftOut);
    }
}
