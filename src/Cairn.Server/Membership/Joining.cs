using System.Collections.Immutable;
using Cairn.Server.Peers;
using Cairn.State.Members;

namespace Cairn.Server.Membership;

/// <summary>The running cluster that a new member finds when it is told to join: who its members are, itself included.</summary>
/// <param name="ClusterId">Id of the cluster.</param>
/// <param name="MemberId">The id under which this member was added.</param>
/// <param name="Members">All members.</param>
internal sealed record FoundCluster(ulong ClusterId, ulong MemberId, ImmutableArray<MemberRecord> Members);

/// <summary>Finds the cluster that this member is to join: asks the others in the list, until one tells of a cluster in which this member is expected.</summary>
/// <remarks>
/// When in doubt it waits and says so: a list that does not match may be a moment old, and to found anything here would make a second cluster.
/// Source: etcd server/etcdserver/cluster_util.go (GetClusterFromRemotePeers), server/etcdserver/api/membership (ValidateClusterAndAssignIDs).
/// </remarks>
internal static class Joining
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(5);

    /// <summary>Asks until somebody gives an answer that fits.</summary>
    /// <param name="options">What the node was told.</param>
    /// <param name="world">What it touches.</param>
    /// <param name="cancelled">Ends the search.</param>
    /// <returns>The cluster.</returns>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static async Task<FoundCluster> FindAsync(NodeOptions options, NodeWorld world, CancellationToken cancelled)
    {
        var logger = world.LoggerFactory.CreateLogger("cairn.server");
        var own = options.PeerUrls.ToHashSet(StringComparer.Ordinal);
        var urls = options.InitialCluster.Where(member => member.Name != options.Name).SelectMany(member => member.PeerUrls)
            .Where(url => !own.Contains(url)).Order(StringComparer.Ordinal).ToArray();
        while (true)
        {
            var reason = world.Calls is null ? "there is no way to ask" : "nobody answered";
            foreach (var url in world.Calls is null ? [] : urls)
            {
                var answer = await AskAsync(world, url, cancelled);
                if (answer.Status == 200 && TryMatch(answer, options, out var found, out reason))
                {
                    return found;
                }
            }

            logger.JoinWaits(string.Join(',', urls), reason);
            await Task.Delay(Pause, world.Time, cancelled);
        }
    }

    /// <summary>Whether an answer tells of a cluster in which this member is expected, and which is as big as the list says.</summary>
    /// <param name="answer">An answer at /members.</param>
    /// <param name="options">What the node was told.</param>
    /// <param name="found">The cluster.</param>
    /// <param name="reason">Why not.</param>
    /// <returns>True if so.</returns>
    internal static bool TryMatch(
        PeerAnswer answer, NodeOptions options, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out FoundCluster? found, out string reason)
    {
        found = null;
        if (answer.ClusterId == 0 || !MemberPages.TryRead(answer.Body, out var members))
        {
            reason = "the answer is not that of a member";
            return false;
        }

        if (members.Length != options.InitialCluster.Length)
        {
            reason = $"the cluster has {members.Length} members, the list {options.InitialCluster.Length}";
            return false;
        }

        var self = members.FirstOrDefault(member => IsSame(member.PeerUrls, options.PeerUrls));
        if (self is null)
        {
            reason = "the cluster has no member with the peer URLs of this one";
            return false;
        }

        reason = "";
        found = new FoundCluster(answer.ClusterId, self.Id, members);
        return true;
    }

    private static async ValueTask<PeerAnswer> AskAsync(NodeWorld world, string url, CancellationToken cancelled)
    {
        using var limit = new CancellationTokenSource(AnswerWithin, world.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancelled);
        return await world.Calls!.AskAsync(url, new PeerCall("/members"), both.Token); // Checked by the caller.
    }

    private static bool IsSame(IEnumerable<string> left, IEnumerable<string> right) =>
        left.Order(StringComparer.Ordinal).SequenceEqual(right.Order(StringComparer.Ordinal), StringComparer.Ordinal);
}
