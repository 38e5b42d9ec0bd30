using System.Buffers.Binary;

namespace Cairn.EndToEnd.KillLoop;

/// <summary>The newest segment of a write-ahead log, to be damaged while the server is down.</summary>
/// <remarks>Source: etcd's WAL frames: eight bytes of little-endian length, of which the highest says how many bytes of padding follow.</remarks>
internal sealed class WalFile
{
    private readonly string _path;
    private readonly List<long> _records = [];

    private WalFile(string path)
    {
        _path = path;
        End = Walk(File.ReadAllBytes(path));
    }

    /// <summary>Where the last record ends.</summary>
    public long End { get; }

    /// <summary>Finds the record at a place.</summary>
    /// <param name="offset">A place before the end.</param>
    /// <returns>Where the record begins.</returns>
    public long RecordBefore(long offset) => _records.Last(start => start <= offset);

    /// <summary>Finds the newest segment.</summary>
    /// <param name="dataDirectory">Data directory of the server.</param>
    /// <returns>The segment.</returns>
    public static WalFile Last(string dataDirectory) =>
        new(Directory.GetFiles(Path.Combine(dataDirectory, "member", "wal"), "*.wal").Order(StringComparer.Ordinal).Last());

    /// <summary>Reads a byte.</summary>
    /// <param name="offset">Where.</param>
    /// <returns>The byte.</returns>
    public byte Read(long offset)
    {
        using var file = File.OpenRead(_path);
        file.Position = offset;
        return (byte)file.ReadByte();
    }

    /// <summary>Overwrites bytes.</summary>
    /// <param name="offset">Where.</param>
    /// <param name="bytes">With what.</param>
    public void Write(long offset, ReadOnlySpan<byte> bytes)
    {
        using var file = File.OpenWrite(_path);
        file.Position = offset;
        file.Write(bytes);
    }

    /// <summary>Cuts the file off.</summary>
    /// <param name="length">Its new length.</param>
    public void Truncate(long length)
    {
        using var file = File.OpenWrite(_path);
        file.SetLength(length);
    }

    private long Walk(ReadOnlySpan<byte> bytes)
    {
        var at = 0;
        while (at + sizeof(long) <= bytes.Length && BinaryPrimitives.ReadInt64LittleEndian(bytes[at..]) is var field and not 0)
        {
            _records.Add(at);
            var padding = field < 0 ? (int)((field >> 56) & 7) : 0;
            at += sizeof(long) + (int)(field & 0x00ff_ffff_ffff_ffff) + padding;
        }

        return at;
    }
}
