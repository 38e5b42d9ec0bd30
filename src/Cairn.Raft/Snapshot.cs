namespace Cairn.Raft;

/// <summary>Up to where a snapshot reaches, and who were the members there.</summary>
/// <param name="ConfState">The configuration at <paramref name="Index"/>.</param>
/// <param name="Index">Last index that the snapshot covers; 0 is no snapshot.</param>
/// <param name="Term">Term of the entry at <paramref name="Index"/>.</param>
/// <remarks>Source: raftpb.SnapshotMetadata.</remarks>
public sealed record SnapshotMetadata(ConfState ConfState, ulong Index, ulong Term)
{
    /// <summary>Covers nothing.</summary>
    public static SnapshotMetadata Empty { get; } = new(ConfState.Empty, 0, 0);
}

/// <summary>Stands for all entries up to an index.</summary>
/// <param name="Data">The state machine's own bytes, opaque here. Owned by the snapshot: nobody changes them afterwards.</param>
/// <param name="Metadata">What the snapshot covers.</param>
/// <remarks>Source: raftpb.Snapshot.</remarks>
public sealed record Snapshot(ReadOnlyMemory<byte> Data, SnapshotMetadata Metadata)
{
    /// <summary>The snapshot that covers nothing.</summary>
    public static Snapshot Empty { get; } = new(default, SnapshotMetadata.Empty);

    /// <summary>Whether the snapshot covers nothing.</summary>
    public bool IsEmpty => Metadata.Index == 0;

    /// <summary>Last index that the snapshot covers.</summary>
    public ulong Index => Metadata.Index;

    /// <summary>Term of the entry at <see cref="Index"/>.</summary>
    public ulong Term => Metadata.Term;

    /// <summary>Compares contents, bytes included.</summary>
    /// <param name="other">The other one.</param>
    /// <returns>Whether both are the same snapshot.</returns>
    public bool Equals(Snapshot? other) => other is not null && Metadata == other.Metadata && Data.Span.SequenceEqual(other.Data.Span);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Metadata, Data.Length);
}
