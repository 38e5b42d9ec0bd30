using Cairn.State;

namespace Cairn.Server.Metrics;

/// <summary>What the loops count; gauges are read from the node when somebody asks.</summary>
/// <remarks>Names and buckets are etcd's, so that dashboards and alerts made for etcd go on working.</remarks>
internal sealed class ServerMetrics
{
    /// <summary>Seconds from handing a batch to the log until it is durable.</summary>
    public Histogram WalSync { get; } = new(first: 0.001, buckets: 14);

    /// <summary>Seconds to make state durable in the background.</summary>
    public Histogram StateSync { get; } = new(first: 0.001, buckets: 14);

    /// <summary>Seconds that it took to reclaim space on request.</summary>
    public Histogram Reclaims { get; } = new(first: 0.1, buckets: 13);

    /// <summary>Seconds that a saved state took to be streamed.</summary>
    public Histogram Saves { get; } = new(first: 0.01, buckets: 17);

    /// <summary>Seconds that hashing everything took.</summary>
    public Histogram Hashes { get; } = new(first: 0.01, buckets: 15);

    /// <summary>Seconds that hashing up to a revision took.</summary>
    public Histogram RevisionHashes { get; } = new(first: 0.01, buckets: 15);

    /// <summary>Seconds that entries took to be applied.</summary>
    public ApplyMetrics Applies { get; } = new();

    /// <summary>Seconds that ranges took to be read.</summary>
    public Histogram RangesRead { get; } = new(first: 0.0001, buckets: 20);

    /// <summary>Seconds that ranges took which were refused.</summary>
    public Histogram RangesRefused { get; } = new(first: 0.0001, buckets: 20);

    /// <summary>Whether heartbeats leave in time.</summary>
    public HeartbeatPace Heartbeats { get; } = new();

    /// <summary>Learners that this member promoted, as leader.</summary>
    public Counter Promotions { get; } = new();

    /// <summary>Promotions that it refused, as leader, by reason.</summary>
    public CounterFamily<NodeError> RefusedPromotions { get; } = new();

    /// <summary>Bytes of rows that were put.</summary>
    public Counter PutBytes { get; } = new();

    /// <summary>What goes to other members, and comes from them.</summary>
    public PeerMetrics Peers { get; } = new();

    /// <summary>How compactions are carried out.</summary>
    public CompactionMetrics Compactions { get; } = new();

    /// <summary>Seconds that leases were granted for.</summary>
    public Histogram LeaseTtl { get; } = new(first: 1, buckets: 24);

    /// <summary>States sent.</summary>
    public TransferMetrics Sent { get; } = new("send", "To");

    /// <summary>States received.</summary>
    public TransferMetrics Received { get; } = new("receive", "From");

    /// <summary>Proposals that were refused after they had been accepted, or timed out.</summary>
    public Counter ProposalsFailed { get; } = new();

    /// <summary>Times that another leader was seen.</summary>
    public Counter LeaderChanges { get; } = new();

    /// <summary>Requests that took longer than they should.</summary>
    public Counter SlowApplies { get; } = new();

    /// <summary>Read rounds that were asked again.</summary>
    public Counter SlowReadIndexes { get; } = new();

    /// <summary>Read rounds that failed.</summary>
    public Counter FailedReadIndexes { get; } = new();

    /// <summary>Leases this member found to have ended.</summary>
    public Counter LeasesExpired { get; } = new();

    /// <summary>Leases granted.</summary>
    public Counter LeasesGranted { get; } = new();

    /// <summary>Leases revoked.</summary>
    public Counter LeasesRevoked { get; } = new();

    /// <summary>Renewals.</summary>
    public Counter LeasesRenewed { get; } = new();

    /// <summary>Put requests applied.</summary>
    public Counter Puts { get; } = new();

    /// <summary>Range requests served.</summary>
    public Counter Ranges { get; } = new();

    /// <summary>Delete requests applied.</summary>
    public Counter Deletes { get; } = new();

    /// <summary>Transactions served.</summary>
    public Counter Txns { get; } = new();

    /// <summary>Events handed to the watch hub.</summary>
    public Counter Events { get; } = new();

    /// <summary>Heals that this member began, as leader.</summary>
    public Counter HealsBegun { get; } = new();

    /// <summary>Heals that this member brought to a good end, as leader.</summary>
    public Counter HealsDone { get; } = new();

    /// <summary>Heals that this member gave up, as leader.</summary>
    public Counter HealsGivenUp { get; } = new();

    /// <summary>Bytes written to the log. Set by the raft loop.</summary>
    public long WrittenLogBytes { get; set; }

    /// <summary>Counts the events of an entry.</summary>
    /// <param name="events">The events.</param>
    public void NoteEvents(ReadOnlySpan<StateEvent> events)
    {
        Events.Add(events.Length);
        long bytes = 0;
        foreach (ref readonly var each in events)
        {
            bytes += each.IsDeletion ? 0 : each.KeyValue.Length;
        }

        PutBytes.Add(bytes);
    }
}
