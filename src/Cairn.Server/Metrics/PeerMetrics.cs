using System.Globalization;

namespace Cairn.Server.Metrics;

/// <summary>Counts what goes to each other member, and what comes from it. Any thread.</summary>
/// <remarks>Source of the names: etcd server/etcdserver/api/rafthttp/metrics.go.</remarks>
internal sealed class PeerMetrics
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<ulong, PeerCounters> _peers = [];

    /// <summary>The counters of a member; they stay when it goes.</summary>
    /// <param name="memberId">The other member.</param>
    /// <returns>Its counters.</returns>
    public PeerCounters Of(ulong memberId)
    {
        lock (_lock)
        {
            if (!_peers.TryGetValue(memberId, out var counters))
            {
                _peers.Add(memberId, counters = new PeerCounters());
            }

            return counters;
        }
    }

    /// <summary>Reads the metrics.</summary>
    /// <param name="samples">Receives them, series of one name together.</param>
    /// <param name="localId">This member.</param>
    public void AddTo(List<MetricSample> samples, ulong localId)
    {
        KeyValuePair<ulong, PeerCounters>[] peers;
        lock (_lock)
        {
            peers = [.. _peers];
        }

        AddEach(samples, peers, static id => [new("To", Name(id))], static peer => Count("peer_sent_bytes_total", "Bytes sent to other members.", peer.SentBytes));
        AddEach(samples, peers, static id => [new("To", Name(id))], static peer => Count("peer_sent_failures_total", "Times that something could not be sent to another member.", peer.SendFailures));
        AddEach(samples, peers, static id => [new("From", Name(id))], static peer => Count("peer_received_bytes_total", "Bytes received from other members.", peer.ReceivedBytes));
        AddEach(samples, peers, static id => [new("From", Name(id))], static peer => Count("peer_received_failures_total", "Messages of other members that could not be taken.", peer.ReceiveFailures));
        AddEach(samples, peers, static id => [new("To", Name(id))], static peer => peer.RoundTrip.Sample("etcd_network_peer_round_trip_time_seconds", "Seconds that other members took to answer a probe."));
        KeyValuePair<string, string>[] Both(ulong id) => [new("Local", Name(localId)), new("Remote", Name(id))];
        AddEach(samples, peers, Both, static peer => new("etcd_network_active_peers", MetricKind.Gauge, "Whether streams of the other member are received.", peer.IsActive ? 1 : 0));
        AddEach(samples, peers, Both, static peer => Count("disconnected_peers_total", "Times that the last stream of another member ended.", peer.Disconnects));
    }

    private static void AddEach(
        List<MetricSample> samples,
        KeyValuePair<ulong, PeerCounters>[] peers,
        Func<ulong, KeyValuePair<string, string>[]> labels,
        Func<PeerCounters, MetricSample> read) =>
        samples.AddRange(peers.Select(pair => read(pair.Value) with { Labels = labels(pair.Key) }));

    private static MetricSample Count(string name, string help, Counter counter) => new($"etcd_network_{name}", MetricKind.Counter, help, counter.Value);

    private static string Name(ulong memberId) => memberId.ToString("x", CultureInfo.InvariantCulture);
}

/// <summary>What is counted of one other member. Any thread.</summary>
internal sealed class PeerCounters
{
    /// <summary>Bytes of streams, requests and states that went there.</summary>
    public Counter SentBytes { get; } = new();

    /// <summary>Bytes of streams, requests and states that came from there.</summary>
    public Counter ReceivedBytes { get; } = new();

    /// <summary>Messages that were dropped, requests that failed, streams that broke.</summary>
    public Counter SendFailures { get; } = new();

    /// <summary>Bytes that are no message, and messages that the loop had no room for.</summary>
    public Counter ReceiveFailures { get; } = new();

    /// <summary>Times that the last stream from there ended.</summary>
    public Counter Disconnects { get; } = new();

    /// <summary>Seconds from a probe to its answer.</summary>
    public Histogram RoundTrip { get; } = new(first: 0.0001, buckets: 16);

    /// <summary>Whether a stream from there is up.</summary>
    public bool IsActive { get; set; }
}
