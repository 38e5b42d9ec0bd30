using System.Buffers;
using Cairn.Protocol;
using Cairn.State.Mvcc;

namespace Cairn.Server.Reads;

/// <summary>The answer to a range request, kept as places of rows, so that a caller can send it without parsing it.</summary>
/// <remarks>Immutable; any thread. Rows are read when they are written out.</remarks>
public sealed class RangeAnswer
{
    private readonly RangeResult _result;
    private readonly ResponseHeader? _header;

    /// <summary>Joins a result and a header.</summary>
    /// <param name="result">The result.</param>
    /// <param name="header">The header; null for a piece that has none.</param>
    internal RangeAnswer(RangeResult result, ResponseHeader? header)
    {
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
    public void WriteTo(IBufferWriter<byte> destination) => _result.WriteTo(destination, _header);

    /// <summary>Builds the message.</summary>
    /// <returns>A new message, for those who need the fields (JSON).</returns>
    public RangeResponse ToMessage()
    {
        var message = _result.ToMessage();
        message.Header = _header?.Clone();
        return message;
    }
}
