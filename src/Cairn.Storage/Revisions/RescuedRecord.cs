namespace Cairn.Storage.Revisions;

/// <summary>A record that needs a new place, because its segment is damaged.</summary>
/// <param name="Kind">What it says.</param>
/// <param name="Revision">Which record.</param>
/// <param name="Place">Where the index has it.</param>
/// <param name="Payload">What it holds, verified, or fetched from another member.</param>
/// <param name="Handle">For the <see cref="RecordMover"/>.</param>
public readonly record struct RescuedRecord(RecordKind Kind, Revision Revision, RecordPlace Place, ReadOnlyMemory<byte> Payload, object Handle);
