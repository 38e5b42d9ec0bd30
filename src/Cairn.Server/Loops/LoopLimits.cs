namespace Cairn.Server.Loops;

/// <summary>Bounds of what waits in front of the loops.</summary>
internal static class LoopLimits
{
    /// <summary>Proposals that wait for the raft loop: it takes all of them in one turn, so this many arrive only while it is held up.</summary>
    public const int ProposalsCapacity = 65_536;

    /// <summary>Bytes of proposals accepted and not yet applied; more would only wait for a disk that does not keep up.</summary>
    public const long PendingProposalBytesMax = 128L * 1024 * 1024;

    /// <summary>Bytes of entries that a leader may apply before its own disk has them, because others do; at three quarters of it, it looks for a successor.</summary>
    public const long UnsyncedBytesMax = 64L * 1024 * 1024;

    /// <summary>
    /// Appends that a leader sends to a member ahead of its acknowledgements: one whose disk hangs is told of what is committed all the same, and answers reads, for as long as a busy leader takes
    /// to write this many batches. The bytes are bounded as well, by <see cref="UnsyncedBytesMax"/>, which is also what such a member applies ahead of its disk.
    /// </summary>
    public const int InflightMessagesMax = 16_384;

    /// <summary>Messages of peers that wait for the raft loop; more are dropped, as a network may, and sent again by their senders.</summary>
    public const int PeerMessagesCapacity = 4096;

    /// <summary>Completions that wait for the raft loop: one batch of the log in flight, and what the apply loop reports, which the core bounds by bytes.</summary>
    public const int CompletionsCapacity = 1 << 20;

    /// <summary>Work that waits for the apply loop; the core bounds entries by bytes, the rest is a handful of housekeeping.</summary>
    public const int ApplyWorkCapacity = 1 << 20;

    /// <summary>Committed entries that may wait to be applied before new requests are refused, as in etcd.</summary>
    public const ulong ApplyLagEntriesMax = 5000;

    /// <summary>Encoded bytes of committed entries handed to the apply loop at a time, so that the view is renewed often.</summary>
    public const ulong ApplyingBytesMax = 4UL * 1024 * 1024;

    /// <summary>Bytes that the entries kept for peers that are behind (<see cref="NodeOptions.CatchUpEntries"/>) may take, so that large values do not fill the memory of the process.</summary>
    public const long CatchUpBytesMax = 32L * 1024 * 1024;

    /// <summary>The same, while a member of another program is given the whole state: more, and it has to be given another one.</summary>
    public const long HeldBytesMax = 256L * 1024 * 1024;

    /// <summary>Applied entries after which those kept for peers are cut back; more than one, to do it rarely.</summary>
    public const ulong CompactLogEveryEntries = 1000;

    /// <summary>Bytes beyond <see cref="CatchUpBytesMax"/> after which they are cut back although they are few: a thousand of the largest would be more than a gigabyte.</summary>
    public const long CompactLogEveryBytes = 4L * 1024 * 1024;
}
