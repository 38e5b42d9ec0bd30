using Cairn.State.Healing;
using Cairn.State.Members;
using Cairn.State.Persistence;

namespace Cairn.State.Schema;

/// <summary>What an etcd backend file holds beside its rows, as it can be taken over.</summary>
public sealed record EtcdState
{
    internal EtcdState(SmallState small) => Small = small;

    /// <summary>The last entry that is in it.</summary>
    public AppliedPosition Applied => Small.Applied;

    /// <summary>Revision of the store.</summary>
    public long Revision => Small.Revision;

    /// <summary>Oldest revision that can be read; -1 before the first compaction.</summary>
    public long CompactedRevision => Small.CompactedRevision;

    /// <summary>The members as the file has them. Those of 3.5 may be stale: <see cref="MembershipReplay"/>.</summary>
    public MemberTable Members => Small.Members;

    /// <summary>Version of the schema that the file names; null before 3.6.</summary>
    public string? StorageVersion { get; init; }

    /// <summary>Whether the file says of which term its index is, as those of 3.5 and later do. A snapshot of before can be restored, since that begins a log of its own.</summary>
    public bool NamesTerm { get; init; }

    /// <summary>Rows of the key space.</summary>
    public long Rows { get; init; }

    /// <summary>Bytes in them.</summary>
    public long RowBytes { get; init; }

    internal SmallState Small { get; init; }

    /// <summary>Replaces the members.</summary>
    /// <param name="members">The table.</param>
    /// <returns>The state with them.</returns>
    public EtcdState With(MemberTable members) => this with { Small = Small with { Members = members } };

    /// <summary>Takes the members that the log names, where those of the file may be stale: before 3.6.</summary>
    /// <param name="replayed">Those that the log names.</param>
    /// <returns>The state with the members that count.</returns>
    public EtcdState Reconciled(MemberTable replayed)
    {
        ArgumentNullException.ThrowIfNull(replayed);
        var members = StorageVersion is null ? replayed with { Downgrade = Members.Downgrade } : Members;
        return With(members with { ClusterVersion = members.ClusterVersion ?? Members.ClusterVersion });
    }

    /// <summary>Adds what etcd's files do not hold: whose data directory is which, and what is to be healed.</summary>
    /// <param name="known">The state that this one follows on.</param>
    /// <returns>The state with it.</returns>
    public EtcdState Keeping(ReadView known)
    {
        ArgumentNullException.ThrowIfNull(known);
        var members = Members with
        {
            Members = [.. Members.Members.Select(member => known.Members.Find(member.Id) is { } before
                ? member with { Incarnation = before.Incarnation, IsStandby = member.IsLearner && before.IsStandby }
                : member)],
        };
        return this with { Small = Small with { Members = members, Healing = known.Healing } };
    }

    /// <summary>Says at which entry the state is; for a state that begins a log of its own.</summary>
    /// <param name="applied">The entry.</param>
    /// <returns>The state at that entry.</returns>
    public EtcdState At(AppliedPosition applied) => this with { Small = Small with { Applied = applied } };

    /// <summary>Skips revisions, and marks all up to the last one skipped as compacted, so that watchers and caches of what came later notice.</summary>
    /// <param name="revisions">How many; at least 1.</param>
    /// <returns>The state after them.</returns>
    public EtcdState Skip(long revisions)
    {
        Invariant.Holds(revisions > 0);
        var revision = checked(Revision + revisions);
        return this with { Small = Small with { Revision = revision, CompactedRevision = revision } };
    }

    /// <summary>Makes this state the first one of a new cluster, in place of one that was lost with all its data.</summary>
    /// <param name="epoch">The new cluster.</param>
    /// <returns>Its state.</returns>
    public EtcdState Found(NewEpoch epoch)
    {
        ArgumentNullException.ThrowIfNull(epoch);
        return this with { Small = epoch.Begin(Small) };
    }

    /// <summary>Encodes the state for a manifest.</summary>
    /// <returns>The small state.</returns>
    public byte[] ToSmallState() => Small.Encode();
}
