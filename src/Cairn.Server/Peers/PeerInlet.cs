using System.Buffers;
using Cairn.Server.Membership;

namespace Cairn.Server.Peers;

/// <summary>The receiving end of one stream: bytes of the connection go in, messages go to the node. Belongs to the one task that reads the connection.</summary>
public sealed class PeerInlet
{
    private readonly PeerLinks _links;
    private readonly AppendStreamReader? _appends;

    /// <summary>Creates the end of a fresh connection.</summary>
    /// <param name="links">Where messages go.</param>
    /// <param name="traffic">Which stream it is.</param>
    /// <param name="local">This member.</param>
    /// <param name="remote">The sender.</param>
    internal PeerInlet(PeerLinks links, PeerTraffic traffic, ulong local, ulong remote)
    {
        Invariant.Holds(traffic != PeerTraffic.Pipeline);
        _links = links;
        _appends = traffic == PeerTraffic.Appends ? new AppendStreamReader(local, remote) : null;
    }

    /// <summary>What the process at the other end shows; null if nothing.</summary>
    internal PeerSight? Sender { get; init; }

    /// <summary>Takes every whole frame.</summary>
    /// <param name="bytes">What was received; on return, what is left.</param>
    /// <returns>False if the bytes are not of this protocol: the stream must be closed.</returns>
    public bool TryTake(ref ReadOnlySequence<byte> bytes)
    {
        while (true)
        {
            var found = _appends is null ? MessageStreamReader.TryRead(ref bytes, out var message) : _appends.TryRead(ref bytes, out message);
            switch (found)
            {
                case StreamRead.Incomplete:
                    return true;
                case StreamRead.Malformed:
                    return false;
                case StreamRead.Message:
                    _links.Deliver(message!, Sender);
                    break;
                case StreamRead.Heartbeat when Sender is not null:
                    _links.Heard(Sender);
                    break;
                default:
                    break;
            }
        }
    }
}
