using System.Collections.Immutable;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Server.Membership;
using Cairn.Server.Metrics;

namespace Cairn.Server.Peers;

/// <summary>Every link of this member; the transport of production, up to the bytes. Who moves the bytes listens to <see cref="Opened"/> and <see cref="Closed"/>.</summary>
/// <remarks>Thread-safe. No sockets: those are the host's.</remarks>
public sealed class PeerLinks : IPeerTransport
{
    private readonly Lock _lock = new();
    private ImmutableDictionary<ulong, PeerLink> _links = ImmutableDictionary<ulong, PeerLink>.Empty;
    private ImmutableHashSet<ulong> _members = [];
    private Node? _node;

    /// <summary>Raised when there is a link to another member; never for one that is there already.</summary>
    public event Action<PeerLink>? Opened;

    /// <summary>Raised when a link is no more.</summary>
    public event Action<PeerLink>? Closed;

    /// <summary>Id of this member; 0 before <see cref="Attach"/>.</summary>
    public ulong LocalId { get; private set; }

    /// <summary>What is counted of all links.</summary>
    internal PeerMetrics Metrics { get; private set; } = new();

    /// <summary>The links. Any thread.</summary>
    public IEnumerable<PeerLink> All => Volatile.Read(ref _links).Values;

    /// <summary>Finds the link to a member. Any thread.</summary>
    /// <param name="memberId">The member.</param>
    /// <returns>The link; null if there is none.</returns>
    public PeerLink? Find(ulong memberId) => Volatile.Read(ref _links).GetValueOrDefault(memberId);

    /// <inheritdoc/>
    public void Attach(Node node)
    {
        ArgumentNullException.ThrowIfNull(node);
        LocalId = node.MemberId;
        Metrics = node.PeerMetrics;
        Volatile.Write(ref _node, node);
    }

    /// <inheritdoc/>
    public void Send(Message message)
    {
        ArgumentNullException.ThrowIfNull(message);
        Find(message.To)?.Send(message);
    }

    /// <inheritdoc/>
    public void SetPeers(IReadOnlyList<PeerAddress> peers)
    {
        ArgumentNullException.ThrowIfNull(peers);
        var opened = new List<PeerLink>();
        var closed = new List<PeerLink>();
        lock (_lock)
        {
            var known = peers.Select(peer => peer.MemberId).ToImmutableHashSet();
            foreach (var link in _links.Values.Where(link => !known.Contains(link.MemberId) && _members.Contains(link.MemberId)))
            {
                _links = _links.Remove(link.MemberId);
                closed.Add(link);
            }

            foreach (var peer in peers)
            {
                Settle_NeedsLock(peer, opened, closed);
            }

            _members = known;
        }

        Announce(opened, closed);
    }

    /// <inheritdoc/>
    public void Introduce(PeerAddress peer)
    {
        ArgumentNullException.ThrowIfNull(peer);
        PeerLink link;
        lock (_lock)
        {
            if (peer.PeerUrls.Count == 0 || peer.MemberId == LocalId || _links.ContainsKey(peer.MemberId))
            {
                return;
            }

            link = new PeerLink(this, peer.MemberId, [.. peer.PeerUrls], isProvisional: true);
            _links = _links.Add(peer.MemberId, link);
        }

        Opened?.Invoke(link);
    }

    /// <summary>Takes one message that came as a request of its own. Any thread.</summary>
    /// <param name="body">The body of the request.</param>
    /// <param name="sender">What the process that sent it shows; null if nothing.</param>
    /// <returns>What became of it.</returns>
    public PeerDelivery Receive(ReadOnlyMemory<byte> body, PeerSight? sender = null)
    {
        if (!MessageWire.TryRead(body, out var message) || message is null)
        {
            return PeerDelivery.Malformed;
        }

        if (message.To != LocalId || (_node?.IsRemovedMember(message.From) ?? false))
        {
            return PeerDelivery.Forbidden;
        }

        var counters = Find(message.From)?.Counters;
        counters?.ReceivedBytes.Add(body.Length);
        if (!TryDeliver(message, sender))
        {
            counters?.ReceiveFailures.Add();
        }

        return PeerDelivery.Taken;
    }

    /// <summary>Closes every link; no more come.</summary>
    public void Close()
    {
        PeerLink[] links;
        lock (_lock)
        {
            links = [.. _links.Values];
            _links = ImmutableDictionary<ulong, PeerLink>.Empty;
        }

        Announce([], links);
    }

    /// <summary>Hands a message to the node, unless it is of a kind that members never send to each other.</summary>
    /// <param name="message">The message.</param>
    /// <param name="sender">What the process that sent it shows; null if nothing.</param>
    /// <returns>False if the node had to drop it.</returns>
    internal bool TryDeliver(Message message, PeerSight? sender) =>
        message.To != LocalId || !PeerMessages.MayCome(message) || (Volatile.Read(ref _node)?.Receive(message, sender) ?? true);

    /// <summary>Notes that a process is alive.</summary>
    /// <param name="sender">What it shows.</param>
    internal void Heard(PeerSight sender) => Volatile.Read(ref _node)?.Hears(sender.MemberId, sender);

    /// <summary>Says that something could not be sent.</summary>
    /// <param name="memberId">The addressee.</param>
    internal void ReportUnreachable(ulong memberId) => Volatile.Read(ref _node)?.ReportUnreachable(memberId);

    private void Settle_NeedsLock(PeerAddress peer, List<PeerLink> opened, List<PeerLink> closed)
    {
        var existing = _links.GetValueOrDefault(peer.MemberId);
        if (existing is { IsProvisional: false })
        {
            existing.Move([.. peer.PeerUrls]);
            return;
        }

        if (existing is not null)
        {
            closed.Add(existing);
        }

        var link = new PeerLink(this, peer.MemberId, [.. peer.PeerUrls], isProvisional: false);
        _links = _links.SetItem(peer.MemberId, link);
        opened.Add(link);
    }

    private void Announce(IEnumerable<PeerLink> opened, IEnumerable<PeerLink> closed)
    {
        foreach (var link in closed)
        {
            link.Close();
            Closed?.Invoke(link);
        }

        foreach (var link in opened)
        {
            Opened?.Invoke(link);
        }
    }
}

/// <summary>What became of a message that came as a request of its own.</summary>
public enum PeerDelivery
{
    /// <summary>It was handed on, or dropped as a network may.</summary>
    Taken,

    /// <summary>It is no message.</summary>
    Malformed,

    /// <summary>It is for another member, or from one that was removed.</summary>
    Forbidden,
}
