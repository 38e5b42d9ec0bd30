using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Metrics;
using Cairn.Tests.Server.Simulated;
using Google.Protobuf;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

public sealed class MetricsTests
{
    [Fact]
    public void What_a_member_does_is_counted_under_the_names_of_etcd() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        await node.PutAsync("a", "1");
        await node.GetAsync("a");
        await node.TxnAsync(new TxnRequest { Success = { new RequestOp { RequestPut = new PutRequest { Key = Bytes("b"), Lease = 77 } } } }, Anyone);
        await node.HashKvAsync(new HashKVRequest(), Anyone);
        await node.HashAsync(new HashRequest(), Anyone);
        await node.AlarmAsync(new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Activate, Alarm = AlarmType.Nospace, MemberID = 0xabc }, Anyone);
        await node.MemberPromoteAsync(new MemberPromoteRequest { ID = 5 }, Anyone);
        using (var pieces = (await node.SnapshotAsync(new SnapshotRequest(), Anyone)).Value!)
        {
            await pieces.NextAsync(TestContext.Current.CancellationToken);
        }

        var samples = node.CollectMetrics();

        Assert.Equal(1, Count(samples, "etcd_server_apply_duration_seconds", "op=Put,success=true,version=v3"));
        Assert.Equal(1, Count(samples, "etcd_server_apply_duration_seconds", "op=Txn,success=false,version=v3"));
        Assert.Equal(1, Count(samples, "etcd_server_apply_duration_seconds", "op=Alarm,success=true,version=v3"));
        Assert.Equal(1, Count(samples, "etcd_server_range_duration_seconds", "success=true"));
        Assert.Equal(0, Count(samples, "etcd_server_range_duration_seconds", "success=false"));
        Assert.Equal(2, Count(samples, "etcd_mvcc_hash_rev_duration_seconds", ""));
        Assert.Equal(1, Count(samples, "etcd_mvcc_hash_duration_seconds", ""));
        Assert.Equal(1, Count(samples, "etcd_disk_backend_snapshot_duration_seconds", ""));
        Assert.Equal(1, Find(samples, "etcd_debugging_server_alarms", "alarm_type=NOSPACE,server_id=abc").Value);
        Assert.Equal(12, Find(samples, "etcd_debugging_mvcc_total_put_size_in_bytes", "").Value); // The canonical row of a=1.
        Assert.InRange(Find(samples, "etcd_disk_wal_write_bytes_total", "").Value, 100, 10_000);
        Assert.Equal(0, Find(samples, "etcd_server_heartbeat_send_failures_total", "").Value);
        Assert.Equal(0, Find(samples, "etcd_server_learner_promote_successes", "").Value);
        Assert.Equal([new(NodeError.MemberNotFound, 1)], node.RefusedPromotions);
    });

    [Theory]
    [InlineData("etcd_server_apply_duration_seconds", 0.0001, 20)]
    [InlineData("etcd_server_range_duration_seconds", 0.0001, 20)]
    [InlineData("etcd_mvcc_hash_duration_seconds", 0.01, 15)]
    [InlineData("etcd_mvcc_hash_rev_duration_seconds", 0.01, 15)]
    [InlineData("etcd_disk_backend_snapshot_duration_seconds", 0.01, 17)]
    public void Buckets_are_those_of_etcd(string name, double first, int count) => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        await node.PutAsync("a", "1");

        var buckets = node.CollectMetrics().First(sample => sample.Name == name).Buckets;

        Assert.Equal(count + 1, buckets.Count);
        Assert.Equal(first, buckets[0].UpperBound);
        Assert.Equal(first * Math.Pow(2, count - 1), buckets[count - 1].UpperBound, precision: 9);
    });

    [Fact]
    public void An_entry_that_is_no_request_is_not_counted()
    {
        var metrics = new ApplyMetrics();
        foreach (byte[] bytes in (byte[][])[[], [0xff], [0x08], [0x08, 0x01], [0xa2, 0x06, 0xff, 0x01], [0xf8, 0x01, 0x01]])
        {
            metrics.Note(bytes, succeeded: true, TimeSpan.Zero);
        }

        metrics.Note(new InternalRaftRequest { ID = 300, Header = new RequestHeader { ID = 1 }, AuthRoleRevokePermission = new AuthRoleRevokePermissionRequest { Role = "r" } }.ToByteArray(), succeeded: false, TimeSpan.Zero);
        var samples = new List<MetricSample>();
        metrics.AddTo(samples);

        Assert.Equal("AuthRoleRevokePermission", Assert.Single(samples).Labels[0].Value);
    }

    [Fact]
    public void A_heartbeat_is_late_when_more_than_two_intervals_have_passed_within_one_term()
    {
        var (time, interval, pace) = (new SimulatedTime(), TimeSpan.FromMilliseconds(100), new HeartbeatPace());
        SingleThread.Run(time, async () =>
        {
            foreach (var (pass, term, late) in ((int, ulong, int)[])[(0, 1, 0), (100, 1, 0), (200, 1, 0), (201, 1, 1), (500, 2, 1), (100, 2, 1)])
            {
                await Task.Delay(TimeSpan.FromMilliseconds(pass), time);
                pace.Note(memberId: 7, term, time, interval);
                Assert.Equal(late, pace.Late.Value);
            }
        });
    }

    private static MetricSample Find(IEnumerable<MetricSample> samples, string name, string labels) =>
        samples.Single(sample => sample.Name == name && string.Join(',', sample.Labels.Select(static label => $"{label.Key}={label.Value}")) == labels);

    private static long Count(IEnumerable<MetricSample> samples, string name, string labels) => Find(samples, name, labels).Buckets[^1].Count;
}
