namespace Cairn.Server;

/// <summary>Where a node stands, at one moment. Cheap to ask for, from any thread, with or without a quorum.</summary>
public sealed record NodeStatus
{
    /// <summary>Id of the cluster.</summary>
    public required ulong ClusterId { get; init; }

    /// <summary>Id of this member.</summary>
    public required ulong MemberId { get; init; }

    /// <summary>Id of the leader; 0 if there is none.</summary>
    public required ulong LeaderId { get; init; }

    /// <summary>Term of the replicated log.</summary>
    public required ulong Term { get; init; }

    /// <summary>Highest committed index.</summary>
    public required ulong CommittedIndex { get; init; }

    /// <summary>Highest applied index.</summary>
    public required ulong AppliedIndex { get; init; }

    /// <summary>Term of the entry there.</summary>
    public required ulong AppliedTerm { get; init; }

    /// <summary>Revision of the key space.</summary>
    public required long Revision { get; init; }

    /// <summary>Revision below which history is gone; -1 if it never was compacted.</summary>
    public required long CompactedRevision { get; init; }

    /// <summary>Bytes on disk, garbage included.</summary>
    public required long DatabaseBytes { get; init; }

    /// <summary>Bytes of keys, values and retained history.</summary>
    public required long DatabaseBytesInUse { get; init; }

    /// <summary>Limit for <see cref="DatabaseBytesInUse"/>; 0 if there is none.</summary>
    public required long QuotaBytes { get; init; }

    /// <summary>Whether this member is a learner.</summary>
    public required bool IsLearner { get; init; }

    /// <summary>Raised alarms, as "memberID:1 alarm:NOSPACE".</summary>
    public required IReadOnlyList<string> Alarms { get; init; }

    /// <summary>Why this node accepts no writes (failed disk, damage, shutdown); null if it does.</summary>
    public required string? Impairment { get; init; }

    /// <summary>What is being healed, or waits to be, for people; null while all is as it is meant to be, as far as this member knows.</summary>
    public string? Healing { get; init; }

    /// <summary>Cluster version "3.6.0"; null while undecided.</summary>
    public required string? ClusterVersion { get; init; }

    /// <summary>Whether this member is the leader.</summary>
    public bool IsLeader => LeaderId != 0 && LeaderId == MemberId;
}
