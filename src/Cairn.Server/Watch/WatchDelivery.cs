using System.Buffers;
using Cairn.Protocol;

namespace Cairn.Server.Watch;

/// <summary>One message for a watch stream, kept as rows, so that it can be sent without parsing them.</summary>
/// <remarks>Immutable; any thread.</remarks>
public sealed class WatchDelivery
{
    private readonly InvalidOperationException _notRunning = new("The node does not run.");

    /// <summary>Size of the encoded <see cref="WatchResponse"/>, in bytes.</summary>
    public int ByteCount => throw _notRunning;

    /// <summary>Writes a canonically encoded <see cref="WatchResponse"/>.</summary>
    /// <param name="destination">Where to.</param>
    public void WriteTo(IBufferWriter<byte> destination) => throw _notRunning;

    /// <summary>Builds the message.</summary>
    /// <returns>A new message, for those who need the fields (JSON).</returns>
    public WatchResponse ToMessage() => throw _notRunning;
}
