using System.Collections.Immutable;

namespace Cairn.Raft;

/// <summary>Who takes part in the decisions of the cluster, as a snapshot records it. Member ids ascend in every list.</summary>
/// <remarks>Source: raftpb.ConfState; joint configurations: Raft dissertation, section 4.3.</remarks>
public sealed record ConfState
{
    /// <summary>The configuration without members.</summary>
    public static ConfState Empty { get; } = new();

    /// <summary>Voters of the incoming (or only) configuration.</summary>
    public ImmutableArray<ulong> Voters { get; init; } = [];

    /// <summary>Members that receive the log but do not count.</summary>
    public ImmutableArray<ulong> Learners { get; init; } = [];

    /// <summary>Voters of the outgoing configuration; empty unless the configuration is joint.</summary>
    public ImmutableArray<ulong> VotersOutgoing { get; init; } = [];

    /// <summary>Voters of the outgoing configuration that become learners when the joint one is left.</summary>
    public ImmutableArray<ulong> LearnersNext { get; init; } = [];

    /// <summary>Whether the leader leaves the joint configuration by itself.</summary>
    public bool AutoLeave { get; init; }

    /// <summary>Compares contents: two configurations with the same members are the same.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>Whether all lists and the flag are equal.</returns>
    public bool Equals(ConfState? other) =>
        other is not null
        && AutoLeave == other.AutoLeave
        && Voters.AsSpan().SequenceEqual(other.Voters.AsSpan())
        && Learners.AsSpan().SequenceEqual(other.Learners.AsSpan())
        && VotersOutgoing.AsSpan().SequenceEqual(other.VotersOutgoing.AsSpan())
        && LearnersNext.AsSpan().SequenceEqual(other.LearnersNext.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        foreach (var id in Voters)
        {
            hash.Add(id);
        }

        hash.Add(Learners.Length);
        hash.Add(VotersOutgoing.Length);
        return hash.ToHashCode();
    }
}
