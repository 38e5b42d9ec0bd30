using Cairn.Raft;

namespace Cairn.Server.Peers;

/// <summary>Carries messages to the other members. The simulator has one of its own.</summary>
/// <remarks>
/// Messages may be lost, delayed, reordered and repeated. No method blocks or throws: what cannot be sent is dropped, and reported to
/// <see cref="Node.ReportUnreachable"/>.
/// </remarks>
public interface IPeerTransport
{
    /// <summary>Learns whom it serves; called once, before anything is sent.</summary>
    /// <param name="node">Where messages of the others go.</param>
    void Attach(Node node)
    {
    }

    /// <summary>Sends a message; never a snapshot, which is offered and pulled by <see cref="IPeerCalls"/>.</summary>
    /// <param name="message">The message; its addressee is in it.</param>
    void Send(Message message);

    /// <summary>Tells of a member that the log does not tell of yet, so that it can be answered.</summary>
    /// <param name="peer">Where it is.</param>
    void Introduce(PeerAddress peer)
    {
    }

    /// <summary>Tells under which addresses the other members are to be reached. Called at start and after every change.</summary>
    /// <param name="peers">Every member but this one.</param>
    void SetPeers(IReadOnlyList<PeerAddress> peers);
}

/// <summary>Where a member is to be reached.</summary>
/// <param name="MemberId">Its id.</param>
/// <param name="PeerUrls">Its peer URLs; empty if unknown.</param>
public sealed record PeerAddress(ulong MemberId, IReadOnlyList<string> PeerUrls);
