using Cairn.Server.Loops;

namespace Cairn.Server.Membership;

/// <summary>Hands leadership to another member, and waits until it leads.</summary>
/// <param name="node">The node.</param>
internal sealed class HandOver(NodeRuntime node)
{
    /// <summary>Hands leadership to a member.</summary>
    /// <param name="target">A voter.</param>
    /// <param name="limit">How long to wait.</param>
    /// <param name="cancelled">Ends the wait, not the transfer.</param>
    /// <returns>Whether it leads now.</returns>
    public async ValueTask<WaitOutcome> ToAsync(ulong target, TimeSpan limit, CancellationToken cancelled)
    {
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        void Observe(ulong leader)
        {
            if (leader == target)
            {
                changed.TrySetResult();
            }
        }

        node.RaftLoop.LeaderChanged += Observe;
        node.RaftLoop.Completions.TryPost(RaftCompletion.OfCall(core => core.TransferLeader(target)));
        Observe(node.Facts.Leader);
        var outcome = await Patience.WaitAsync(changed.Task, limit, node.Time, cancelled);
        node.RaftLoop.LeaderChanged -= Observe;
        return outcome;
    }

    /// <summary>Hands leadership to the voter that is heard and has most of the log, if this member leads and there is one: who is about to stop does so, so that nobody waits for an
    /// election. Waits two election timeouts at most.</summary>
    /// <returns>When it leads, or did not in time.</returns>
    public async ValueTask ToBestAsync()
    {
        if (node.Facts.LeadingTerm == 0 || node.Facts.IsOnlyVoter)
        {
            return;
        }

        var limit = 2 * node.Options.ElectionTimeout;
        var described = node.RaftLoop.DescribeAsync();
        if (await Patience.WaitAsync(described, limit, node.Time, default) != WaitOutcome.Done)
        {
            return;
        }

        var status = await described;
        var best = status.Peers
            .Where(peer => peer.Id != status.Basic.Id && !peer.IsLearner && peer.RecentlyActive)
            .OrderByDescending(static peer => peer.Match)
            .FirstOrDefault();
        if (best.Id == 0)
        {
            node.Logger.NobodyToHandOverTo(node.Headers.MemberId);
            return;
        }

        var began = node.Time.GetTimestamp();
        if (await ToAsync(best.Id, limit, default) == WaitOutcome.Done)
        {
            node.Logger.HandedOver(node.Headers.MemberId, best.Id, node.Time.GetElapsedTime(began));
        }
        else
        {
            node.Logger.NotHandedOver(node.Headers.MemberId, best.Id, node.Time.GetElapsedTime(began));
        }
    }
}
