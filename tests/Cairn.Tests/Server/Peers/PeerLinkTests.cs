using System.Buffers;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Server;
using Cairn.Server.Peers;
using Xunit;

namespace Cairn.Tests.Server.Peers;

public sealed class PeerLinkTests
{
    private const ulong Other = 7;

    private static readonly PeerAddress Address = new(Other, ["http://other:2380"]);

    [Fact]
    public void A_message_takes_the_pipeline_while_no_stream_is_up()
    {
        var (links, link) = Connect();

        links.Send(Heartbeat());

        Assert.True(link.Pipeline.TryTakeMessage(out var body));
        Assert.True(MessageWire.TryRead(body, out var message));
        Assert.Equal(Heartbeat(), message);
    }

    [Fact]
    public void Appends_and_the_rest_take_ways_of_their_own_when_both_streams_are_up()
    {
        var (links, link) = Connect();
        var appends = link.OpenStream(PeerTraffic.Appends)!;
        var messages = link.OpenStream(PeerTraffic.Messages)!;

        links.Send(Append());
        links.Send(Heartbeat());

        Assert.Equal((1, 1, 0), (appends.Count, messages.Count, link.Pipeline.Count));
    }

    [Fact]
    public void Appends_take_the_stream_of_messages_while_theirs_is_down()
    {
        var (links, link) = Connect();
        var messages = link.OpenStream(PeerTraffic.Messages)!;

        links.Send(Append());

        Assert.Equal(1, messages.Count);
    }

    [Fact]
    public void A_full_way_drops_and_leaves_the_other_ways_alone()
    {
        var (links, link) = Connect();
        var appends = link.OpenStream(PeerTraffic.Appends)!;
        var messages = link.OpenStream(PeerTraffic.Messages)!;
        for (var i = 0; i < 10_000; i++)
        {
            links.Send(Append());
        }

        links.Send(Heartbeat());

        Assert.Equal((4096, 1), (appends.Count, messages.Count));
    }

    [Fact]
    public async Task A_stream_that_is_asked_for_again_replaces_the_one_before()
    {
        var (links, link) = Connect();
        var former = link.OpenStream(PeerTraffic.Messages)!;
        var current = link.OpenStream(PeerTraffic.Messages)!;

        links.Send(Heartbeat());
        link.CloseStream(former);
        links.Send(Heartbeat());

        Assert.False(await former.WaitAsync(TestContext.Current.CancellationToken));
        Assert.Equal(2, current.Count);
    }

    [Fact]
    public void What_a_stream_writes_is_what_its_reader_reads()
    {
        var (links, link) = Connect();
        var messages = link.OpenStream(PeerTraffic.Messages)!;
        var output = new ArrayBufferWriter<byte>();
        links.Send(Heartbeat());

        messages.WriteHeartbeat(output);
        Assert.True(messages.TryWriteFrames(output));

        var bytes = new ReadOnlySequence<byte>(output.WrittenMemory);
        Assert.Equal(StreamRead.Heartbeat, MessageStreamReader.TryRead(ref bytes, out _));
        Assert.Equal(StreamRead.Message, MessageStreamReader.TryRead(ref bytes, out var message));
        Assert.Equal(Heartbeat(), message);
    }

    [Fact]
    public void A_member_that_is_introduced_has_no_streams_until_the_log_tells_of_it()
    {
        var links = new PeerLinks();
        var opened = new List<PeerLink>();
        links.Opened += opened.Add;

        links.Introduce(Address);
        links.Introduce(Address);
        links.SetPeers([Address]);

        Assert.Equal([true, false], opened.Select(link => link.IsProvisional));
        Assert.Same(opened[1], links.Find(Other));
    }

    [Fact]
    public void A_member_that_was_introduced_stays_when_the_log_tells_of_others()
    {
        var links = new PeerLinks();
        links.Introduce(Address);

        links.SetPeers([new PeerAddress(8, ["http://third:2380"])]);

        Assert.NotNull(links.Find(Other));
    }

    [Fact]
    public void A_member_that_is_removed_has_no_link_any_more()
    {
        var (links, link) = Connect();
        var closed = new List<PeerLink>();
        links.Closed += closed.Add;

        links.SetPeers([]);

        Assert.Equal([link], closed);
        Assert.Null(links.Find(Other));
        Assert.Null(link.OpenStream(PeerTraffic.Messages));
    }

    [Fact]
    public void A_member_that_moves_keeps_its_link()
    {
        var (links, link) = Connect();

        links.SetPeers([Address with { PeerUrls = ["http://elsewhere:2380"] }]);

        Assert.Same(link, links.Find(Other));
        Assert.Equal(["http://elsewhere:2380"], link.PeerUrls);
    }

    [Fact]
    public void A_message_for_another_member_is_refused()
    {
        var links = new PeerLinks();

        Assert.Equal(PeerDelivery.Forbidden, links.Receive(Encode(Heartbeat())));
        Assert.Equal(PeerDelivery.Malformed, links.Receive(new byte[] { 0xff, 0xff }));
    }

    [Fact]
    public void What_goes_out_on_any_way_is_counted()
    {
        var (links, link) = Connect();
        var output = new ArrayBufferWriter<byte>();
        links.Send(Heartbeat());
        link.Pipeline.TryTakeMessage(out var body);
        var messages = link.OpenStream(PeerTraffic.Messages)!;
        links.Send(Heartbeat());

        messages.WriteHeartbeat(output);
        messages.TryWriteFrames(output);

        Assert.Equal(body.Length + output.WrittenCount, link.Counters.SentBytes.Value);
        Assert.Equal(0, link.Counters.SendFailures.Value);
    }

    [Fact]
    public void What_could_not_be_sent_is_counted()
    {
        var (_, link) = Connect();
        var replaced = link.OpenStream(PeerTraffic.Messages)!;
        var broken = link.OpenStream(PeerTraffic.Messages)!;

        link.CloseStream(replaced);
        link.CloseStream(broken);

        Assert.Equal(1, link.Counters.SendFailures.Value);
    }

    [Fact]
    public void What_comes_in_is_counted_once_it_is_whole()
    {
        var (_, link) = Connect();
        var inlet = link.OpenInlet(PeerTraffic.Messages);
        var output = new ArrayBufferWriter<byte>();
        MessageStreamWriter.Write(Heartbeat(), output);
        var whole = output.WrittenCount;
        var bytes = new ReadOnlySequence<byte>([.. output.WrittenSpan, 0, 0]);

        Assert.True(inlet.TryTake(ref bytes));

        Assert.Equal(whole, link.Counters.ReceivedBytes.Value);
        Assert.Equal(0, link.Counters.ReceiveFailures.Value);
    }

    [Fact]
    public void Bytes_that_are_no_message_are_counted()
    {
        var (_, link) = Connect();
        var bytes = new ReadOnlySequence<byte>([0, 0, 0, 0, 0, 0, 0, 2, 0xff, 0xff]);

        Assert.False(link.OpenInlet(PeerTraffic.Messages).TryTake(ref bytes));

        Assert.Equal(1, link.Counters.ReceiveFailures.Value);
    }

    [Fact]
    public void Each_other_member_has_its_series_under_etcds_names()
    {
        var (links, link) = Connect();
        var samples = new List<MetricSample>();
        link.ReportActive();
        link.ReportRoundTrip(TimeSpan.FromMilliseconds(1));

        links.Metrics.AddTo(samples, localId: 0xab);

        Assert.Equal(
            [
                ("etcd_network_peer_sent_bytes_total", MetricKind.Counter, "To=7"),
                ("etcd_network_peer_sent_failures_total", MetricKind.Counter, "To=7"),
                ("etcd_network_peer_received_bytes_total", MetricKind.Counter, "From=7"),
                ("etcd_network_peer_received_failures_total", MetricKind.Counter, "From=7"),
                ("etcd_network_peer_round_trip_time_seconds", MetricKind.Histogram, "To=7"),
                ("etcd_network_active_peers", MetricKind.Gauge, "Local=ab,Remote=7"),
                ("etcd_network_disconnected_peers_total", MetricKind.Counter, "Local=ab,Remote=7"),
            ],
            samples.Select(sample => (sample.Name, sample.Kind, string.Join(',', sample.Labels.Select(label => $"{label.Key}={label.Value}")))));
        Assert.Equal([0.0001, 3.2768, double.PositiveInfinity], samples[4].Buckets.Select(bucket => Math.Round(bucket.UpperBound, 6)).Where((_, i) => i is 0 or 15 or 16));
        Assert.Equal(1, samples[5].Value);
    }

    private static (PeerLinks Links, PeerLink Link) Connect()
    {
        var links = new PeerLinks();
        links.SetPeers([Address]);
        return (links, links.Find(Other)!);
    }

    private static Message Heartbeat() => new() { Type = MessageType.Heartbeat, From = 1, To = Other, Term = 3, Commit = 9 };

    private static Message Append() => new() { Type = MessageType.App, From = 1, To = Other, Term = 3, LogTerm = 3, Index = 9 };

    private static byte[] Encode(Message message)
    {
        var bytes = new byte[MessageWire.Size(message)];
        MessageWire.Write(message, bytes);
        return bytes;
    }
}
