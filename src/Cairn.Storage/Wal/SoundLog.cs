using Cairn.Raft;

namespace Cairn.Storage.Wal;

/// <summary>What is sound of a damaged log.</summary>
/// <param name="Metadata">Whose log it is, if that is known.</param>
/// <param name="Entries">The entries above the index that was asked for that follow it without a gap.</param>
/// <param name="State">The last state.</param>
/// <param name="IsWhole">Whether the damage is below that index only: then these are all entries above it, and the state is the last one.</param>
public readonly record struct SoundLog(WalMetadata? Metadata, IReadOnlyList<Entry> Entries, HardState State, bool IsWhole);
