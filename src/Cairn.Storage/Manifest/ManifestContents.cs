using Cairn.Raft;
using Cairn.Storage.Checkpoints;
using Cairn.Storage.Revisions;

namespace Cairn.Storage.Manifest;

/// <summary>Who this data directory is.</summary>
public sealed record ManifestIdentity
{
    /// <summary>The cluster, or 0 before it is founded or joined.</summary>
    public ulong ClusterId { get; init; }

    /// <summary>The member, or 0 before the cluster is founded or joined.</summary>
    public ulong MemberId { get; init; }

    /// <summary>Random number made with the data directory; tells it from a wiped or copied one.</summary>
    public required ulong Incarnation { get; init; }

    /// <summary>How often a process was started on it; never goes back, unless the disk was rolled back.</summary>
    public ulong StartCounter { get; init; }

    /// <summary>The token of the cluster, as given by --initial-cluster-token.</summary>
    public string Token { get; init; } = "";
}

/// <summary>How far compaction reached, as main parts of revisions; 0 for never.</summary>
/// <param name="Scheduled">Below it nothing is visible.</param>
/// <param name="Finished">Below it everything superfluous was swept out of the index.</param>
public readonly record struct CompactionFloor(long Scheduled, long Finished);

/// <summary>A state of the store that is durable as a whole: all of it changes together, or none.</summary>
public sealed record ManifestContents
{
    /// <summary>Which manifest of this directory it is, from 1; given by <see cref="ManifestStore"/>.</summary>
    public ulong Number { get; init; }

    /// <summary>Who this data directory is.</summary>
    public required ManifestIdentity Identity { get; init; }

    /// <summary>Index of the last entry whose effects are in it; 0 for none. Must be synced in the write-ahead log.</summary>
    public ulong AppliedIndex { get; init; }

    /// <summary>Term of that entry.</summary>
    public ulong AppliedTerm { get; init; }

    /// <summary>Whether this state was received as a snapshot, and not come to by applying: the log may not reach it yet, and is then continued from here.</summary>
    public bool IsInstalled { get; init; }

    /// <summary>Who decides, as of that entry.</summary>
    public ConfState ConfState { get; init; } = ConfState.Empty;

    /// <summary>The newest revision, main part.</summary>
    public long CurrentRevision { get; init; }

    /// <summary>How far compaction reached.</summary>
    public CompactionFloor Compaction { get; init; }

    /// <summary>Segments of the revision log, their ends and accounts.</summary>
    public RevisionLogEnds Segments { get; init; } = RevisionLogEnds.Empty;

    /// <summary>Checkpoint of the index, or null if the index is rebuilt from the segments alone.</summary>
    public CheckpointFile? Checkpoint { get; init; }

    /// <summary>State that is small beside the key space, as the state machine encodes it: leases, permissions, alarms, members. Never changed after it was handed over.</summary>
    public ReadOnlyMemory<byte> SmallState { get; init; }

    /// <summary>What the running member remembers beside the replicated state, as the server encodes it: founding, marks of its peers.</summary>
    public ReadOnlyMemory<byte> MemberState { get; init; }

    /// <summary>Compares contents, byte by byte.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>Whether both say the same.</returns>
    public bool Equals(ManifestContents? other) =>
        other is not null
        && (Number, Identity, AppliedIndex, AppliedTerm, ConfState) == (other.Number, other.Identity, other.AppliedIndex, other.AppliedTerm, other.ConfState)
        && IsInstalled == other.IsInstalled
        && (CurrentRevision, Compaction, Segments, Checkpoint) == (other.CurrentRevision, other.Compaction, other.Segments, other.Checkpoint)
        && SmallState.Span.SequenceEqual(other.SmallState.Span)
        && MemberState.Span.SequenceEqual(other.MemberState.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Number, AppliedIndex, AppliedTerm, CurrentRevision);
}
