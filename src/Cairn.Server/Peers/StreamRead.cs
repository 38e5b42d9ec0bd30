using Cairn.Raft;

namespace Cairn.Server.Peers;

/// <summary>What <see cref="MessageStreamReader"/> and <see cref="AppendStreamReader"/> found at the head of the bytes.</summary>
public enum StreamRead
{
    /// <summary>Not yet a whole frame; nothing was consumed.</summary>
    Incomplete,

    /// <summary>A frame that only says that the link is alive; consumed.</summary>
    Heartbeat,

    /// <summary>A message; consumed.</summary>
    Message,

    /// <summary>These bytes are not of this protocol; the stream must be closed.</summary>
    Malformed,
}

/// <summary>Limits of the streams between members.</summary>
internal static class StreamLimits
{
    /// <summary>The largest frame of a stream, as etcd accepts it (server/etcdserver/api/rafthttp/message.go).</summary>
    public const ulong FrameBytesMax = 512UL << 20;

    /// <summary>Whether a message is what etcd sends to keep an idle stream alive: a heartbeat from nobody to nobody.</summary>
    /// <param name="message">A decoded message.</param>
    /// <returns>True if it carries nothing.</returns>
    public static bool IsLinkHeartbeat(Message message) => message is { Type: MessageType.Heartbeat, From: 0, To: 0 };
}
