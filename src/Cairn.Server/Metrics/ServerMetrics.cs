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
}
