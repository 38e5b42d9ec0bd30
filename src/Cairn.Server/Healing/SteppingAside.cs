using Cairn.Server.Membership;

namespace Cairn.Server.Healing;

/// <summary>What a member does when it learns that its store is not what it should be: it serves nothing from then on, and begins anew with a store of the others.</summary>
/// <remarks>
/// If it leads, it hands leadership over first, so that nobody waits for an election. What is wrong is noted durably; then the node stops, and the process opens
/// the directory again (<see cref="Transfer.StoreRefetch"/>).
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class SteppingAside(NodeRuntime node)
{
    private int _begun;

    /// <summary>Whether this member serves nothing any more.</summary>
    public bool IsUnderWay => Volatile.Read(ref _begun) != 0;

    /// <summary>Steps aside, once. Any thread.</summary>
    /// <param name="reason">What is wrong, as a clause.</param>
    /// <param name="sources">Peer URLs of those who have a good store; empty if that is not known.</param>
    public void Begin(string reason, IReadOnlyList<string> sources)
    {
        if (Interlocked.Exchange(ref _begun, 1) == 0)
        {
            _ = node.Guard(RunAsync(reason, sources));
        }
    }

    private async Task RunAsync(string reason, IReadOnlyList<string> sources)
    {
        await Task.Yield();
        node.Logger.SteppedAside(node.Headers.MemberId, reason);
        node.Hub.EndStreams(requireLeaderOnly: false, NodeError.Stopped);
        await new HandOver(node).ToBestAsync();
        node.Memory.StoreSources = [.. sources];
        node.Memory.StoreDamage = reason;
        node.Housekeeping.WriteSoon();
        node.Departed = new ReopenException($"the store of this member is set aside: {reason}");
        await node.StopAsync();
    }
}
