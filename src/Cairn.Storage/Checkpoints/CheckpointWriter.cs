namespace Cairn.Storage.Checkpoints;

/// <summary>Writes a checkpoint file from beginning to end, in chunks of the caller's making.</summary>
/// <remarks>
/// One user at a time, any thread. While one buffer is being written by the disk's thread, the next is filled. Before <see cref="FinishAsync"/> returned, the
/// file is nothing: no manifest names it, and the next start deletes it.
/// </remarks>
public sealed class CheckpointWriter : IDisposable
{
    // Two of these: large enough for the full speed of a disk, small beside the index that is written.
    private const int BufferBytes = 1 << 20;

    private readonly IDisk _disk;
    private readonly string _directory;
    private readonly string _name;
    private readonly IDiskFile _file;
    private byte[] _filling = new byte[BufferBytes];
    private byte[] _writing = new byte[BufferBytes];
    private Task _write = Task.CompletedTask;
    private int _filled;
    private long _written;
    private long _chunks;
    private uint _checksum;

    private CheckpointWriter(IDisk disk, string directory, string name)
    {
        _disk = disk;
        _directory = directory;
        _name = name;
        _file = disk.Open($"{directory}/{name}", OpenIntent.Create);
        CheckpointFormat.WriteHeader(_filling);
        _filled = CheckpointFormat.HeaderBytes;
    }

    /// <summary>Begins a file.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="number">Not used for a checkpoint of that directory before; see <see cref="Manifest.ManifestStore.TakeCheckpointNumber"/>.</param>
    /// <returns>The writer.</returns>
    /// <exception cref="IOException">The disk failed.</exception>
    public static CheckpointWriter Begin(IDisk disk, string directory, ulong number)
    {
        ArgumentNullException.ThrowIfNull(disk);
        return new CheckpointWriter(disk, directory, CheckpointFormat.NameOf(number));
    }

    /// <summary>Writes a chunk.</summary>
    /// <param name="chunk">From 1 byte to 64 MiB; copied. A few hundred KiB is best.</param>
    /// <returns>Completes when the caller may go on; at once unless the disk is behind.</returns>
    /// <exception cref="IOException">The disk failed; dispose the writer and begin another file later.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> chunk)
    {
        Invariant.Holds(chunk.Length is > 0 and <= CheckpointFormat.ChunkBytesMax);
        await ReserveAsync(CheckpointFormat.ChunkHeaderBytes);
        _checksum = CheckpointFormat.WriteChunkHeader(_filling.AsSpan(_filled), _checksum, chunk.Span);
        _filled += CheckpointFormat.ChunkHeaderBytes;
        _chunks++;
        while (!chunk.IsEmpty)
        {
            await ReserveAsync(1);
            var count = Math.Min(chunk.Length, BufferBytes - _filled);
            chunk[..count].CopyTo(_filling.AsMemory(_filled));
            _filled += count;
            chunk = chunk[count..];
        }
    }

    /// <summary>Writes the end, and makes the file durable, with its name.</summary>
    /// <returns>What a manifest names.</returns>
    /// <exception cref="IOException">The disk failed; dispose the writer and begin another file later.</exception>
    public async ValueTask<CheckpointFile> FinishAsync()
    {
        await ReserveAsync(CheckpointFormat.EndBytes);
        CheckpointFormat.WriteEnd(_filling.AsSpan(_filled), _checksum, _chunks, _written + _filled);
        _filled += CheckpointFormat.EndBytes;
        await StartWriteAsync();
        await _write;
        await _file.SyncAsync();
        await _disk.SyncDirectoryAsync(_directory);
        return new CheckpointFile(_name, _written);
    }

    /// <summary>Closes the file. An unfinished one stays until the next start deletes it.</summary>
    public void Dispose() => _file.Dispose();

    private ValueTask ReserveAsync(int bytes) => BufferBytes - _filled >= bytes ? ValueTask.CompletedTask : StartWriteAsync();

    private async ValueTask StartWriteAsync()
    {
        await _write;
        (_filling, _writing) = (_writing, _filling);
        _write = _file.WriteAsync(_written, _writing.AsMemory(0, _filled)).AsTask();
        _written += _filled;
        _filled = 0;
    }
}
