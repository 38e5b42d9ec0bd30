namespace Cairn.Raft;

/// <summary>What kinds of messages there are.</summary>
/// <remarks>Source: etcd-io/raft, util.go (IsLocalMsg, IsResponseMsg).</remarks>
public static class MessageTypes
{
    /// <summary>Tells whether messages of a type never travel between members.</summary>
    /// <param name="type">Any type.</param>
    /// <returns>True for what a member tells itself.</returns>
    public static bool IsLocal(MessageType type) => type is
        MessageType.Hup or MessageType.Beat or MessageType.Unreachable or MessageType.SnapStatus or MessageType.CheckQuorum
        or MessageType.StorageAppend or MessageType.StorageAppendResp or MessageType.StorageApply or MessageType.StorageApplyResp;

    /// <summary>Tells whether messages of a type answer another one, so that a stranger has no business sending them.</summary>
    /// <param name="type">Any type.</param>
    /// <returns>True for answers.</returns>
    public static bool IsResponse(MessageType type) => type is
        MessageType.AppResp or MessageType.VoteResp or MessageType.HeartbeatResp or MessageType.Unreachable or MessageType.ReadIndexResp
        or MessageType.PreVoteResp or MessageType.StorageAppendResp or MessageType.StorageApplyResp;

    /// <summary>Tells whether messages of a type ask for a vote.</summary>
    internal static bool IsVoteRequest(MessageType type) => type is MessageType.Vote or MessageType.PreVote;

    /// <summary>Tells whether messages of a type come from a leader only.</summary>
    internal static bool IsFromLeader(MessageType type) => type is MessageType.App or MessageType.Heartbeat or MessageType.Snap;

    /// <summary>Tells whether a message must wait until what its sender wrote is durable (Raft dissertation, section 3.8): votes and acknowledgements, refusals too.</summary>
    internal static bool PromisesDurability(MessageType type) => type is MessageType.AppResp or MessageType.VoteResp or MessageType.PreVoteResp;

    /// <summary>Tells whether messages of a type carry no term of their own: they are passed on to the leader of whatever term it is.</summary>
    internal static bool IsTermless(MessageType type) => type is MessageType.Prop or MessageType.ReadIndex;

    /// <summary>The answer to a vote request.</summary>
    internal static MessageType VoteResponseTo(MessageType request) => request switch
    {
        MessageType.Vote => MessageType.VoteResp,
        MessageType.PreVote => MessageType.PreVoteResp,
        _ => throw Invariant.Unreachable($"{request} is no vote request"),
    };
}
