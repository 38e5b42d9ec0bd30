using System.Collections.Immutable;
using Cairn.Raft;
using Cairn.Server.Membership;
using Cairn.Server.Metrics;

namespace Cairn.Server.Peers;

/// <summary>What there is between this member and another one: the ways out, as far as they are up.</summary>
/// <remarks>Source: etcd server/etcdserver/api/rafthttp/peer.go (pick, attachOutgoingConn).</remarks>
public sealed class PeerLink
{
    private readonly Lock _lock = new();
    private readonly PeerLinks _links;
    private PeerOutlet? _messages;
    private PeerOutlet? _appends;
    private bool _isClosed;
    private ImmutableArray<string> _urls;

    /// <summary>Creates a link without streams.</summary>
    /// <param name="links">All links.</param>
    /// <param name="memberId">The other member.</param>
    /// <param name="urls">Its peer URLs.</param>
    /// <param name="isProvisional">Whether the other is not yet known from the log.</param>
    internal PeerLink(PeerLinks links, ulong memberId, ImmutableArray<string> urls, bool isProvisional)
    {
        _links = links;
        MemberId = memberId;
        _urls = urls;
        IsProvisional = isProvisional;
        Counters = links.Metrics.Of(memberId);
        Pipeline = new PeerOutlet(PeerTraffic.Pipeline, Counters.SentBytes);
    }

    /// <summary>The other member.</summary>
    public ulong MemberId { get; }

    /// <summary>Its peer URLs. Any thread.</summary>
    public IReadOnlyList<string> PeerUrls
    {
        get
        {
            lock (_lock)
            {
                return _urls;
            }
        }
    }

    /// <summary>Whether the other is not yet known from the log, but from what it or others said: only single requests go there.</summary>
    public bool IsProvisional { get; }

    /// <summary>The way without a stream.</summary>
    public PeerOutlet Pipeline { get; }

    /// <summary>What is counted of this link.</summary>
    internal PeerCounters Counters { get; }

    /// <summary>Opens the way of a stream that the other has just asked for; one that it asked for before is closed. Any thread.</summary>
    /// <param name="traffic">Which stream.</param>
    /// <returns>The way; null when the link is closed.</returns>
    public PeerOutlet? OpenStream(PeerTraffic traffic)
    {
        Invariant.Holds(traffic != PeerTraffic.Pipeline);
        var opened = new PeerOutlet(traffic, Counters.SentBytes);
        lock (_lock)
        {
            if (_isClosed)
            {
                return null;
            }

            ref var place = ref traffic == PeerTraffic.Appends ? ref _appends : ref _messages;
            place?.Close();
            place = opened;
        }

        return opened;
    }

    /// <summary>Says that the connection of a stream is gone. Any thread.</summary>
    /// <param name="outlet">Its way.</param>
    public void CloseStream(PeerOutlet outlet)
    {
        ArgumentNullException.ThrowIfNull(outlet);
        bool wasCurrent;
        lock (_lock)
        {
            wasCurrent = outlet == _messages || outlet == _appends;
            _messages = outlet == _messages ? null : _messages;
            _appends = outlet == _appends ? null : _appends;
        }

        outlet.Close();
        if (wasCurrent)
        {
            ReportUnreachable();
        }
    }

    /// <summary>Makes the end for a stream that this member has just dialled.</summary>
    /// <param name="traffic">Which stream.</param>
    /// <param name="sender">What the process at the other end shows; null if nothing.</param>
    /// <returns>The end.</returns>
    public PeerInlet OpenInlet(PeerTraffic traffic, PeerSight? sender = null) => new(_links, this, traffic) { Sender = sender };

    /// <summary>Says that something could not be sent, so that the core sends carefully. Any thread.</summary>
    public void ReportUnreachable()
    {
        Counters.SendFailures.Add();
        _links.ReportUnreachable(MemberId);
    }

    /// <summary>Says that the first stream of the other is up. Any thread.</summary>
    public void ReportActive() => Counters.IsActive = true;

    /// <summary>Says that the last stream of the other has ended. Any thread.</summary>
    public void ReportInactive()
    {
        Counters.IsActive = false;
        Counters.Disconnects.Add();
    }

    /// <summary>Says how long the other took to answer a probe. Any thread.</summary>
    /// <param name="took">From the question to the answer.</param>
    public void ReportRoundTrip(TimeSpan took) => Counters.RoundTrip.Observe(took.TotalSeconds);

    /// <summary>Learns under which URLs the other is to be reached.</summary>
    /// <param name="urls">Its peer URLs.</param>
    internal void Move(ImmutableArray<string> urls)
    {
        lock (_lock)
        {
            _urls = urls;
        }
    }

    /// <summary>Sends on the way that is up and meant for it. The raft loop.</summary>
    /// <param name="message">The message.</param>
    internal void Send(Message message)
    {
        PeerOutlet way;
        lock (_lock)
        {
            way = (message.Type == MessageType.App ? _appends : null) ?? _messages ?? Pipeline;
        }

        if (!way.TryAdd(message))
        {
            ReportUnreachable();
        }
    }

    /// <summary>Closes every way.</summary>
    internal void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            _messages?.Close();
            _appends?.Close();
        }

        Pipeline.Close();
    }
}
