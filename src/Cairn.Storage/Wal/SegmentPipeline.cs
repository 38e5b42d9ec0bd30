namespace Cairn.Storage.Wal;

/// <summary>Keeps the next segment ready, so that beginning it costs no reservation of space at that moment. Owned by <see cref="WriteAheadLog"/>.</summary>
internal sealed class SegmentPipeline : IAsyncDisposable
{
    private readonly IDisk _disk;
    private readonly string _path;
    private readonly long _segmentBytes;
    private Task<PreparedSegment>? _next;

    /// <summary>Creates the pipeline; nothing is prepared yet.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the log.</param>
    /// <param name="segmentBytes">Bytes to reserve for a segment.</param>
    public SegmentPipeline(IDisk disk, string directory, long segmentBytes)
    {
        _disk = disk;
        _path = $"{directory}/0.tmp";
        _segmentBytes = segmentBytes;
    }

    /// <summary>Begins to prepare a segment, unless one is there or under way.</summary>
    public void Begin() => _next ??= PrepareAsync(_segmentBytes);

    /// <summary>Takes the prepared segment, or prepares one now.</summary>
    /// <param name="bytes">How many bytes it must hold; larger than usual for a large batch.</param>
    /// <returns>The segment; the caller renames or discards it.</returns>
    /// <exception cref="IOException">There is no room, or the disk failed. Asking again later may succeed.</exception>
    public async ValueTask<PreparedSegment> TakeAsync(long bytes)
    {
        if (_next is { } next)
        {
            _next = null;
            try
            {
                var prepared = await next;
                if (prepared.Bytes >= bytes)
                {
                    return prepared;
                }

                prepared.Dispose();
            }
            catch (IOException)
            {
                // That was some time ago. Whether there is room now is seen below.
            }
        }

        return await PrepareAsync(Math.Max(bytes, _segmentBytes));
    }

    /// <summary>Removes a segment that nobody took.</summary>
    /// <returns>Completes when no preparation is under way any more.</returns>
    public async ValueTask DisposeAsync()
    {
        if (_next is { } next)
        {
            _next = null;
            try
            {
                using var prepared = await next;
                _disk.Delete(prepared.Path);
            }
            catch (IOException)
            {
                // What is left of it is deleted when the log is opened.
            }
        }
    }

    private async Task<PreparedSegment> PrepareAsync(long bytes)
    {
        if (_disk.FileExists(_path))
        {
            _disk.Delete(_path);
        }

        var file = await _disk.PrepareAsync(_path, bytes);
        try
        {
            return new PreparedSegment(_path, file, LockedSegment.Lock(_disk, _path), bytes);
        }
        catch
        {
            // Nobody else knows of the file yet.
            file.Dispose();
            throw;
        }
    }
}

/// <summary>A segment without a head and a name.</summary>
/// <param name="Path">Its temporary name.</param>
/// <param name="File">Open for writing.</param>
/// <param name="Lock">Held on the file, whatever its name.</param>
/// <param name="Bytes">Bytes reserved.</param>
internal sealed record PreparedSegment(string Path, IDiskFile File, IDisposable Lock, long Bytes) : IDisposable
{
    /// <summary>Lets go of file and lock.</summary>
    public void Dispose()
    {
        File.Dispose();
        Lock.Dispose();
    }
}

/// <summary>A segment of an open log.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Held">The lock that keeps other processes away; null for one that is only waiting to be deleted.</param>
internal sealed record LockedSegment(SegmentName Name, IDisposable? Held)
{
    /// <summary>Locks a segment, as etcd does, so that the two never have one log open at once.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="path">The segment.</param>
    /// <returns>The lock.</returns>
    /// <exception cref="DiskException">Another process holds it (EAGAIN).</exception>
    public static IDisposable Lock(IDisk disk, string path) => disk.TryLock(path) ?? throw new DiskException(path, "lock", Errno.Again);
}
