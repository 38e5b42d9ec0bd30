using Cairn.Raft;
using Cairn.Server.Proposals;

namespace Cairn.Server.Membership;

/// <summary>Proposes membership changes one after the other: the core lets one in at a time and turns another into nothing, whose proposer would wait for ever. Thread-safe.</summary>
/// <param name="node">The node.</param>
internal sealed class MembershipChanges(NodeRuntime node)
{
    private readonly Lock _lock = new();
    private Task _last = Task.CompletedTask;

    /// <summary>Proposes a change when those before it are through.</summary>
    /// <param name="make">Makes the change, given its id.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>What became of it.</returns>
    public Task<ProposalOutcome> ProposeAsync(Func<ulong, ConfChange> make, RequestContext context)
    {
        lock (_lock)
        {
            var mine = ProposeAfterAsync(_last, make, context);
            _last = mine;
            return mine;
        }
    }

    private async Task<ProposalOutcome> ProposeAfterAsync(Task before, Func<ulong, ConfChange> make, RequestContext context)
    {
        await before;
        return context.Cancelled.IsCancellationRequested
            ? new ProposalOutcome(NodeError.Canceled, null)
            : await node.ProposeAsync(make, context);
    }
}
