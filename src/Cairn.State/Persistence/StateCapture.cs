using Cairn.State.Members;
using Cairn.Storage.Revisions;

namespace Cairn.State.Persistence;

/// <summary>One moment of the state, as a manifest must hold it.</summary>
/// <remarks>Everything but the rows, which the log keeps, and the index, which follows from them.</remarks>
public sealed record StateCapture
{
    /// <summary>The last entry that is in it.</summary>
    public required AppliedPosition Applied { get; init; }

    /// <summary>Revision of the store.</summary>
    public required long Revision { get; init; }

    /// <summary>Oldest revision that can be read; -1 before the first compaction.</summary>
    public required long CompactedRevision { get; init; }

    /// <summary>The last compaction whose sweep came to its end; -1 if none did.</summary>
    public required long FinishedCompaction { get; init; }

    /// <summary>Leases, alarms, members, users, roles and the numbers above; opaque to whoever stores it.</summary>
    public required ReadOnlyMemory<byte> SmallState { get; init; }

    /// <summary>How far the log reached; must be durable before a manifest names it.</summary>
    public required RevisionLogEnds Log { get; init; }

    /// <summary>The configuration, for the snapshot's metadata.</summary>
    public required MemberTable Members { get; init; }

    /// <summary>Raises the revision above all that may have been acknowledged and is lost, and compacts all below, so that watchers and caches read anew.</summary>
    /// <returns>The same state, further on.</returns>
    public StateCapture Raise()
    {
        Invariant.Holds(Persistence.SmallState.TryDecode(SmallState.Span, out var small));
        var revision = checked(Revision + StateLoss.SkippedRevisions);
        var after = small with { Revision = revision, CompactedRevision = revision };
        return this with { Revision = revision, CompactedRevision = revision, SmallState = after.Encode() };
    }
}
