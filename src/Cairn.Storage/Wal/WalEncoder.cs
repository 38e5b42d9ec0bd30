using System.Buffers.Binary;
using Cairn.Raft;
using Cairn.Raft.Wire;

namespace Cairn.Storage.Wal;

/// <summary>Encodes one batch of records into one buffer, which is reused by the next. Owned by <see cref="WriteAheadLog"/>; not thread-safe.</summary>
internal sealed class WalEncoder
{
    // A batch above that is rare (large values in a burst); its buffer goes back to the collector.
    private const int BufferBytesKeptMax = 16 << 20;

    // 32 bits in groups of seven.
    private const int CrcVarintBytesMax = 5;

    private byte[] _buffer = new byte[64 << 10];
    private int _length;

    /// <summary>Running checksum behind the last record encoded.</summary>
    public uint Crc { get; private set; }

    /// <summary>Bytes of the batch so far.</summary>
    public int Length => _length;

    /// <summary>The batch. Valid until the next <see cref="Begin"/>.</summary>
    public ReadOnlyMemory<byte> Batch => _buffer.AsMemory(0, _length);

    /// <summary>Forgets the batch before and begins a new one.</summary>
    /// <param name="crc">Running checksum of the log up to here.</param>
    public void Begin(uint crc)
    {
        Crc = crc;
        _length = 0;
        if (_buffer.Length > BufferBytesKeptMax)
        {
            _buffer = new byte[BufferBytesKeptMax];
        }
    }

    /// <summary>Appends the first record of a segment: the checksum with which its chain begins.</summary>
    public void AppendCrc()
    {
        Reserve(0);
        WriteFrame(WalRecordType.Crc, 2 + 1 + Varint.Size(Crc), 0);
    }

    /// <summary>Appends a record whose payload is at hand.</summary>
    /// <param name="type">Its type.</param>
    /// <param name="data">Its payload.</param>
    public void Append(WalRecordType type, ReadOnlySpan<byte> data)
    {
        data.CopyTo(Reserve(data.Length));
        Seal(type, data.Length);
    }

    /// <summary>Appends an entry.</summary>
    /// <param name="entry">The entry.</param>
    public void Append(in Entry entry)
    {
        var size = EntryWire.Size(entry);
        EntryWire.Write(entry, Reserve(size));
        Seal(WalRecordType.Entry, size);
    }

    /// <summary>Appends the state that ends a batch.</summary>
    /// <param name="state">The state.</param>
    /// <param name="batch">Where in the segment the batch begins.</param>
    public void Append(HardState state, long batch)
    {
        var size = WalPayload.StateSize(state, batch);
        WalPayload.WriteState(state, batch, Reserve(size));
        Seal(WalRecordType.State, size);
    }

    private static int HeadSize(int dataBytes, int crcBytes) => 2 + 1 + crcBytes + 1 + Varint.Size((ulong)dataBytes);

    // Where the payload goes if the checksum takes its five bytes, as fifteen of sixteen do.
    private Span<byte> Reserve(int dataBytes)
    {
        var start = _length + WalFrame.LengthFieldBytes + HeadSize(dataBytes, CrcVarintBytesMax);
        var needed = start + dataBytes + WalFrame.Alignment;
        if (needed > _buffer.Length)
        {
            Array.Resize(ref _buffer, Math.Max(needed, _buffer.Length * 2));
        }

        return _buffer.AsSpan(start, dataBytes);
    }

    private void Seal(WalRecordType type, int dataBytes)
    {
        var record = _length + WalFrame.LengthFieldBytes;
        var data = _buffer.AsSpan(record + HeadSize(dataBytes, CrcVarintBytesMax), dataBytes);
        Crc = Crc32C.Update(Crc, data);
        var crcBytes = Varint.Size(Crc);
        var head = HeadSize(dataBytes, crcBytes);
        if (crcBytes < CrcVarintBytesMax)
        {
            data.CopyTo(_buffer.AsSpan(record + head));
        }

        _buffer[record + 2 + 1 + crcBytes] = WalFrame.DataTag;
        Varint.Write(_buffer.AsSpan(record + 2 + 1 + crcBytes + 1), (ulong)dataBytes);
        WriteFrame(type, head + dataBytes, dataBytes);
    }

    private void WriteFrame(WalRecordType type, int recordBytes, int dataBytes)
    {
        Invariant.Holds(_length % WalFrame.Alignment == 0);
        Invariant.Holds(dataBytes < recordBytes);
        var recordAt = _length + WalFrame.LengthFieldBytes;
        BinaryPrimitives.WriteUInt64LittleEndian(_buffer.AsSpan(_length), WalFrame.LengthField(recordBytes, out var padding));
        _buffer[recordAt] = WalFrame.TypeTag;
        _buffer[recordAt + 1] = (byte)type;
        Varint.WriteField(_buffer.AsSpan(recordAt + 2), WalFrame.CrcTag, Crc);
        _buffer.AsSpan(recordAt + recordBytes, padding).Clear();
        _length = recordAt + recordBytes + padding;
    }
}
