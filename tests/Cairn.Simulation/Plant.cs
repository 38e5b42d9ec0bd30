namespace Cairn.Simulation;

/// <summary>A bug that is planted outside of the code under test, to see that a run finds it.</summary>
internal enum Plant
{
    /// <summary>None.</summary>
    None,

    /// <summary>Members say yes to every candidate: their transport turns a refused vote into a granted one.</summary>
    VoteTwice,

    /// <summary>Members acknowledge before a sync: their disk says that it is done, and does it a while later.</summary>
    AckBeforeSync,

    /// <summary>Leaders commit entries of earlier terms by counting: their transport raises the commit index in messages to what a quorum has acknowledged.</summary>
    CommitByCounting,

    /// <summary>One in a hundred deliveries to a watcher is lost.</summary>
    LostWatchEvent,

    /// <summary>Clocks of members run half as fast again, so that leases end early.</summary>
    EarlyLeaseExpiry,

    /// <summary>One in ten linearizable reads is served from what the member has.</summary>
    StaleRead,
}
