namespace Cairn.Cli;

/// <summary>A file that goes to the disk as it is written, and not all at its end: a gigabyte at once fills the disk's queue, and whoever syncs beside it waits for that.</summary>
/// <param name="path">The file; one that is there is replaced.</param>
internal sealed class SteadyFile(string path) : FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None)
{
    // Some hundredths of a second of a disk's time.
    private const int UnsyncedBytesMax = 4 << 20;

    private int _unsynced;

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await base.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        _unsynced += buffer.Length;
        if (_unsynced >= UnsyncedBytesMax)
        {
            Flush(flushToDisk: true);
            _unsynced = 0;
        }
    }
}
