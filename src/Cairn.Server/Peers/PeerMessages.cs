using Cairn.Raft;

namespace Cairn.Server.Peers;

/// <summary>Which messages one member may send another. The core trusts its caller for the rest: reports of the storage and of the transport.</summary>
internal static class PeerMessages
{
    /// <summary>Judges a message that came from outside.</summary>
    /// <param name="message">The message.</param>
    /// <returns>Whether the core may see it.</returns>
    public static bool MayCome(Message message) => message is { From: not 0 } && message.Type is
        MessageType.App or MessageType.AppResp or MessageType.Heartbeat or MessageType.HeartbeatResp or MessageType.Vote or MessageType.VoteResp
        or MessageType.PreVote or MessageType.PreVoteResp or MessageType.Prop or MessageType.ReadIndex or MessageType.ReadIndexResp
        or MessageType.TransferLeader or MessageType.TimeoutNow;
}
