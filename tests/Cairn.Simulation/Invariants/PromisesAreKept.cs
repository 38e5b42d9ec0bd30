using Cairn.Raft;
using Cairn.Server.Membership;
using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>Who heard a member promise something never hears it again from a disk that does not hold the promise: one that was rolled back, or copied before.</summary>
/// <remarks>
/// Judged for each process that hears: what an earlier one heard is forgotten with it, but for what its manifest remembers. An acknowledged entry that was never committed may lawfully go.
/// Source: docs/decisions/0007; the Raft paper, figure 2, "persistent state".
/// </remarks>
internal sealed class PromisesAreKept : StepInvariant
{
    private readonly Dictionary<(ulong Receiver, ulong Nonce, ulong Sender), Promise> _promises = [];

    public override string? OnHeard(ClusterRecord record, PeerSight receiver, Message message, PeerSight sender, DurableLog log)
    {
        if (message.From != sender.MemberId)
        {
            return null;
        }

        var key = (receiver.MemberId, receiver.Process.Nonce, sender.MemberId);
        var known = _promises.GetValueOrDefault(key);
        if (log.State.Term < known.Term || (!log.IsBelow(known.Committed) && log.TermOf(known.Committed) != record.Committed[(int)known.Committed - 1]))
        {
            return $"{receiver.MemberId:x} hears {sender.MemberId:x}, which promised it term {known.Term} and the committed entry {known.Committed}, and has {log}";
        }

        if (message is { Reject: false, Type: MessageType.AppResp or MessageType.VoteResp })
        {
            known = known with { Term = Math.Max(known.Term, message.Term), Index = Math.Max(known.Index, message.Type == MessageType.AppResp ? message.Index : 0) };
        }

        // What it acknowledged may be committed by that, or later.
        var index = Math.Min(known.Index, (ulong)record.Committed.Count);
        var isHeld = index > known.Committed && log.TermOf(index) == record.Committed[(int)index - 1];
        _promises[key] = isHeld ? known with { Committed = index } : known;
        return null;
    }

    /// <summary>What a process heard another member promise.</summary>
    /// <param name="Term">Highest term in which it voted or acknowledged.</param>
    /// <param name="Index">Highest index that it acknowledged.</param>
    /// <param name="Committed">The same of what was seen to be committed.</param>
    private readonly record struct Promise(ulong Term, ulong Index, ulong Committed);
}
