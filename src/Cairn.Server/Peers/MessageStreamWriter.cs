using System.Buffers;
using System.Buffers.Binary;
using Cairn.Raft;
using Cairn.Raft.Wire;

namespace Cairn.Server.Peers;

/// <summary>Writes what <see cref="MessageStreamReader"/> reads. Stateless.</summary>
public static class MessageStreamWriter
{
    private static readonly Message LinkHeartbeat = new() { Type = MessageType.Heartbeat };

    /// <summary>Appends one message.</summary>
    /// <param name="message">What to send.</param>
    /// <param name="output">Where to.</param>
    public static void Write(Message message, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(message);
        ArgumentNullException.ThrowIfNull(output);
        var head = output.GetSpan(sizeof(ulong));
        BinaryPrimitives.WriteUInt64BigEndian(head, (ulong)MessageWire.Size(message));
        output.Advance(sizeof(ulong));
        MessageWire.Write(message, output);
    }

    /// <summary>Appends the frame that only says that the link is alive.</summary>
    /// <param name="output">Where to.</param>
    public static void WriteHeartbeat(IBufferWriter<byte> output) => Write(LinkHeartbeat, output);
}
