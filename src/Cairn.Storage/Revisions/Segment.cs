namespace Cairn.Storage.Revisions;

/// <summary>The bytes of one segment, wherever they are: in buffers of the tail, in the file, or in both.</summary>
/// <remarks>
/// <para>
/// One appender (<see cref="Append"/>, <see cref="Publish"/>, <see cref="Release"/>), one flusher (<see cref="CreateFile"/> and the marks), readers on any
/// thread. What lies below <see cref="End"/> never changes. A buffer goes only after its bytes were synced, so what is not in memory is in the file.
/// </para>
/// <para>
/// A segment that the log dropped stays readable for whoever still holds a view of it: the file is deleted, its handle is not; it closes when the last view is
/// collected.
/// </para>
/// </remarks>
internal sealed class Segment
{
    private readonly int _chunkBytes;
    private readonly long _memoryFrom;
    private readonly TailChunk?[] _chunks;
    private IDiskFile? _file;
    private long _writtenEnd;
    private long _end;
    private long _flushed;
    private long _synced;
    private long _firstMain = long.MaxValue;
    private long _lastMain = long.MinValue;
    private volatile bool _failed;
    private volatile bool _sealed;

    private Segment(string directory, uint id, int chunkBytes, int chunkCount, long from, IDiskFile? file)
    {
        Invariant.Holds(id > 0);
        Id = id;
        Path = SegmentFormat.PathOf(directory, id);
        _chunkBytes = chunkBytes;
        _chunks = new TailChunk?[chunkCount];
        _memoryFrom = from;
        _writtenEnd = from;
        _end = from;
        _flushed = from;
        _synced = from;
        _file = file;
    }

    /// <summary>Number of the segment; never used twice.</summary>
    public uint Id { get; }

    /// <summary>Its file, relative to the data directory.</summary>
    public string Path { get; }

    /// <summary>Marks for readers that look for a revision.</summary>
    public SparsePlaces Sparse { get; } = new();

    /// <summary>End of the last complete record.</summary>
    public long End => Volatile.Read(ref _end);

    /// <summary>What the file has, synced or not.</summary>
    public long Flushed
    {
        get => Volatile.Read(ref _flushed);
        set => Volatile.Write(ref _flushed, value);
    }

    /// <summary>What the disk has for sure.</summary>
    public long Synced
    {
        get => Volatile.Read(ref _synced);
        set => Volatile.Write(ref _synced, value);
    }

    /// <summary>Whether a write or a sync of the file failed: what was not synced by then exists in memory only.</summary>
    public bool Failed
    {
        get => _failed;
        set => _failed = value;
    }

    /// <summary>Which transactions it holds; grows while it is appended to.</summary>
    public RevisionRange Revisions => new(Volatile.Read(ref _firstMain), Volatile.Read(ref _lastMain));

    /// <summary>The open file, unless nothing was flushed yet.</summary>
    public IDiskFile? File => Volatile.Read(ref _file);

    /// <summary>A segment to append to, in memory so far.</summary>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="id">Its number.</param>
    /// <param name="options">Sizes.</param>
    /// <param name="firstRecordBytes">Size of the first record, which decides how large the segment may grow.</param>
    /// <param name="memory">Where its buffers come from.</param>
    /// <returns>The segment, with its header.</returns>
    public static Segment Begin(string directory, uint id, RevisionLogOptions options, long firstRecordBytes, TailMemory memory)
    {
        var capacity = Math.Max(options.SegmentBytes, SegmentFormat.HeaderBytes + firstRecordBytes);
        var segment = new Segment(directory, id, options.ChunkBytes, ChunksOf(capacity, options.ChunkBytes), from: 0, file: null);
        Span<byte> header = stackalloc byte[SegmentFormat.HeaderBytes];
        SegmentFormat.Write(header, id);
        segment.Append(header, memory);
        Volatile.Write(ref segment._end, segment._writtenEnd);
        return segment;
    }

    /// <summary>A segment of which only the file is used: an old one, or the output of the cleaner.</summary>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="id">Its number.</param>
    /// <param name="file">Its file; null if the first flush makes it.</param>
    /// <param name="end">Bytes that count; the disk has them.</param>
    /// <param name="revisions">Which transactions they are.</param>
    /// <returns>The segment.</returns>
    public static Segment OfFile(string directory, uint id, IDiskFile? file, long end, RevisionRange revisions) =>
        new(directory, id, chunkBytes: int.MaxValue, chunkCount: 0, end, file) { _firstMain = revisions.FirstMain, _lastMain = revisions.LastMain };

    /// <summary>A segment of a file that is appended to further.</summary>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="state">As the manifest has it.</param>
    /// <param name="file">Its file.</param>
    /// <param name="options">Sizes.</param>
    /// <returns>The segment.</returns>
    public static Segment Continue(string directory, SegmentState state, IDiskFile file, RevisionLogOptions options)
    {
        var chunks = ChunksOf(Math.Max(options.SegmentBytes, state.End), options.ChunkBytes);
        return new Segment(directory, state.Id, options.ChunkBytes, chunks, state.End, file)
        {
            _firstMain = state.Revisions.FirstMain,
            _lastMain = state.Revisions.LastMain,
        };
    }

    /// <summary>Whether a record still fits.</summary>
    /// <param name="recordBytes">Header and payload.</param>
    /// <returns>False if the next segment is due.</returns>
    public bool HasRoom(long recordBytes) => !_sealed && !_failed && _writtenEnd + recordBytes <= (long)_chunks.Length * _chunkBytes;

    /// <summary>Whether nothing is appended to it any more.</summary>
    public bool IsSealed => _sealed;

    /// <summary>Ends appending.</summary>
    public void Seal() => _sealed = true;

    /// <summary>Appends bytes; nobody sees them before <see cref="Publish"/>.</summary>
    /// <param name="bytes">Part of a record.</param>
    /// <param name="memory">Where buffers come from.</param>
    public void Append(ReadOnlySpan<byte> bytes, TailMemory memory)
    {
        while (!bytes.IsEmpty)
        {
            var (index, within) = Locate(_writtenEnd);
            var chunk = _chunks[index];
            if (chunk is null)
            {
                chunk = memory.Take(this, index);
                Volatile.Write(ref _chunks[index], chunk);
            }

            var count = Math.Min(bytes.Length, _chunkBytes - within);
            bytes[..count].CopyTo(chunk.SpanFrom(within));
            bytes = bytes[count..];
            _writtenEnd += count;
        }
    }

    /// <summary>Makes the record appended last visible.</summary>
    /// <param name="revision">Its revision.</param>
    /// <param name="offset">Where it begins.</param>
    public void Publish(Revision revision, long offset)
    {
        Invariant.Holds(revision.Main >= _lastMain && offset == _end);
        Sparse.Add(revision, offset);
        ShowRecords(revision.Main, revision.Main, _writtenEnd);
    }

    /// <summary>Makes records visible that were written past the tail, straight into the file.</summary>
    /// <param name="firstMain">Revision of the first of them.</param>
    /// <param name="lastMain">Revision of the last of them.</param>
    /// <param name="end">End of the last of them.</param>
    public void ShowRecords(long firstMain, long lastMain, long end)
    {
        Invariant.Holds(end > _end && lastMain >= _lastMain);
        _writtenEnd = end;
        if (_firstMain == long.MaxValue)
        {
            Volatile.Write(ref _firstMain, firstMain);
        }

        Volatile.Write(ref _lastMain, lastMain);
        Volatile.Write(ref _end, end);
    }

    /// <summary>Whether a buffer is not needed any more.</summary>
    /// <param name="index">Which piece.</param>
    /// <returns>True once everything in it is on disk.</returns>
    public bool CanRelease(int index) => Synced >= Math.Min((index + 1L) * _chunkBytes, _writtenEnd) && (_sealed || index < Locate(_writtenEnd).Index);

    /// <summary>Takes a buffer out; readers use the file from here on.</summary>
    /// <param name="index">Which piece.</param>
    /// <returns>The buffer.</returns>
    public TailChunk Release(int index)
    {
        var chunk = _chunks[index];
        Invariant.Holds(chunk is not null && CanRelease(index));
        Volatile.Write(ref _chunks[index], null);
        return chunk;
    }

    /// <summary>Makes the file, empty. Called by the flusher, before it writes for the first time.</summary>
    /// <param name="disk">Where.</param>
    /// <returns>The file.</returns>
    public IDiskFile CreateFile(IDisk disk)
    {
        Invariant.Holds(_file is null);
        var file = disk.Open(Path, OpenIntent.Create);
        Volatile.Write(ref _file, file);
        return file;
    }

    /// <summary>The next piece for the file. Called by the flusher.</summary>
    /// <param name="from">Where to begin.</param>
    /// <param name="end">Where to end at the latest.</param>
    /// <returns>Bytes of one buffer; valid until they are synced.</returns>
    public ReadOnlyMemory<byte> PieceFrom(long from, long end)
    {
        var (index, within) = Locate(from);
        var chunk = Volatile.Read(ref _chunks[index]);
        Invariant.Holds(chunk is not null && from < end);
        return chunk.Slice(within, (int)Math.Min(end - from, _chunkBytes - within));
    }

    /// <summary>Reads published bytes, on any thread.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="destination">What to fill; must end at or before <see cref="End"/>.</param>
    /// <exception cref="CorruptionException">The file is too short.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        while (!destination.IsEmpty)
        {
            var count = ReadFromMemory(offset, destination);
            if (count == 0)
            {
                count = (int)Math.Min(destination.Length, MemoryAfter(offset) - offset);
                ReadFromFile(offset, destination[..count]);
            }

            offset += count;
            destination = destination[count..];
        }
    }

    /// <summary>Reads from the file, whether or not the bytes are in memory too: what the scrubber looks at.</summary>
    /// <param name="offset">First byte.</param>
    /// <param name="destination">What to fill; must end at or before <see cref="Flushed"/>.</param>
    /// <exception cref="CorruptionException">The file is too short.</exception>
    public void ReadFromFile(long offset, Span<byte> destination)
    {
        var file = File;
        Invariant.Holds(file is not null, $"{Path}, offset {offset}");
        var count = file.Read(offset, destination);
        if (count != destination.Length)
        {
            throw new CorruptionException(Path, offset, $"the file ends at {offset + count}, before {offset + destination.Length}");
        }
    }

    private int ReadFromMemory(long offset, Span<byte> destination)
    {
        var (index, within) = Locate(offset);
        if (offset < _memoryFrom || index >= _chunks.Length || Volatile.Read(ref _chunks[index]) is not { } chunk)
        {
            return 0;
        }

        var count = Math.Min(destination.Length, _chunkBytes - within);
        return chunk.TryCopy(Id, index, within, destination[..count]) ? count : 0;
    }

    // Where the next buffer begins: up to there one read of the file is enough.
    private long MemoryAfter(long offset)
    {
        if (_chunks.Length == 0)
        {
            return long.MaxValue;
        }

        for (var index = Locate(Math.Max(offset, _memoryFrom)).Index; index < _chunks.Length; index++)
        {
            var from = Math.Max(_memoryFrom, (long)index * _chunkBytes);
            if (from > offset && Volatile.Read(ref _chunks[index]) is not null)
            {
                return from;
            }
        }

        return long.MaxValue;
    }

    private (int Index, int Within) Locate(long offset) => ((int)(offset / _chunkBytes), (int)(offset % _chunkBytes));

    private static int ChunksOf(long bytes, int chunkBytes) => (int)((bytes + chunkBytes - 1) / chunkBytes);

    /// <summary>Deletes the file of a segment that no manifest ever named. If it cannot be deleted now, the next start does it.</summary>
    /// <param name="disk">The disk.</param>
    public void DeleteUnnamed(IDisk disk)
    {
        if (File is null)
        {
            return;
        }

        try
        {
            disk.Delete(Path);
        }
        catch (IOException)
        {
            // Room that comes back later; nothing depends on it.
        }
    }
}
