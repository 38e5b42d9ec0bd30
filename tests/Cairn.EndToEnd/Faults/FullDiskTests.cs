using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>A disk that is full costs availability, and nothing that was acknowledged.</summary>
public sealed class FullDiskTests
{
    private const int DiskMegabytes = 256;
    private const int RollingMegabytes = 320;

    // A megabyte of the log each: more than any segments that were made before the disk was full.
    private const int Deletions = 300;

    [Fact]
    public async Task A_full_disk_loses_nothing_acknowledged_and_work_goes_on_when_there_is_room()
    {
        using var directory = new ScratchDirectory();
        await using var disk = await SmallDisk.MountAsync(directory["disk"], DiskMegabytes);
        await using var server = await Server.StartAsync(directory["disk/data"]);
        await using var client = new CairnClient(new ClientOptions { Endpoints = [server.Endpoint], CallTimeout = TimeSpan.FromSeconds(3), Seed = 1 });
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        var ballast = directory["disk/ballast"];
        await SmallDisk.FillAsync(ballast);

        var acknowledged = await PutUntilRefusedAsync(client);
        File.Delete(ballast);
        if (server.Run.Process.HasExited)
        {
            Assert.Contains("no space left on device", server.Run.Said.ToLowerInvariant(), StringComparison.Ordinal);
            await server.StartAsync();
        }

        for (var i = 0; i < acknowledged; i++)
        {
            Assert.NotNull(await client.Kv.GetAsync($"full/{i}"));
        }

        await PutWhenPossibleAsync(client);
        await probe.AssertWholeAsync();
    }

    [Fact]
    public async Task On_a_full_disk_the_log_rolls_and_states_are_written_or_wait_for_room_and_nothing_is_lost()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd ends on a full disk");
        using var directory = new ScratchDirectory();
        await using var disk = await SmallDisk.MountAsync(directory["disk"], RollingMegabytes);
        await using var server = await Server.StartAsync(directory["disk/data"], "--snapshot-count=20");
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        await using var client = server.Connect();
        await using var impatient = new CairnClient(new ClientOptions { Endpoints = [server.Endpoint], CallTimeout = TimeSpan.FromSeconds(3), Seed = 1 });
        for (var i = 0; i < Deletions; i++)
        {
            await client.Kv.PutAsync($"full/{i}", "1");
        }

        // Given a disk without any room but its reserve,
        await SmallDisk.FillAsync(directory["disk/ballast"]);
        await LocalCluster.UntilAsync(async () => (await client.Maintenance.AlarmsAsync()).Alarms.Any(static alarm => alarm.Alarm == AlarmType.Nospace));

        // when what frees room takes more of the log than was made before and the reserve holds,
        var deleted = await DeleteUntilRefusedAsync(impatient);
        Assert.Equal("1", (await client.Kv.GetAsync($"full/{Deletions - 1}"))?.Value.ToStringUtf8());
        File.Delete(directory["disk/ballast"]);

        // then all goes on by itself once there is room, and again after kill -9.
        await LocalCluster.UntilAsync(async () => (await client.Kv.PutAsync("after", "1")).Header.Revision > 0);
        Assert.False(server.Run.Process.HasExited, "the server ended");
        await AssertDeletedAsync(client, deleted);
        await probe.AssertWholeAsync();
        await client.Kv.CompactAsync((await client.Maintenance.StatusAsync(server.Endpoint)).Header.Revision);
        await server.KillAsync();
        await server.StartAsync();
        await AssertDeletedAsync(client, deleted);
        await probe.AssertWholeAsync();
        TestContext.Current.TestOutputHelper?.WriteLine($"{deleted} deletions of {Deletions} acknowledged on the full disk; {probe.Report()}");
    }

    /// <summary>Deletes keys by transactions of a megabyte each, which a full store takes as long as the log has room.</summary>
    /// <returns>How many were acknowledged; of the next one it is not known.</returns>
    private static async Task<int> DeleteUntilRefusedAsync(CairnClient client)
    {
        var other = ByteString.CopyFrom(new byte[1_000_000]);
        for (var i = 0; i < Deletions - 2; i++)
        {
            try
            {
                await client.Kv.TxnAsync(new TxnRequest
                {
                    Compare = { new Compare { Key = ByteString.CopyFromUtf8($"full/{i}"), Target = Compare.Types.CompareTarget.Value, Result = Compare.Types.CompareResult.NotEqual, Value = other } },
                    Success = { new RequestOp { RequestDeleteRange = new DeleteRangeRequest { Key = ByteString.CopyFromUtf8($"full/{i}") } } },
                });
            }
            catch (ClientException)
            {
                return i;
            }
        }

        throw new InvalidOperationException($"{Deletions} MB of the log went onto a full disk of {RollingMegabytes} MB");
    }

    private static async Task AssertDeletedAsync(CairnClient client, int deleted)
    {
        for (var i = 0; i < Deletions; i++)
        {
            var found = await client.Kv.GetAsync($"full/{i}");
            Assert.True(i == deleted || found is null == i < deleted, $"of {deleted} deleted keys, full/{i} is {(found is null ? "gone" : "there")}");
        }
    }

    private static async Task<int> PutUntilRefusedAsync(CairnClient client)
    {
        var value = ByteString.CopyFrom(new byte[500_000]);
        for (var i = 0; i < 1000; i++)
        {
            try
            {
                await client.Kv.PutAsync(new PutRequest { Key = ByteString.CopyFromUtf8($"full/{i}"), Value = value });
            }
            catch (ClientException)
            {
                return i;
            }
        }

        throw new InvalidOperationException($"500 MB went onto a disk of {DiskMegabytes} MB");
    }

    // Room came back a moment ago; the server may need another moment, or an operator's word, to see it.
    private static async Task PutWhenPossibleAsync(CairnClient client)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await client.Maintenance.DisarmAsync(new AlarmMember());
                await client.Kv.PutAsync("full/again", "1");
                return;
            }
            catch (ClientException) when (attempt < 20)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(250), TimeProvider.System, CancellationToken.None);
            }
        }
    }
}
