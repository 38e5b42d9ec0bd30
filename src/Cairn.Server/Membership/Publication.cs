using Cairn.Protocol;
using Cairn.Protocol.Membership;

namespace Cairn.Server.Membership;

/// <summary>Tells the cluster this member's name, client URLs and incarnation, and, on the leader, decides the cluster version. Repeats until it succeeds.</summary>
/// <remarks>Source: etcd server/etcdserver/server.go (publishV3, monitorClusterVersions).</remarks>
internal static class Publication
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(100);

    /// <summary>Publishes.</summary>
    /// <param name="node">The node.</param>
    /// <returns>Completes when published, or when the node stops.</returns>
    public static async Task RunAsync(NodeRuntime node)
    {
        while (!node.IsStopping && !IsPublished(node))
        {
            if (!await ProposeAsync(node))
            {
                await Task.Delay(Retry, node.Time);
            }
        }

        if (!node.IsStopping)
        {
            node.Logger.Published(node.Headers.MemberId, node.Options.Name);
            node.BecomeReady();
        }
    }

    private static bool IsPublished(NodeRuntime node)
    {
        var members = node.View.Members;
        var self = members.Find(node.Headers.MemberId);
        return node.Facts.Leader != 0
            && self is not null
            && self.Name == node.Options.Name
            && self.ClientUrls.SequenceEqual(node.Options.ClientUrls)
            && self.Incarnation != 0
            && (members.ClusterVersion is not null || node.Facts.LeadingTerm == 0);
    }

    private static async Task<bool> ProposeAsync(NodeRuntime node)
    {
        if (node.Facts.Leader == 0 || node.View.Members.Find(node.Headers.MemberId) is null)
        {
            return false;
        }

        var attributes = new Attributes { Name = node.Options.Name };
        attributes.ClientUrls.AddRange(node.Options.ClientUrls);
        var set = new ClusterMemberAttrSetRequest
        {
            MemberID = node.Headers.MemberId,
            MemberAttributes = attributes,
            CairnIncarnation = node.Process.Incarnation,
        };
        var outcome = await node.ProposeOwnAsync(InternalRaftRequest.ClusterMemberAttrSetFieldNumber, set, default);
        return outcome.Error == NodeError.None && (node.View.Members.ClusterVersion is not null || await ClusterVersion.DecideAsync(node));
    }
}
