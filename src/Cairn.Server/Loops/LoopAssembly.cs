namespace Cairn.Server.Loops;

/// <summary>Gives the loops of a node what they work with.</summary>
internal static class LoopAssembly
{
    /// <summary>Makes the raft loop.</summary>
    /// <param name="node">Its node, as far as it is made.</param>
    /// <param name="opened">What was opened.</param>
    /// <returns>A loop that does not run yet.</returns>
    public static RaftLoop MakeRaftLoop(NodeRuntime node, OpenedNode opened) => new(new RaftLoopParts
    {
        Core = opened.Core,
        Log = opened.Log,
        Wal = opened.Wal,
        Facts = node.Facts,
        Headers = node.Headers,
        Proposals = node.Proposals,
        Ids = node.Ids,
        Reads = node.ReadRounds,
        Self = () => node.Auth.Self,
        Leases = node.Leases,
        NoSpaceFound = () => node.Disks.Reserve.Release(),
        LogLost = reason => node.Fence.BecomeFenced(reason),
        Transport = node.Fence,
        OfferSnapshot = node.Transfer.Offer,
        IsRecordedAsCairn = memberId => node.View.Members.Find(memberId) is not { Incarnation: 0 },
        ShowsItselfAsCairn = node.Fence.HasShownItself,
        Install = node.Transfer.InstallAsync,
        Metrics = node.Metrics,
        Slow = node.Slow,
        Time = node.Time,
        Options = node.Options,
        Logger = node.Logger,
    });

    /// <summary>Makes the apply loop.</summary>
    /// <param name="node">Its node, raft loop included.</param>
    /// <param name="opened">What was opened.</param>
    /// <returns>A loop that does not run yet.</returns>
    public static ApplyLoop MakeApplyLoop(NodeRuntime node, OpenedNode opened) => new(new ApplyLoopParts
    {
        State = node.State,
        RevisionLog = node.RevisionLog,
        Facts = node.Facts,
        Proposals = node.Proposals,
        Gate = node.Gate,
        Leases = node.Leases,
        Teller = node.LeaseTeller,
        Hub = node.Hub,
        Raft = node.RaftLoop.Completions,
        Transport = node.World.Transport,
        Metrics = node.Metrics,
        Time = node.Time,
        Slow = node.Slow,
        MemberId = opened.MemberId,
        Options = node.Options,
        DamageMet = damage => node.Disks.Damage.Note(damage),
        RoomWanted = () => node.Housekeeping.Wake(),
    });
}
