using System.Buffers.Binary;

namespace Cairn.Storage.Checkpoints;

/// <summary>Reads a checkpoint file from beginning to end.</summary>
/// <remarks>One user at a time, any thread. A chunk is verified before it is handed out; the whole is only after <see cref="TryReadNext"/> returned false.</remarks>
public sealed class CheckpointReader : IDisposable
{
    // One read of the disk.
    private const int BufferBytes = 1 << 20;

    private readonly IDiskFile _file;
    private readonly long _length;
    private byte[] _buffer = new byte[BufferBytes];
    private int _next;
    private int _filled;
    private long _bufferFrom;
    private long _chunks;
    private uint _checksum;
    private bool _ended;

    private CheckpointReader(IDiskFile file, long length)
    {
        _file = file;
        _length = length;
    }

    /// <summary>Opens a file.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="directory">Directory of the store.</param>
    /// <param name="checkpoint">As the manifest names it.</param>
    /// <returns>The reader, before the first chunk.</returns>
    /// <exception cref="CorruptionException">It is not a checkpoint file of that length.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public static CheckpointReader Open(IDisk disk, string directory, CheckpointFile checkpoint)
    {
        ArgumentNullException.ThrowIfNull(disk);
        ArgumentNullException.ThrowIfNull(checkpoint);
        var reader = new CheckpointReader(disk.Open($"{directory}/{checkpoint.Name}", OpenIntent.Read), checkpoint.Length);
        try
        {
            reader.ReadHeader();
            return reader;
        }
        catch
        {
            // Whatever happened, nobody else knows the open file.
            reader.Dispose();
            throw;
        }
    }

    /// <summary>Reads the next chunk.</summary>
    /// <param name="chunk">The chunk, valid until the next call; empty after the last.</param>
    /// <returns>False after the last chunk; the file is complete and sound then.</returns>
    /// <exception cref="CorruptionException">What lies there is not what was written.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public bool TryReadNext(out ReadOnlyMemory<byte> chunk)
    {
        chunk = default;
        if (_ended)
        {
            return false;
        }

        var at = _bufferFrom + _next;
        var header = Peek(CheckpointFormat.ChunkHeaderBytes).Span;
        var length = BinaryPrimitives.ReadInt32LittleEndian(header[4..]);
        if (length == 0)
        {
            ReadEnd(at);
            return false;
        }

        if (length is < 0 or > CheckpointFormat.ChunkBytesMax || length > _length - at - CheckpointFormat.ChunkHeaderBytes)
        {
            throw new CorruptionException(_file.Path, at, $"chunk of {length} bytes");
        }

        var whole = Peek(CheckpointFormat.ChunkHeaderBytes + length);
        chunk = whole[CheckpointFormat.ChunkHeaderBytes..];
        Span<byte> expected = stackalloc byte[CheckpointFormat.ChunkHeaderBytes];
        _checksum = CheckpointFormat.WriteChunkHeader(expected, _checksum, chunk.Span);
        if (!expected.SequenceEqual(whole.Span[..CheckpointFormat.ChunkHeaderBytes]))
        {
            throw new CorruptionException(_file.Path, at, $"checksum of chunk {_chunks}");
        }

        _chunks++;
        _next += whole.Length;
        return true;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file.Dispose();

    private void ReadHeader()
    {
        if (_file.Length != _length)
        {
            throw new CorruptionException(_file.Path, Math.Min(_file.Length, _length), $"{_file.Length} bytes, expected {_length}");
        }

        Span<byte> expected = stackalloc byte[CheckpointFormat.HeaderBytes];
        CheckpointFormat.WriteHeader(expected);
        if (!expected.SequenceEqual(Peek(CheckpointFormat.HeaderBytes).Span))
        {
            throw new CorruptionException(_file.Path, 0, "not the header of a checkpoint");
        }

        _next += CheckpointFormat.HeaderBytes;
    }

    private void ReadEnd(long at)
    {
        Span<byte> expected = stackalloc byte[CheckpointFormat.EndBytes];
        CheckpointFormat.WriteEnd(expected, _checksum, _chunks, at);
        if (!expected.SequenceEqual(Peek(CheckpointFormat.EndBytes).Span) || at + CheckpointFormat.EndBytes != _length)
        {
            throw new CorruptionException(_file.Path, at, "not the end of this checkpoint");
        }

        _ended = true;
    }

    private ReadOnlyMemory<byte> Peek(int length)
    {
        if (_filled - _next < length)
        {
            Fill(length);
        }

        return _buffer.AsMemory(_next, length);
    }

    private void Fill(int length)
    {
        var rest = _buffer.AsSpan(_next, _filled - _next);
        var buffer = _buffer.Length >= length ? _buffer : new byte[length];
        rest.CopyTo(buffer);
        _bufferFrom += _next;
        _next = 0;
        _filled = rest.Length;
        _buffer = buffer;
        var count = (int)Math.Min(_length - _bufferFrom, buffer.Length) - _filled;
        _filled += count > 0 ? _file.Read(_bufferFrom + _filled, buffer.AsSpan(_filled, count)) : 0;
        if (_filled < length)
        {
            throw new CorruptionException(_file.Path, _bufferFrom, $"the file ends at {_bufferFrom + _filled}, inside a record of {length} bytes");
        }
    }
}
