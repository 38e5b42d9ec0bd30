using Cairn.Raft;

namespace Cairn.Storage.Wal;

/// <summary>What a log held when it was opened.</summary>
/// <param name="Metadata">Whose log it is.</param>
/// <param name="State">The last hard state; its commit index may lag behind what was acknowledged.</param>
/// <param name="Entries">
/// The entries above the index asked for, in order, without gaps. The first one follows that index, unless a mark says that a snapshot replaced the log.
/// </param>
/// <param name="Marks">Snapshot marks in the order written, including those above <see cref="HardState.Commit"/>, which do not count yet.</param>
/// <param name="Repair">What was cut off, or null when the log ended cleanly.</param>
public sealed record WalContents(
    WalMetadata Metadata, HardState State, IReadOnlyList<Entry> Entries, IReadOnlyList<WalSnapshotMark> Marks, WalRepair? Repair)
{
    /// <summary>Index from which on no entry was missing in what was read.</summary>
    public ulong FirstIndex { get; init; }

    /// <summary>Last index of the log: of an entry, or of a marked snapshot that replaced what was there. 0 for an empty log.</summary>
    public ulong LastIndex { get; init; }
}

/// <summary>A torn tail that was cut off: the last batch, whose sync never returned, so that nobody was told of it.</summary>
/// <param name="Path">The segment.</param>
/// <param name="Offset">Where it ends now.</param>
/// <param name="Bytes">How many bytes were there behind that place.</param>
/// <param name="Reason">What was wrong with them, as a clause.</param>
/// <param name="Copy">Where the segment was kept as it was found; empty if there was no room for a copy.</param>
public sealed record WalRepair(string Path, long Offset, long Bytes, string Reason, string Copy);
