using System.Globalization;

namespace Cairn.Server.Metrics;

/// <summary>Counts the states that went one way: to other members, or from them. Any thread.</summary>
/// <param name="direction">As in etcd's names: "send" or "receive".</param>
/// <param name="label">Label of the other member: "To" or "From".</param>
internal sealed class TransferMetrics(string direction, string label)
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<ulong, Peer> _peers = [];

    /// <summary>Counts a transfer that begins.</summary>
    /// <param name="memberId">The other member.</param>
    public void Begin(ulong memberId)
    {
        lock (_lock)
        {
            Find_NeedsLock(memberId).InFlight++;
        }
    }

    /// <summary>Counts a transfer that has ended.</summary>
    /// <param name="memberId">The other member.</param>
    /// <param name="succeeded">Whether the state is in force.</param>
    /// <param name="took">How long it took.</param>
    public void End(ulong memberId, bool succeeded, TimeSpan took)
    {
        lock (_lock)
        {
            var peer = Find_NeedsLock(memberId);
            peer.InFlight--;
            if (succeeded)
            {
                peer.Succeeded++;
                peer.Took.Observe(took.TotalSeconds);
            }
            else
            {
                peer.Failed++;
            }
        }
    }

    /// <summary>States that are on their way.</summary>
    public int InFlight
    {
        get
        {
            lock (_lock)
            {
                return _peers.Values.Sum(static peer => peer.InFlight);
            }
        }
    }

    /// <summary>Reads the metrics.</summary>
    /// <param name="samples">Receives them, series of one name together.</param>
    public void AddTo(List<MetricSample> samples)
    {
        var name = $"etcd_network_snapshot_{direction}";
        lock (_lock)
        {
            samples.AddRange(Each_NeedsLock(peer => new MetricSample($"{name}_success", MetricKind.Counter, "Snapshots that are in force.", peer.Succeeded)));
            samples.AddRange(Each_NeedsLock(peer => new MetricSample($"{name}_failures", MetricKind.Counter, "Snapshots that came to nothing.", peer.Failed)));
            samples.AddRange(Each_NeedsLock(peer => new MetricSample($"{name}_inflights_total", MetricKind.Gauge, "Snapshots on their way.", peer.InFlight)));
            samples.AddRange(Each_NeedsLock(peer => peer.Took.Sample($"{name}_total_duration_seconds", "Seconds that a snapshot took.")));
        }
    }

    private IEnumerable<MetricSample> Each_NeedsLock(Func<Peer, MetricSample> read) =>
        _peers.Select(pair => read(pair.Value) with { Labels = [new(label, pair.Key.ToString("x", CultureInfo.InvariantCulture))] });

    private Peer Find_NeedsLock(ulong memberId)
    {
        if (!_peers.TryGetValue(memberId, out var peer))
        {
            _peers.Add(memberId, peer = new Peer());
        }

        return peer;
    }

    private sealed class Peer
    {
        public int InFlight { get; set; }

        public long Succeeded { get; set; }

        public long Failed { get; set; }

        public Histogram Took { get; } = new(first: 0.1, buckets: 10);
    }
}
