using Cairn.Raft;
using Cairn.Server.Leases;
using Cairn.Server.Peers;
using Cairn.Server.Proposals;
using Cairn.Server.Reads;
using Microsoft.Extensions.Logging;

namespace Cairn.Server.Loops;

/// <summary>Everything the raft loop works with.</summary>
internal sealed record RaftLoopParts
{
    /// <summary>The core. Owned by the loop from now on.</summary>
    public required RaftNode Core { get; init; }

    /// <summary>The log as the core reads it. Owned by the loop from now on.</summary>
    public required MemoryLog Log { get; init; }

    /// <summary>The log on disk.</summary>
    public required Storage.Wal.WriteAheadLog Wal { get; init; }

    /// <summary>What the rest of the node may know.</summary>
    public required NodeFacts Facts { get; init; }

    /// <summary>Makes headers; learns the term.</summary>
    public required HeaderSource Headers { get; init; }

    /// <summary>Proposals that somebody waits for.</summary>
    public required ProposalTable Proposals { get; init; }

    /// <summary>Makes ids of proposals.</summary>
    public required RequestIds Ids { get; init; }

    /// <summary>Reads that wait for a confirmation.</summary>
    public required ReadRounds Reads { get; init; }

    /// <summary>Tells as whom the member itself asks.</summary>
    public required Func<State.Auth.AuthIdentity> Self { get; init; }

    /// <summary>Keeps the time of leases.</summary>
    public required LeaseClock Leases { get; init; }

    /// <summary>Called when the log found no room.</summary>
    public required Action NoSpaceFound { get; init; }

    /// <summary>Called when a leader saw acknowledgements that this log does not hold; the argument says so. No verdict of the cluster is needed: within a term no log may lawfully lose what was
    /// acknowledged in it, so this one did, or another process acknowledged for the same member (docs/decisions/0007).</summary>
    public required Action<string> LogLost { get; init; }

    /// <summary>Reaches the other members; null if there are none to be reached.</summary>
    public IPeerTransport? Transport { get; init; }

    /// <summary>Says whether the cluster knows a member to be a Cairn.</summary>
    public required Func<ulong, bool> IsRecordedAsCairn { get; init; }

    /// <summary>Says whether a member was heard as a Cairn, recorded as one or not yet.</summary>
    public required Func<ulong, bool> ShowsItselfAsCairn { get; init; }

    /// <summary>Offers a snapshot to another member; the argument is the message that the core sends.</summary>
    public required Action<Message> OfferSnapshot { get; init; }

    /// <summary>Goes over to the state of a snapshot, durably, after the index given has been applied.</summary>
    public required Func<Snapshot, ulong, Task> Install { get; init; }

    /// <summary>Counts.</summary>
    public required Metrics.ServerMetrics Metrics { get; init; }

    /// <summary>Says which requests took long.</summary>
    public required Requests.SlowRequests Slow { get; init; }

    /// <summary>Source of time.</summary>
    public required TimeProvider Time { get; init; }

    /// <summary>Timing and limits.</summary>
    public required NodeOptions Options { get; init; }

    /// <summary>Where log lines go.</summary>
    public required ILogger Logger { get; init; }

    /// <summary>Hands a message to the transport.</summary>
    /// <param name="message">To another member.</param>
    public void Send(Message message)
    {
        if (message.Type == MessageType.Heartbeat)
        {
            Metrics.Heartbeats.Note(message.To, message.Term, Time, Options.HeartbeatInterval);
        }

        Transport?.Send(message);
    }
}
