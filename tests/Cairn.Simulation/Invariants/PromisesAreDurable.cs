using Cairn.Raft;
using Cairn.Simulation.Observations;

namespace Cairn.Simulation.Invariants;

/// <summary>A vote and an acknowledgement leave a member only after the sync of what they promise has returned.</summary>
/// <remarks>Source: the Raft paper, figure 2, "updated on stable storage before responding to RPCs"; etcd-io/raft doc.go, "asynchronous storage writes".</remarks>
internal sealed class PromisesAreDurable : StepInvariant
{
    public override string? OnSent(ClusterRecord record, Message message, DurableLog? log)
    {
        if (message.Reject || message.Type is not (MessageType.VoteResp or MessageType.AppResp) || log is null)
        {
            return null;
        }

        if (log.State.Term < message.Term)
        {
            return $"{message.From:x} answers in term {message.Term}, and only {log.State.Term} is durable";
        }

        if (message.Type == MessageType.AppResp)
        {
            return log.Reaches(message.Index) ? null : $"{message.From:x} acknowledges entry {message.Index}, and only {log.LastIndex} is durable";
        }

        return log.State.Term > message.Term || log.State.Vote == message.To
            ? null
            : $"{message.From:x} votes for {message.To:x} in term {message.Term}, and that is not durable";
    }
}
