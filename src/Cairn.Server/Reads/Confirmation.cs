using Cairn.Server.Loops;

namespace Cairn.Server.Reads;

/// <summary>Makes sure, before a read, that nobody else has acknowledged anything that it would miss. Any thread.</summary>
/// <param name="node">The node.</param>
internal sealed class Confirmation(NodeRuntime node)
{
    /// <summary>Waits until the newest view holds everything that was acknowledged before the call.</summary>
    /// <param name="context">Who asks.</param>
    /// <returns>None, or why that cannot be known.</returns>
    public ValueTask<NodeError> ReadAsync(RequestContext context)
    {
        if (node.IsStopping)
        {
            return new(NodeError.Stopped);
        }

        return node.Facts.ReadsAreLocal ? new(NodeError.None) : AskForReadAsync(context);
    }

    /// <summary>Makes sure that this member led, or knew who led, when it was asked. Waits for nothing to be applied.</summary>
    /// <param name="context">Who asks.</param>
    /// <returns>None, and the index that was committed then; or why it cannot be known.</returns>
    public ValueTask<(NodeError Error, ulong Index)> LeadershipAsync(RequestContext context)
    {
        if (node.IsStopping)
        {
            return new((NodeError.Stopped, 0UL));
        }

        return node.Facts.ReadsAreLocal ? new((NodeError.None, node.Facts.Committed)) : AskForIndexAsync(context);
    }

    private async ValueTask<NodeError> AskForReadAsync(RequestContext context)
    {
        var (error, index) = await AskForIndexAsync(context);
        if (error == NodeError.None && node.Facts.Applied < index && node.Facts is { LeadingTerm: 0, WriteFailure: not null })
        {
            // A follower applies what its own disk has, and this one's takes nothing: another member answers.
            return NodeError.DiskUnusable;
        }

        if (error == NodeError.None
            && await Patience.WaitAsync(node.Gate.WaitAsync(index), Timeout.InfiniteTimeSpan, node.Time, context.Cancelled) == WaitOutcome.Cancelled)
        {
            return node.IsStopping ? NodeError.Stopped : NodeError.Canceled;
        }

        return error;
    }

    private async ValueTask<(NodeError Error, ulong Index)> AskForIndexAsync(RequestContext context)
    {
        var round = node.ReadRounds.JoinAsync();
        node.RaftLoop.Wake();
        return await Patience.WaitAsync(round, Timeout.InfiniteTimeSpan, node.Time, context.Cancelled) == WaitOutcome.Cancelled
            ? (NodeError.Canceled, 0UL)
            : await round;
    }
}
