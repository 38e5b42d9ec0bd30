using Cairn.Raft;
using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>A member votes for one candidate a term, itself included, however often it crashes.</summary>
/// <remarks>
/// Of a disk that was copied this is judged by what comes of it (<see cref="ElectionSafety"/>): the copy may vote on its own, and is not heard by whoever hears the other.
/// Source: the Raft paper, 5.2 and figure 2, "votedFor".
/// </remarks>
internal sealed class OneVoteATerm : StepInvariant
{
    private readonly Dictionary<(ulong Member, ulong Term), ulong> _votes = [];

    public override string? OnSent(ClusterRecord record, Message message, DurableLog? log) =>
        message is { Type: MessageType.VoteResp, Reject: false } && !record.WasCopied(message.From) ? Vote(message.From, message.Term, message.To) : null;

    public override string? OnDurable(ClusterRecord record, ulong member, DurableLog log) =>
        log.State.Vote == 0 || record.WasCopied(member) ? null : Vote(member, log.State.Term, log.State.Vote);

    private string? Vote(ulong member, ulong term, ulong candidate)
    {
        if (_votes.TryAdd((member, term), candidate) || _votes[(member, term)] == candidate)
        {
            return null;
        }

        return $"{member:x} votes for {candidate:x} in term {term}, in which it voted for {_votes[(member, term)]:x}";
    }
}
