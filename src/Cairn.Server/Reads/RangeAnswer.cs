using System.Buffers;
using Cairn.Protocol;

namespace Cairn.Server.Reads;

/// <summary>The answer to a range request, kept as the rows are kept, so that a caller can send it without parsing it.</summary>
/// <remarks>Immutable; any thread.</remarks>
public sealed class RangeAnswer
{
    private readonly InvalidOperationException _notRunning = new("The node does not run.");

    /// <summary>Size of the encoded <see cref="RangeResponse"/>, in bytes.</summary>
    public int ByteCount => throw _notRunning;

    /// <summary>Writes a canonically encoded <see cref="RangeResponse"/>.</summary>
    /// <param name="destination">Where to.</param>
    public void WriteTo(IBufferWriter<byte> destination) => throw _notRunning;

    /// <summary>Builds the message.</summary>
    /// <returns>A new message, for those who need the fields (JSON).</returns>
    public RangeResponse ToMessage() => throw _notRunning;
}
