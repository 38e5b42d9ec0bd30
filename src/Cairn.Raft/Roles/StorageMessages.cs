namespace Cairn.Raft.Roles;

/// <summary>Tells the local workers what to write, and what to answer when it is written.</summary>
/// <remarks>Source: etcd-io/raft, rawnode.go (newStorageAppendMsg, newStorageAppendRespMsg, newStorageApplyMsg).</remarks>
internal static class StorageMessages
{
    /// <summary>What the append worker has to do: entries, hard state, snapshot, and then the messages that waited for them.</summary>
    /// <returns>A message, or null if there is nothing to do.</returns>
    public static Message? Append(RaftCore core, ReadOnlyMemory<Entry> entries, HardState hardState, Snapshot? snapshot)
    {
        var afterAppend = core.Outbox.AfterAppend;
        if (entries.IsEmpty && hardState.IsEmpty && snapshot is null && afterAppend.Count == 0)
        {
            return null;
        }

        // A leader's acknowledgement of its own entries comes before the word that they are durable: looking up their terms is then still cheap.
        var done = AppendDone(core, snapshot);
        return new Message
        {
            Type = MessageType.StorageAppend,
            To = LocalTarget.AppendThread,
            From = core.Id,
            Term = hardState.Term,
            Vote = hardState.Vote,
            Commit = hardState.Commit,
            Entries = entries,
            Snapshot = snapshot,
            Responses = done is null ? [.. afterAppend] : [.. afterAppend, done],
        };
    }

    /// <summary>The append worker's word that all it was given so far is durable, or null if nobody waits for it.</summary>
    /// <remarks>
    /// It names the end of our log, also when this Ready had no entries of its own, and our term. If the term has changed when it comes back it is not
    /// believed: entries can be replaced in one term and replaced back in another, so that (index, term) match while a write that is still under way puts
    /// others in their place. The next term's message names the end again, so nothing stays undecided for ever.
    /// </remarks>
    public static Message? AppendDone(RaftCore core, Snapshot? snapshot)
    {
        var hasEntries = core.Log.HasUnstableEntries;
        if (!hasEntries && snapshot is null)
        {
            return null;
        }

        var last = hasEntries ? core.Log.LastId : default;
        return new Message
        {
            Type = MessageType.StorageAppendResp,
            To = core.Id,
            From = LocalTarget.AppendThread,
            Term = core.Term,
            Index = last.Index,
            LogTerm = last.Term,
            Snapshot = snapshot,
        };
    }

    /// <summary>What the apply worker has to do.</summary>
    public static Message Apply(RaftCore core, ReadOnlyMemory<Entry> committed) => new()
    {
        Type = MessageType.StorageApply,
        To = LocalTarget.ApplyThread,
        From = core.Id,
        Entries = committed,
        Responses = [ApplyDone(core, committed)],
    };

    /// <summary>The apply worker's word that the entries are applied. Committed entries belong to no term.</summary>
    public static Message ApplyDone(RaftCore core, ReadOnlyMemory<Entry> committed) => new()
    {
        Type = MessageType.StorageApplyResp,
        To = core.Id,
        From = LocalTarget.ApplyThread,
        Entries = committed,
    };
}
