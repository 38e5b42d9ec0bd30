using System.Buffers;
using Cairn.Protocol;
using Cairn.State.Mvcc;
using Cairn.Storage;

namespace Cairn.Server.Reads;

/// <summary>The answer to a range request, kept as places of rows, so that a caller can send it without parsing it.</summary>
/// <remarks>Immutable; any thread. Rows are read when they are written out.</remarks>
public sealed class RangeAnswer
{
    private readonly RangeResult _result;
    private readonly ResponseHeader? _header;
    private readonly Action<Exception> _onDamage;

    /// <summary>Joins a result and a header.</summary>
    /// <param name="result">The result.</param>
    /// <param name="header">The header; null for a piece that has none.</param>
    /// <param name="onDamage">Told when a row is not what was written: the member stops.</param>
    internal RangeAnswer(RangeResult result, ResponseHeader? header, Action<Exception> onDamage)
    {
        _onDamage = onDamage;
        _result = result;
        _header = header;
    }

    /// <summary>Size of the encoded <see cref="RangeResponse"/>, in bytes; can exceed what one message may carry.</summary>
    public long ByteCount => _result.ByteCount(_header);

    /// <summary>Number of rows.</summary>
    public int RowCount => _result.RowCount;

    /// <summary>Number of keys in the range, whatever the limit.</summary>
    public long Count => _result.Count;

    /// <summary>Writes a canonically encoded <see cref="RangeResponse"/>.</summary>
    /// <param name="destination">Where to.</param>
    /// <exception cref="CorruptionException">A row on disk is not what was written.</exception>
    public void WriteTo(IBufferWriter<byte> destination)
    {
        var end = WritePart(destination, 0, int.MaxValue);
        Invariant.Holds(end == RowCount);
    }

    /// <summary>Writes a part of it, so that a long answer is never in memory as a whole.</summary>
    /// <param name="destination">Where to.</param>
    /// <param name="from">First row; 0, or what the last part returned.</param>
    /// <param name="bytesMax">No row is begun after so many bytes.</param>
    /// <returns>The row with which the next part begins; all was written if it is <see cref="RowCount"/>.</returns>
    /// <exception cref="CorruptionException">A row on disk is not what was written.</exception>
    public int WritePart(IBufferWriter<byte> destination, int from, int bytesMax)
    {
        try
        {
            return _result.WritePart(destination, _header, from, bytesMax);
        }
        catch (CorruptionException damage)
        {
            _onDamage(damage);
            throw;
        }
    }

    /// <summary>Builds the message.</summary>
    /// <returns>A new message, for those who need the fields (JSON).</returns>
    /// <exception cref="CorruptionException">A row on disk is not what was written.</exception>
    public RangeResponse ToMessage()
    {
        try
        {
            var message = _result.ToMessage();
            message.Header = _header?.Clone();
            return message;
        }
        catch (CorruptionException damage)
        {
            _onDamage(damage);
            throw;
        }
    }
}
