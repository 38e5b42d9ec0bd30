using System.Collections.Immutable;
using Cairn.State.Mvcc;

namespace Cairn.Server.Healing;

/// <summary>How a comparison of hashes ended.</summary>
internal enum HashOutcome
{
    /// <summary>Those that could be compared are equal, and some could not be.</summary>
    Incomplete,

    /// <summary>All are equal.</summary>
    Agreed,

    /// <summary>Most members have one hash, and some have others: those are wrong.</summary>
    Odd,

    /// <summary>There are several hashes, and none is that of most members: nobody knows who is wrong.</summary>
    Split,
}

/// <summary>What follows from the hashes of all members at one revision, above one compaction. Pure.</summary>
/// <remarks>
/// Most is a majority of all members, whoever answered: so no two members can come to opposite verdicts. Where nobody has it, nothing is invented.
/// Source: etcd server/etcdserver/corrupt.go, checkPeerHashes.
/// </remarks>
/// <param name="Outcome">How it ended.</param>
/// <param name="Agreeing">Who has the hash that counts: that of most, or without such the asker's; the asker included.</param>
/// <param name="Differing">Who has another.</param>
/// <param name="Hash">The hash that counts.</param>
internal sealed record HashVerdict(HashOutcome Outcome, ImmutableArray<ulong> Agreeing, ImmutableArray<ulong> Differing, uint Hash)
{
    /// <summary>Judges.</summary>
    /// <param name="self">The member that asked.</param>
    /// <param name="own">Its hash.</param>
    /// <param name="peers">What all others said.</param>
    /// <returns>The verdict.</returns>
    public static HashVerdict Judge(ulong self, KeySpaceHash own, IReadOnlyList<PeerHash> peers)
    {
        var comparable = peers.Where(peer => peer.Hash is { } hash && IsComparable(hash, own)).ToList();
        var groups = comparable.Select(static peer => (peer.Member.Id, peer.Hash!.Value.Hash)) // Comparable ones have a hash.
            .Append((Id: self, own.Hash))
            .GroupBy(static pair => pair.Hash, static pair => pair.Id)
            .ToList();
        var most = groups.Find(group => group.Count() > (peers.Count + 1) / 2);
        var outcome = groups.Count == 1 ? comparable.Count == peers.Count ? HashOutcome.Agreed : HashOutcome.Incomplete
            : most is null ? HashOutcome.Split
            : HashOutcome.Odd;
        var counts = most ?? groups.First(group => group.Key == own.Hash);
        return new HashVerdict(outcome, [.. counts.Order()], [.. groups.Where(group => group.Key != counts.Key).SelectMany(static group => group).Order()], counts.Key);
    }

    private static bool IsComparable(KeySpaceHash hash, KeySpaceHash own) => hash.CompactedRevision == own.CompactedRevision && hash.Revision == own.Revision;
}
