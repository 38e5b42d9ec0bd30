using System.Collections.Immutable;
using Cairn.Protocol;
using Cairn.Protocol.Membership;
using Cairn.Raft;
using Cairn.Server.Healing;
using Cairn.State;
using Cairn.State.Members;

namespace Cairn.Server.Membership;

/// <summary>Tells the cluster this member's name, client URLs and incarnation, and, on the leader, decides the cluster version. Repeats until it succeeds; then does the same for peer URLs that have changed.</summary>
/// <remarks>Source: etcd server/etcdserver/server.go (publishV3, monitorClusterVersions).</remarks>
internal static class Publication
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MoveRetry = TimeSpan.FromSeconds(1);

    // By then a member that lives has been heard.
    private static readonly TimeSpan KnownAfter = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan ConfirmedWithin = TimeSpan.FromMilliseconds(500);

    /// <summary>Publishes.</summary>
    /// <param name="node">The node.</param>
    /// <returns>Completes when published, or when the node stops.</returns>
    public static async Task RunAsync(NodeRuntime node)
    {
        // At once: where it is known at another address than its own, it may not get the state that it needs to see anything published.
        var moving = MoveAsync(node);
        while (!node.IsStopping && !IsPublished(node))
        {
            if (!await ProposeAsync(node))
            {
                await Task.Delay(Retry, node.Time);
            }
        }

        // What was acknowledged before this start is visible from the first answer on, whoever asks for what.
        while (!node.IsStopping && !await IsUpToDateAsync(node))
        {
            await Task.Delay(Retry, node.Time);
        }

        if (!node.IsStopping)
        {
            node.Logger.Published(node.Headers.MemberId, NameOf(node));
            node.BecomeReady();
        }

        await moving;
    }

    /// <summary>Tells the cluster where this member is, until it knows. Not only once this member is up to date: who is to bring it the state must find it.</summary>
    private static async Task MoveAsync(NodeRuntime node)
    {
        long refusedAt = 0;
        while (!node.IsStopping && (HasMoved(node) || !node.Ready.IsCompleted))
        {
            if (HasMoved(node) && await TellAsync(node, node.Headers.MemberId, node.Options.PeerUrls) == StoreError.PeerUrlExists)
            {
                refusedAt = refusedAt == 0 ? node.Time.GetTimestamp() : refusedAt;
                if (node.Time.GetElapsedTime(refusedAt) >= KnownAfter)
                {
                    await MakeRoomAsync(node);
                }
            }

            await Task.Delay(HasMoved(node) ? MoveRetry : Retry, node.Time);
        }
    }

    /// <summary>Waits, but not for long, since nobody else ends this wait when the node stops.</summary>
    private static async Task<bool> IsUpToDateAsync(NodeRuntime node)
    {
        using var limit = new CancellationTokenSource(ConfirmedWithin, node.Time);
        return await node.Confirmation.ReadAsync(new RequestContext(limit.Token)) == NodeError.None;
    }

    // The name on disk, once there is one: the others know this member by it.
    private static string NameOf(NodeRuntime node) =>
        node.View.Members.Find(node.Headers.MemberId) is { Name: { Length: > 0 } name } ? name : node.Options.Name;

    /// <summary>Whether the cluster, as far as this member knows, knows it elsewhere than where it is.</summary>
    /// <param name="node">The node.</param>
    /// <returns>True if so.</returns>
    public static bool HasMoved(NodeRuntime node) =>
        node.Options.PublishesPeerUrls
        && node.View.Members.Find(node.Headers.MemberId) is { } self
        && !self.PeerUrls.ToHashSet(StringComparer.Ordinal).SetEquals(node.Options.PeerUrls);

    /// <summary>Another member is known at an address of this one.</summary>
    /// <remarks>
    /// If that one lives, it may have moved as well, to where this one was: two that were exchanged would wait for each other. So this one gives up the place where it is not any more, for one that
    /// nobody can have (RFC 2606). If not, it is not where this one is, and this one is not where it was: they change places, so that who comes back there is found, or replaced.
    /// </remarks>
    private static async Task MakeRoomAsync(NodeRuntime node)
    {
        var members = node.View.Members;
        var (id, urls) = (node.Headers.MemberId, node.Options.PeerUrls);
        if (members.Find(id) is not { } self || members.Members.FirstOrDefault(other => other.Id != id && other.PeerUrls.Any(urls.Contains)) is not { } holder)
        {
            return;
        }

        if (node.Fence.IsAlive(holder.Id))
        {
            if (!Displaced.Is(self))
            {
                await TellAsync(node, id, Displaced.Nowhere(id));
            }
        }
        else if (await TellAsync(node, holder.Id, Displaced.Nowhere(holder.Id)) == StoreError.None
            && await TellAsync(node, id, urls) == StoreError.None && !Displaced.Is(self))
        {
            await TellAsync(node, holder.Id, self.PeerUrls);
        }
    }

    /// <summary>Tells the cluster under which URLs a member is to be reached.</summary>
    /// <returns>Why not; null if it is not known whether it was told.</returns>
    private static async Task<StoreError?> TellAsync(NodeRuntime node, ulong memberId, ImmutableArray<string> urls)
    {
        var moved = new MemberRecord { Id = memberId, PeerUrls = urls };
        var outcome = await node.Changes.ProposeAsync(id => new ConfChange(id, ConfChangeType.UpdateNode, memberId, MemberJson.Encode(moved)), default);
        if (outcome.Error != NodeError.None)
        {
            return null;
        }

        var refusal = outcome.Result!.Value.Error; // There is a result unless there is an error.
        if (refusal == StoreError.None)
        {
            node.Logger.Moved(memberId, string.Join(',', urls));
        }

        return refusal;
    }

    private static bool IsPublished(NodeRuntime node)
    {
        var members = node.View.Members;
        var self = members.Find(node.Headers.MemberId);
        return node.Facts.Leader != 0
            && self is not null
            && self.Name.Length > 0
            && self.ClientUrls.SequenceEqual(node.Options.ClientUrls)
            && self.Incarnation != 0
            && !IsToBeSpare(node, self)
            && (members.ClusterVersion is not null || node.Facts.LeadingTerm == 0);
    }

    private static bool IsToBeSpare(NodeRuntime node, MemberRecord self) => node.Options.IsStandby && self is { IsLearner: true, IsStandby: false };

    private static async Task<bool> ProposeAsync(NodeRuntime node)
    {
        if (node.Facts.Leader == 0 || node.View.Members.Find(node.Headers.MemberId) is null)
        {
            return false;
        }

        var attributes = new Attributes { Name = NameOf(node) };
        attributes.ClientUrls.AddRange(node.Options.ClientUrls);
        var set = new ClusterMemberAttrSetRequest
        {
            MemberID = node.Headers.MemberId,
            MemberAttributes = attributes,
            CairnIncarnation = node.Process.Incarnation,
            CairnStandby = node.Options.IsStandby,
        };
        var outcome = await node.ProposeOwnAsync(InternalRaftRequest.ClusterMemberAttrSetFieldNumber, set, default);
        return outcome.Error == NodeError.None && (node.View.Members.ClusterVersion is not null || await ClusterVersion.DecideAsync(node));
    }
}
