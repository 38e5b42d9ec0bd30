using System.Buffers;
using System.Buffers.Binary;
using Cairn.Raft;
using Cairn.Raft.Wire;

namespace Cairn.Server.Peers;

/// <summary>
/// Reads the stream that carries every kind of message: frames of [length, 8 bytes, big-endian][raftpb.Message].
/// A message of type Heartbeat with all other fields zero keeps the link alive.
/// </summary>
/// <remarks>Stateless. Source: etcd server/etcdserver/api/rafthttp/message_codec.go.</remarks>
public static class MessageStreamReader
{
    private const int HeadBytes = 8;

    /// <summary>Reads the first frame of <paramref name="bytes"/>, if it is there as a whole.</summary>
    /// <param name="bytes">What was received; on return, what is left.</param>
    /// <param name="message">The message; null unless <see cref="StreamRead.Message"/> is returned. Owns its bytes.</param>
    /// <returns>What was found.</returns>
    public static StreamRead TryRead(ref ReadOnlySequence<byte> bytes, out Message? message)
    {
        message = null;
        Span<byte> head = stackalloc byte[HeadBytes];
        if (bytes.Length < HeadBytes)
        {
            return StreamRead.Incomplete;
        }

        bytes.Slice(0, HeadBytes).CopyTo(head);
        var length = BinaryPrimitives.ReadUInt64BigEndian(head);
        if (length > StreamLimits.FrameBytesMax)
        {
            return StreamRead.Malformed;
        }

        if ((ulong)bytes.Length - HeadBytes < length)
        {
            return StreamRead.Incomplete;
        }

        var body = bytes.Slice(HeadBytes, (long)length).ToArray();
        if (!MessageWire.TryRead(body, out message) || message is null)
        {
            message = null;
            return StreamRead.Malformed;
        }

        bytes = bytes.Slice(HeadBytes + (long)length);
        if (StreamLimits.IsLinkHeartbeat(message))
        {
            message = null;
            return StreamRead.Heartbeat;
        }

        return StreamRead.Message;
    }
}
