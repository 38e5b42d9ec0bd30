using System.Buffers;
using Cairn.Protocol;
using Cairn.Storage.Revisions;
using Google.Protobuf;

namespace Cairn.State.Mvcc;

/// <summary>The answer to a range request: where its rows lie, so that they go from the log to the wire without being parsed.</summary>
/// <remarks>Immutable; any thread. Rows are read when they are written out.</remarks>
public sealed class RangeResult
{
    private const uint HeaderTag = 0x0A;
    private const uint KvsTag = 0x12;
    private const uint MoreTag = 0x18;
    private const uint CountTag = 0x20;

    private readonly RevisionLogView? _log;
    private readonly RecordPlace[] _places;
    private readonly byte[][]? _rows;

    internal RangeResult(RevisionLogView? log, RecordPlace[] places, byte[][]? rows, long revision, long count, bool more)
    {
        Invariant.Holds(rows is null || rows.Length == places.Length);
        _log = log;
        _places = places;
        _rows = rows;
        Revision = revision;
        Count = count;
        More = more;
    }

    /// <summary>An answer without rows.</summary>
    public static RangeResult Empty { get; } = new(null, [], null, 0, 0, more: false);

    /// <summary>Revision of the store when it was read; belongs into the header.</summary>
    public long Revision { get; }

    /// <summary>Keys in the whole range, whatever the limit and the filters.</summary>
    public long Count { get; }

    /// <summary>Whether the limit cut the answer.</summary>
    public bool More { get; }

    /// <summary>Rows in the answer.</summary>
    public int RowCount => _places.Length;

    /// <summary>Size of the encoded <see cref="RangeResponse"/>, in bytes, without reading a row.</summary>
    /// <param name="header">What to put into the header; null leaves it out.</param>
    /// <returns>Bytes.</returns>
    public long ByteCount(ResponseHeader? header)
    {
        long count = header is null ? 0 : LengthOfField(header.CalculateSize());
        for (var i = 0; i < _places.Length; i++)
        {
            count += LengthOfField(LengthOf(i));
        }

        return count + (More ? 2 : 0) + (Count != 0 ? 1 + WireReader.LengthOfVarint((ulong)Count) : 0);
    }

    /// <summary>Writes a canonically encoded <see cref="RangeResponse"/>.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="header">What to put into the header; null leaves it out.</param>
    /// <exception cref="Cairn.Storage.CorruptionException">A row on disk is not what was written.</exception>
    public void WriteTo(IBufferWriter<byte> writer, ResponseHeader? header)
    {
        var end = WritePart(writer, header, 0, int.MaxValue);
        Invariant.Holds(end == _places.Length);
    }

    /// <summary>Writes a part of a canonically encoded <see cref="RangeResponse"/>: header before the first row, the rest behind the last.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="header">What to put into the header; null leaves it out.</param>
    /// <param name="from">First row; 0, or what the last part returned.</param>
    /// <param name="bytesMax">No row is begun after so many bytes.</param>
    /// <returns>The row with which the next part begins; all was written if it is <see cref="RowCount"/>.</returns>
    /// <exception cref="Cairn.Storage.CorruptionException">A row on disk is not what was written.</exception>
    public int WritePart(IBufferWriter<byte> writer, ResponseHeader? header, int from, int bytesMax)
    {
        Invariant.Holds(from >= 0 && bytesMax > 0);
        if (header is not null && from == 0)
        {
            WriteTag(writer, HeaderTag, (ulong)header.CalculateSize());
            header.WriteTo(writer);
        }

        var bytes = 0L;
        for (var i = from; i < _places.Length; i++)
        {
            if (bytes >= bytesMax)
            {
                return i;
            }

            WriteTag(writer, KvsTag, (ulong)LengthOf(i));
            WriteRow(writer, i);
            bytes += LengthOf(i);
        }

        if (More)
        {
            WriteTag(writer, MoreTag, 1);
        }

        if (Count != 0)
        {
            WriteTag(writer, CountTag, (ulong)Count);
        }

        return _places.Length;
    }

    /// <summary>Reads the rows as messages.</summary>
    /// <returns>A new message whose header holds the revision.</returns>
    /// <exception cref="Cairn.Storage.CorruptionException">A row on disk is not what was written.</exception>
    public RangeResponse ToMessage()
    {
        var message = new RangeResponse { Header = new ResponseHeader { Revision = Revision }, Count = Count, More = More };
        for (var i = 0; i < _places.Length; i++)
        {
            message.Kvs.Add(KeyValue.Parser.ParseFrom(RowAt(i)));
        }

        return message;
    }

    /// <summary>Reads one row.</summary>
    /// <param name="position">From 0.</param>
    /// <returns>Canonical mvccpb.KeyValue.</returns>
    /// <exception cref="Cairn.Storage.CorruptionException">The row on disk is not what was written.</exception>
    public byte[] RowAt(int position)
    {
        if (_rows is not null)
        {
            return _rows[position];
        }

        var row = GC.AllocateUninitializedArray<byte>(_places[position].Length);
        _log!.Read(_places[position], row); // Only the answer without places has no log.
        return row;
    }

    private static long LengthOfField(long length) => 1 + WireReader.LengthOfVarint((ulong)length) + length;

    private static void WriteTag(IBufferWriter<byte> writer, uint tag, ulong value)
    {
        var span = writer.GetSpan(11);
        span[0] = (byte)tag;
        writer.Advance(1 + WireReader.WriteVarint(span[1..], value));
    }

    private int LengthOf(int position) => _rows is null ? _places[position].Length : _rows[position].Length;

    private void WriteRow(IBufferWriter<byte> writer, int position)
    {
        if (_rows is null)
        {
            _log!.Read(_places[position], writer); // Only the answer without places has no log.
        }
        else
        {
            writer.Write(_rows[position]);
        }
    }
}
