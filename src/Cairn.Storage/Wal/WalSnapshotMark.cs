using Cairn.Raft;

namespace Cairn.Storage.Wal;

/// <summary>Says that a snapshot up to an index is durable elsewhere.</summary>
/// <param name="Index">Last index that the snapshot covers; 0 at the birth of a log.</param>
/// <param name="Term">Term of that index.</param>
/// <param name="ConfState">Membership at that index.</param>
/// <remarks>Source: walpb.Snapshot.</remarks>
public readonly record struct WalSnapshotMark(ulong Index, ulong Term, ConfState ConfState);
