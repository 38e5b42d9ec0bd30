using Cairn.Protocol;
using Cairn.Server;
using Cairn.Simulation.Disks;
using Cairn.Storage;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;
using static Cairn.Tests.Server.Simulated.SampleKeys;

namespace Cairn.Tests.Server.Nodes;

/// <summary>A damaged store of a member that is alone: what verifies is read, what is lost is named, nothing is made up.</summary>
public sealed class LoneStoreTests
{
    private const int Keys = 60;
    private const int Damaged = 40;

    // More than any client saw before.
    private const long Raised = 1_000_000_000;

    [Theory]
    [InlineData("a bit of a value")]
    [InlineData("a bit of a length")]
    [InlineData("the end of the file")]
    [InlineData("all of the file")]
    public void A_lost_row_costs_what_stands_behind_it_and_what_stands_before_is_read(string what) => SingleNodeWorld.Run(async world =>
    {
        await FillAsync(world);
        var segment = SegmentWith(world.Disk, ValueOf(Damaged));
        Damage(world.Disk, segment, what);
        var kept = what == "all of the file" ? 0 : Damaged - 1;

        await using (var node = await world.StartAsync())
        {
            await world.PassAsync(TimeSpan.FromSeconds(5));
            for (var i = 0; i < Keys; i++)
            {
                Assert.Equal(i < kept ? ValueOf(i) : null, await node.GetAsync(KeyOf(i)));
            }

            Assert.Contains(world.Log.All, line => line.Contains("is damaged and there is no other copy: member/store/", StringComparison.Ordinal)
                && line.Contains("is lost; its files are kept in quarantine/", StringComparison.Ordinal));
            Assert.Equal($"memberID:{node.MemberId} alarm:CORRUPT ", Assert.Single(node.Look().Alarms));
            Assert.Equal(NodeError.Corrupt, (await node.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone)).Error);
            Assert.True(node.Look().Revision > Raised);
            var old = await node.RangeAsync(new RangeRequest { Key = Bytes(KeyOf(0)), Revision = 5 }, Anyone);
            Assert.Equal(NodeError.Compacted, old.Error);
        }

        await using var again = await world.StartAsync();
        var disarm = new AlarmRequest { Action = AlarmRequest.Types.AlarmAction.Deactivate, Alarm = AlarmType.Corrupt, MemberID = again.MemberId };
        Assert.Equal(NodeError.None, (await again.AlarmAsync(disarm, Anyone)).Error);
        await again.PutAsync(KeyOf(Damaged), "anew");
        Assert.Equal("anew", await again.GetAsync(KeyOf(Damaged)));
        await CheckAsync(again, kept);
    });

    [Theory]
    [InlineData("the end of the file")]
    [InlineData("all of the file")]
    public void A_segment_that_the_manifest_before_does_not_name_comes_again_from_the_log(string what) => SingleNodeWorld.Run(async world =>
    {
        await using (var node = await world.StartAsync())
        {
            await SampleKeys.FillAsync(node, 0, Keys);
        }

        Damage(world.Disk, SegmentWith(world.Disk, ValueOf(Damaged)), what);
        await using var again = await world.StartAsync();

        await CheckAsync(again, Keys);
        await again.PutAsync("a", "1");
    });

    [Fact]
    public void What_is_given_up_is_kept_in_quarantine_rows_and_log() => SingleNodeWorld.Run(async world =>
    {
        await FillAsync(world);
        var running = await world.StartAsync();
        await running.PutAsync("in the log only", "1");
        world.Disk.Kill();
        var segment = SegmentWith(world.Disk, ValueOf(Damaged));
        Damage(world.Disk, segment, "a bit of a value");

        await using var node = await world.StartAsync();
        Assert.Null(await node.GetAsync("in the log only"));
        var aside = $"quarantine/{Assert.Single(world.Disk.List("quarantine"))}";
        Assert.EndsWith("-store", aside, StringComparison.Ordinal);
        Assert.True(world.Disk.ReadAll($"{aside}/{Path.GetFileName(segment)}").AsSpan().IndexOf("59-"u8) >= 0);
        Assert.Contains(world.Disk.List(aside), name => name.EndsWith(".wal", StringComparison.Ordinal)
            && world.Disk.ReadAll($"{aside}/{name}").AsSpan().IndexOf("in the log only"u8) >= 0);
    });

    [Fact]
    public void A_damaged_header_of_a_segment_costs_nothing() => SingleNodeWorld.Run(async world =>
    {
        await FillAsync(world);
        world.Disk.FlipBit(SegmentWith(world.Disk, ValueOf(Damaged)), bit: 3);

        await using (var node = await world.StartAsync())
        {
            await CheckAsync(node, Keys);
            Assert.Empty(node.Look().Alarms);
            Assert.InRange(node.Look().Revision, Keys, Raised);
            await node.PutAsync("a", "1");
        }

        await using var again = await world.StartAsync();
        await CheckAsync(again, Keys);
        Assert.Equal("1", await again.GetAsync("a"));
    });

    [Fact]
    public void A_session_whose_lease_ended_behind_the_damage_does_not_come_back() => SingleNodeWorld.Run(async world =>
    {
        await using (var node = await world.StartAsync())
        {
            var ended = await node.GrantAsync(60);
            var lasting = await node.GrantAsync(6000);
            await node.PutAsync("ended", "1", ended);
            await node.PutAsync("lasting", "1", lasting);
            await SampleKeys.FillAsync(node, 0, Keys);
            Assert.Equal(NodeError.None, (await node.LeaseRevokeAsync(new LeaseRevokeRequest { ID = ended }, Anyone)).Error);
        }

        Damage(world.Disk, SegmentWith(world.Disk, ValueOf(Damaged)), "a bit of a value");
        await using var again = await world.StartAsync();

        Assert.Null(await again.GetAsync("ended"));
        Assert.Equal("1", await again.GetAsync("lasting"));
        await CheckAsync(again, Damaged - 1);
    });

    [Fact]
    public void Once_history_is_compacted_the_index_is_on_disk_and_only_the_lost_row_cannot_be_read() => SingleNodeWorld.Run(async world =>
    {
        await using (var node = await world.StartAsync())
        {
            await SampleKeys.FillAsync(node, 0, Keys);
            await CompactAsync(node);
            await world.PassAsync(WrittenAfter);
            await node.PutAsync("after", "1");
            await world.PassAsync(WrittenAfter);
        }

        Damage(world.Disk, SegmentWith(world.Disk, ValueOf(Damaged)), "a bit of a value");
        await using var again = await world.StartAsync();

        await Assert.ThrowsAsync<CorruptionException>(() => again.GetAsync(KeyOf(Damaged)));
        Assert.Equal(ValueOf(Damaged + 1), await again.GetAsync(KeyOf(Damaged + 1)));
        Assert.Equal("1", await again.GetAsync("after"));
        await again.PutAsync(KeyOf(Damaged), "anew");
        Assert.Equal("anew", await again.GetAsync(KeyOf(Damaged)));
    });

    [Fact]
    public void Where_no_earlier_state_is_left_nothing_is_served_and_the_damage_is_named() => SingleNodeWorld.Run(async world =>
    {
        await using (var node = await world.StartAsync())
        {
            await SampleKeys.FillAsync(node, 0, Keys);
            await CompactAsync(node);
        }

        Damage(world.Disk, SegmentWith(world.Disk, ValueOf(Damaged)), "a bit of a value");

        var refusal = await Assert.ThrowsAsync<CorruptionException>(world.StartAsync);
        Assert.Contains("history before revision", refusal.Message, StringComparison.Ordinal);
    });

    [Theory]
    [InlineData("the end of the file")]
    [InlineData("all of the file")]
    public void A_member_of_a_cluster_fetches_its_store_again(string what) => ClusterWorld.Run(3, async world =>
    {
        await SampleKeys.FillAsync(world, Keys);
        var victim = (world.FindLeader() + 1) % 3;
        var id = world.Nodes[victim]!.MemberId;
        await world.StopAsync(victim);
        Damage(world.Disks[victim], SegmentWith(world.Disks[victim], ValueOf(Damaged)), what);

        await world.StartAsync(victim);
        await world.UntilAsync(() => AreInSync(world));

        Assert.Equal(id, world.Nodes[victim]!.MemberId);
        await CheckAsync(world.Nodes[victim]!, Keys);
        await AssertSameHashAsync(world);
    });

    private static async Task FillAsync(SingleNodeWorld world)
    {
        await using (var node = await world.StartAsync())
        {
            await SampleKeys.FillAsync(node, 0, Keys);
        }

        // After another start both manifests name the segments: the one before has no older state to go on from.
        await using var again = await world.StartAsync();
    }

    private static async Task CompactAsync(Node node)
    {
        var compaction = new CompactionRequest { Revision = node.Look().Revision, Physical = true };
        Assert.Equal(NodeError.None, (await node.CompactAsync(compaction, Anyone)).Error);
    }

    private static string SegmentWith(SimulatedDisk disk, string text) => disk.List("member/store").Select(static name => $"member/store/{name}")
        .First(path => path.EndsWith(".segment", StringComparison.Ordinal) && PlaceOf(disk, path, text) >= 0);

    private static int PlaceOf(SimulatedDisk disk, string path, string text) => disk.ReadAll(path).AsSpan().IndexOf(System.Text.Encoding.UTF8.GetBytes(text));

    private static void Damage(SimulatedDisk disk, string segment, string what)
    {
        var value = PlaceOf(disk, segment, ValueOf(Damaged));
        switch (what)
        {
            case "a bit of a value":
                disk.FlipBit(segment, 8L * value);
                break;
            case "a bit of a length":
                disk.FlipBit(segment, (8L * (disk.ReadAll(segment).AsSpan(0, value).LastIndexOf(System.Text.Encoding.UTF8.GetBytes(ValueOf(Damaged - 1))) + ValueOf(Damaged - 1).Length + 4)) + 1);
                break;
            case "the end of the file":
                using (var file = disk.Open(segment, OpenIntent.Write))
                {
                    file.SetLength(value);
                }

                break;
            default:
                disk.Delete(segment);
                break;
        }
    }
}
