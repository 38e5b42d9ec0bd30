namespace Cairn.Storage.Revisions;

/// <summary>A record that now lies in two places; the owner of the index decides which of them counts.</summary>
/// <param name="Kind">What the record says.</param>
/// <param name="Revision">Which record.</param>
/// <param name="From">Where the index found it.</param>
/// <param name="To">Where it was copied to; readable, and durable once the owner is told.</param>
/// <param name="Handle">What the owner's <see cref="RecordLookup"/> returned for it, so that the index entry need not be searched again.</param>
public readonly record struct RecordMove(RecordKind Kind, Revision Revision, RecordPlace From, RecordPlace To, object Handle);

/// <summary>Asks the owner of the index whether a record is still needed, and at this place.</summary>
/// <remarks>
/// A record that is not needed is gone for good, so the answer must be right for every record of a segment that the newest manifest names in full; one that is
/// needed now and dies later costs only the copy. It is asked about every record, also about those that were marked dead: what it needs all the same, such as a
/// deletion that a rebuilt index has to see, is kept without counting as live. Must not keep <paramref name="payload"/>.
/// </remarks>
/// <param name="kind">What the record says.</param>
/// <param name="revision">Which record.</param>
/// <param name="place">Where it lies. If the index knows another place for it, this copy is not needed.</param>
/// <param name="payload">Its payload; valid during the call.</param>
/// <returns>Null if it is not needed; otherwise anything of the owner's, handed back in <see cref="RecordMove.Handle"/>.</returns>
public delegate object? RecordLookup(RecordKind kind, Revision revision, RecordPlace place, ReadOnlySpan<byte> payload);

/// <summary>Tells the owner of the index, on its own loop, that a record was copied.</summary>
/// <param name="move">From where to where.</param>
/// <returns>True if the index pointed to <see cref="RecordMove.From"/> and now points to <see cref="RecordMove.To"/>; false if the record died meanwhile.</returns>
public delegate bool RecordMover(in RecordMove move);
