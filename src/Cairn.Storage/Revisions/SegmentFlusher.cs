using System.Collections.Immutable;

namespace Cairn.Storage.Revisions;

/// <summary>Moves the tail to the files, beside the appender.</summary>
/// <remarks>
/// <see cref="FlushAsync"/> and <see cref="SyncAsync(RevisionLogEnds)"/> run one at a time. The lock guards only the list of segments that the disk does not have in full.
/// A segment counts as synced only when its name is durable too, so that no failure of a directory can lose what the tail has let go.
/// </remarks>
internal sealed class SegmentFlusher
{
    private readonly IDisk _disk;
    private readonly string _directory;
    private readonly long _unsyncedBytesMax;
    private readonly Lock _lock = new();
    private ImmutableArray<Segment> _segments = [];
    private int _running;

    /// <summary>Creates a flusher with nothing to do.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="unsyncedBytesMax">Bytes in files above which a flush syncs them too, so that the tail can use its memory again.</param>
    public SegmentFlusher(IDisk disk, string directory, long unsyncedBytesMax)
    {
        _disk = disk;
        _directory = directory;
        _unsyncedBytesMax = unsyncedBytesMax;
    }

    /// <summary>Bytes appended that the disk does not have for sure. Any thread.</summary>
    public long UnsyncedBytes
    {
        get
        {
            var bytes = 0L;
            foreach (var segment in Segments())
            {
                bytes += segment.End - segment.Synced;
            }

            return bytes;
        }
    }

    /// <summary>Takes on a segment. Called by the appender.</summary>
    /// <param name="segment">The newest.</param>
    public void Add(Segment segment)
    {
        lock (_lock)
        {
            _segments = _segments.Add(segment);
        }
    }

    /// <summary>Lets go of a segment.</summary>
    /// <param name="segment">One whose file failed.</param>
    public void Remove(Segment segment)
    {
        lock (_lock)
        {
            _segments = _segments.Remove(segment);
        }
    }

    /// <summary>Writes what was appended so far.</summary>
    /// <returns>Completes when written.</returns>
    /// <exception cref="IOException">The disk failed, now or before, and nobody salvaged the segment.</exception>
    public async ValueTask FlushAsync()
    {
        Begin();
        try
        {
            var segments = Segments();
            foreach (var segment in segments)
            {
                await WriteAsync(segment);
            }

            if (segments.Sum(segment => segment.Flushed - segment.Synced) > _unsyncedBytesMax)
            {
                foreach (var segment in segments)
                {
                    await SyncAsync(segment);
                }
            }
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }

    /// <summary>Makes a capture durable.</summary>
    /// <param name="ends">The capture.</param>
    /// <returns>Completes when durable.</returns>
    /// <exception cref="IOException">The disk failed, now or before, and nobody salvaged the segment.</exception>
    public async ValueTask SyncAsync(RevisionLogEnds ends)
    {
        Begin();
        try
        {
            foreach (var segment in Segments())
            {
                if (ends.Segments.FirstOrDefault(state => state.Id == segment.Id).End > segment.Synced)
                {
                    await WriteAsync(segment);
                    await SyncAsync(segment);
                }
            }
        }
        finally
        {
            Volatile.Write(ref _running, 0);
        }
    }

    private void Begin() => Invariant.Holds(Interlocked.Exchange(ref _running, 1) == 0);

    private ImmutableArray<Segment> Segments()
    {
        lock (_lock)
        {
            return _segments;
        }
    }

    private async ValueTask WriteAsync(Segment segment)
    {
        ThrowIfFailed(segment);
        try
        {
            var end = segment.End;
            var file = segment.File ?? segment.CreateFile(_disk);
            while (segment.Flushed < end)
            {
                var piece = segment.PieceFrom(segment.Flushed, end);
                await file.WriteAsync(segment.Flushed, piece);
                segment.Flushed += piece.Length;
            }
        }
        catch (IOException)
        {
            segment.Failed = true;
            throw;
        }
    }

    private async ValueTask SyncAsync(Segment segment)
    {
        ThrowIfFailed(segment);
        var isSealed = segment.IsSealed;
        var end = segment.Flushed;
        try
        {
            if (end > segment.Synced)
            {
                await (segment.File ?? throw Invariant.Unreachable("flushed without a file")).SyncAsync();
                if (segment.Synced == 0)
                {
                    await _disk.SyncDirectoryAsync(_directory);
                }

                segment.Synced = end;
            }
        }
        catch (IOException)
        {
            segment.Failed = true;
            throw;
        }

        if (isSealed && end == segment.End)
        {
            Remove(segment);
        }
    }

    private static void ThrowIfFailed(Segment segment)
    {
        if (segment.Failed)
        {
            throw new IOException($"{segment.Path}: not written again after a failure; its unsynced records wait to be salvaged");
        }
    }
}
