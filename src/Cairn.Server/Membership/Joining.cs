using System.Collections.Immutable;
using Cairn.State.Members;

namespace Cairn.Server.Membership;

/// <summary>The running cluster that a new member finds: who its members are, itself included.</summary>
/// <param name="ClusterId">Id of the cluster.</param>
/// <param name="MemberId">The id under which this member was added.</param>
/// <param name="Members">All members.</param>
internal sealed record FoundCluster(ulong ClusterId, ulong MemberId, ImmutableArray<MemberRecord> Members);

/// <summary>Judges what a member of etcd tells of its cluster: whether this member is expected there.</summary>
/// <remarks>
/// A list that does not match may be a moment old, and to found anything here would make a second cluster: who does not fit waits.
/// Source: etcd server/etcdserver/cluster_util.go (GetClusterFromRemotePeers), server/etcdserver/api/membership (ValidateClusterAndAssignIDs).
/// </remarks>
internal static class Joining
{
    /// <summary>Whether this member is expected in a cluster, and the cluster is as big as the list says.</summary>
    /// <param name="members">The members of the cluster.</param>
    /// <param name="clusterId">Its id.</param>
    /// <param name="peerUrls">Peer URLs of this member.</param>
    /// <param name="listed">Members that this one was told of.</param>
    /// <returns>The cluster, or why not.</returns>
    public static (FoundCluster? Cluster, string Reason) Match(
        ImmutableArray<MemberRecord> members, ulong clusterId, ImmutableArray<string> peerUrls, int listed)
    {
        if (members.Length != listed)
        {
            return (null, $"has a cluster of {members.Length} members, and the list has {listed}");
        }

        return members.FirstOrDefault(member => IsSame(member.PeerUrls, peerUrls)) is { } self
            ? (new FoundCluster(clusterId, self.Id, members), "")
            : (null, "has a cluster without a member of this one's peer URLs");
    }

    private static bool IsSame(IEnumerable<string> left, IEnumerable<string> right) =>
        left.Order(StringComparer.Ordinal).SequenceEqual(right.Order(StringComparer.Ordinal), StringComparer.Ordinal);
}
