namespace Cairn.Storage.Wal;

/// <summary>Makes the last segment of a log that was just read fit to be continued: cuts off a torn tail, and makes durable what was read.</summary>
/// <remarks>Owned by one opening. A crash in the middle leaves a log that opens to the same contents.</remarks>
internal sealed class TailRecovery
{
    private readonly IDisk _disk;
    private readonly WalReader _reader;

    /// <summary>Prepares.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="reader">Has read the log to its end.</param>
    /// <param name="file">The last segment, open for writing; stays the caller's.</param>
    public TailRecovery(IDisk disk, WalReader reader, IDiskFile file)
    {
        _disk = disk;
        _reader = reader;
        File = file;
    }

    /// <summary>The last segment.</summary>
    public IDiskFile File { get; }

    /// <summary>Bytes of the segment that can be written without asking the file system for room.</summary>
    public long Reserved { get; private set; }

    /// <summary>What was cut off; null if nothing.</summary>
    public WalRepair? Repair { get; private set; }

    /// <summary>Does it.</summary>
    /// <param name="segmentBytes">Bytes to reserve for the segment.</param>
    /// <returns>Completes when everything that was read is durable.</returns>
    public async ValueTask RunAsync(long segmentBytes)
    {
        var end = _reader.End;
        Invariant.Holds(end.Unproven <= end.Offset && end.Offset <= _reader.Length);
        Reserved = _reader.Length;
        if (end.Tear is not null)
        {
            Repair = await CutAsync(end.Tear);
            Reserved = end.Offset;
        }

        // What was read may have come from the page cache of a sync that failed in an earlier process. Written again, it is dirty again, and really synced.
        await File.WriteAndSyncAsync(end.Unproven, _reader.Unproven);
        if (Reserved < segmentBytes && await TryReserveAsync(segmentBytes))
        {
            Reserved = segmentBytes;
        }
    }

    private async ValueTask<WalRepair> CutAsync(string tear)
    {
        var end = _reader.End.Offset;
        var everything = _reader.Everything;
        var copy = $"{File.Path}.broken";
        try
        {
            using var file = await _disk.PrepareAsync(copy, everything.Length);
            await file.WriteAndSyncAsync(0, everything);
        }
        catch (DiskException failure) when (failure.IsNoSpace)
        {
            // The copy is a courtesy; the member must start without it on a full disk.
            copy = "";
        }

        File.SetLength(end);
        return new WalRepair(File.Path, end, Math.Max(everything.Length - end, 0), tear, copy);
    }

    private async ValueTask<bool> TryReserveAsync(long bytes)
    {
        try
        {
            File.Allocate(0, bytes);
        }
        catch (DiskException failure) when (failure.IsNoSpace)
        {
            // The log is whole. The first batch that finds no room says so.
            return false;
        }

        await File.SyncAsync();
        return true;
    }
}
