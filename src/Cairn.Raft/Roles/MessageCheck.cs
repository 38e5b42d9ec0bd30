namespace Cairn.Raft.Roles;

/// <summary>Refuses messages that no correct sender sends, before they can change anything: whatever arrives, the core does not fall over.</summary>
internal static class MessageCheck
{
    /// <summary>Whether a message from outside can be taken as what it says.</summary>
    public static bool IsWellFormed(Message message, ulong self)
    {
        if (message.To != LocalTarget.None && message.To != self)
        {
            return false;
        }

        // To itself a member addresses only what promises durability, to take it once it is durable.
        var isFromOther = message.From != LocalTarget.None && message.From != self && message.Term != 0;
        return message.Type switch
        {
            MessageType.Prop => !message.Entries.IsEmpty && message.Term == 0,
            MessageType.ReadIndex => message.Entries.Length == 1 && message.Term == 0,
            MessageType.TransferLeader => message.From != LocalTarget.None,
            MessageType.App => isFromOther && IsContiguous(message),
            MessageType.Snap => isFromOther && message.Snapshot is { } snapshot && snapshot.Term <= message.Term,
            MessageType.AppResp or MessageType.VoteResp or MessageType.PreVoteResp => message.From != LocalTarget.None && message.Term != 0,
            MessageType.Vote or MessageType.PreVote or MessageType.Heartbeat or MessageType.HeartbeatResp or MessageType.TimeoutNow
                or MessageType.ReadIndexResp => isFromOther,
            MessageType.StorageAppendResp or MessageType.StorageApplyResp => true,
            _ => false,
        };
    }

    /// <summary>Indexes follow each other, and terms neither fall nor exceed the leader's.</summary>
    private static bool IsContiguous(Message message)
    {
        var index = message.Index;
        var term = message.LogTerm;
        foreach (ref readonly var entry in message.Entries.Span)
        {
            if (entry.Index != ++index || entry.Term < term)
            {
                return false;
            }

            term = entry.Term;
        }

        return term <= message.Term;
    }
}
