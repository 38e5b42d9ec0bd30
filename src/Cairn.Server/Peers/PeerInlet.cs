using System.Buffers;
using Cairn.Server.Membership;
using Cairn.Server.Metrics;

namespace Cairn.Server.Peers;

/// <summary>The receiving end of one stream: bytes of the connection go in, messages go to the node. Belongs to the one task that reads the connection.</summary>
public sealed class PeerInlet
{
    private readonly PeerLinks _links;
    private readonly PeerCounters _counters;
    private readonly AppendStreamReader? _appends;

    /// <summary>Creates the end of a fresh connection.</summary>
    /// <param name="links">Where messages go.</param>
    /// <param name="link">The link to the sender.</param>
    /// <param name="traffic">Which stream it is.</param>
    internal PeerInlet(PeerLinks links, PeerLink link, PeerTraffic traffic)
    {
        Invariant.Holds(traffic != PeerTraffic.Pipeline);
        _links = links;
        _counters = link.Counters;
        _appends = traffic == PeerTraffic.Appends ? new AppendStreamReader(links.LocalId, link.MemberId) : null;
    }

    /// <summary>What the process at the other end shows; null if nothing.</summary>
    internal PeerSight? Sender { get; init; }

    /// <summary>Takes every whole frame.</summary>
    /// <param name="bytes">What was received; on return, what is left.</param>
    /// <returns>False if the bytes are not of this protocol: the stream must be closed.</returns>
    public bool TryTake(ref ReadOnlySequence<byte> bytes)
    {
        var before = bytes.Length;
        try
        {
            return TryTakeFrames(ref bytes);
        }
        finally
        {
            _counters.ReceivedBytes.Add(before - bytes.Length);
        }
    }

    private bool TryTakeFrames(ref ReadOnlySequence<byte> bytes)
    {
        while (true)
        {
            var found = _appends is null ? MessageStreamReader.TryRead(ref bytes, out var message) : _appends.TryRead(ref bytes, out message);
            switch (found)
            {
                case StreamRead.Incomplete:
                    return true;
                case StreamRead.Malformed:
                    _counters.ReceiveFailures.Add();
                    return false;
                case StreamRead.Message:
                    _counters.ReceiveFailures.Add(_links.TryDeliver(message!, Sender) ? 0 : 1);
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
