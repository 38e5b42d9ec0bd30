namespace Cairn.Storage.Wal;

/// <summary>Where the records of a segment end that count.</summary>
/// <param name="Offset">First byte behind them.</param>
/// <param name="Crc">Running checksum there.</param>
/// <param name="Unproven">First byte of those that may never have been synced: nobody may trust them before they are written again.</param>
/// <param name="Tear">What was found behind <paramref name="Offset"/> instead of zeros or of whole batches, as a clause; null for a clean end.</param>
internal readonly record struct SegmentEnd(int Offset, uint Crc, int Unproven, string? Tear);
