using Cairn.Server.Loops;
using Cairn.Server.Membership;
using Cairn.Server.Peers;

namespace Cairn.Server.Requests;

/// <summary>Asks the leader what only it can answer.</summary>
/// <param name="node">The node.</param>
internal sealed class LeaderCalls(NodeRuntime node)
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Asks the leader until it answers, somebody else leads, or the time of a request is over.</summary>
    /// <param name="call">The question.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer; none if this member leads now, or nobody answered.</returns>
    public async ValueTask<PeerAnswer> AskAsync(PeerCall call, RequestContext context)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5) + (2 * node.Options.ElectionTimeout), node.Time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, context.Cancelled);
        try
        {
            while (node.Facts.LeadingTerm == 0 && !node.IsStopping && node.World.Calls is { } calls)
            {
                var asked = node.Facts.Leader;
                var leader = node.View.Members.Find(asked);
                foreach (var url in leader is null ? [] : PeerUrls.Of(leader, node.Options))
                {
                    // An error of the leader is not its last word: it may be about to lose its office, or somebody else stands at this address.
                    var answer = await AskWhileItLeadsAsync(asked, token => calls.AskAsync(url, call with { To = asked }, token), both.Token);
                    if (answer.Status is not (0 or 500 or 408) && !answer.IsMisdirected)
                    {
                        return answer;
                    }
                }

                await Task.Delay(Pause, node.Time, both.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Nobody waits any longer.
        }

        return PeerAnswer.None;
    }

    /// <summary>Asks once. A leader that stands still or is cut off says nothing for long, but then it leads no more.</summary>
    private async ValueTask<PeerAnswer> AskWhileItLeadsAsync(ulong leader, Func<CancellationToken, ValueTask<PeerAnswer>> ask, CancellationToken cancelled)
    {
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(cancelled);
        var asking = ask(gone.Token).AsTask();
        while (await Patience.WaitAsync(asking, node.Options.ElectionTimeout, node.Time, cancelled) == WaitOutcome.TimedOut)
        {
            if (node.Facts.Leader != leader)
            {
                gone.Cancel();
                await Patience.WaitAsync(asking, Timeout.InfiniteTimeSpan, node.Time, cancelled);
                return PeerAnswer.None;
            }
        }

        return await asking;
    }

    /// <summary>Why there was no answer.</summary>
    /// <param name="context">Who asked.</param>
    /// <returns>The refusal.</returns>
    public NodeError Explain(RequestContext context)
    {
        if (context.Cancelled.IsCancellationRequested)
        {
            return NodeError.Canceled;
        }

        return node.IsStopping ? NodeError.Stopped : node.Facts.Leader == 0 ? NodeError.NoLeader : NodeError.Timeout;
    }
}
