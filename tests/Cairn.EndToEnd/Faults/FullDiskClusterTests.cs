using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>Disks of members that fill up, one after the other or all of them: nobody has to be started again, and nothing acknowledged is lost. Needs root.</summary>
public sealed class FullDiskClusterTests
{
    private const int DiskMegabytes = 400;
    private const int ValueBytes = 200_000;

    // A disk that is not full takes these.
    private const int Writes = 150;

    // No disk of this size takes these, whatever had been preallocated on it before it was full.
    private const int TooManyWrites = 2 * DiskMegabytes * 1_000_000 / ValueBytes;

    private static ByteString Value { get; } = ByteString.CopyFrom(new byte[ValueBytes]);

    [Theory]
    [InlineData("a follower")]
    [InlineData("the leader")]
    [InlineData("all")]
    public async Task Full_disks_cost_no_restart_and_nothing_that_was_acknowledged(string whose)
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd ends on a full disk");
        var cluster = LocalCluster.Prepare();
        var disks = new List<SmallDisk>();
        try
        {
            foreach (var member in cluster.Members)
            {
                disks.Add(await SmallDisk.MountAsync(member.DataDirectory, DiskMegabytes));
                member.Flags = ["--snapshot-count=200"];
            }

            await cluster.LaunchAsync(cluster.Members);
            await FillAsync(cluster, whose);
        }
        finally
        {
            // Mounted disks cannot be deleted, and disks in use not be unmounted.
            foreach (var member in cluster.Members.Where(static member => member.IsRunning))
            {
                await member.KillAsync();
            }

            foreach (var disk in disks)
            {
                await disk.DisposeAsync();
            }

            await cluster.DisposeAsync();
        }
    }

    private static async Task FillAsync(LocalCluster cluster, string whose)
    {
        await using var probe = await MilvusProbe.StartAsync(cluster);
        await using var client = new CairnClient(new ClientOptions
        {
            Endpoints = [.. cluster.Members.Select(static member => member.Endpoint)],
            CallTimeout = TimeSpan.FromSeconds(5),
            Seed = 1,
        });
        await client.Kv.PutAsync(new PutRequest { Key = ByteString.CopyFromUtf8("full/0"), Value = Value });
        var leader = await cluster.LeaderAsync();
        var victims = cluster.Members.Where(member => whose switch { "all" => true, "the leader" => member == leader, _ => member != leader }).Take(whose == "all" ? 3 : 1).ToArray();
        await Task.WhenAll(victims.Select(static victim => SmallDisk.FillAsync(BallastOf(victim))));

        var acknowledged = whose == "all" ? await WriteUntilRefusedAsync(client) : await WriteAllAsync(client);
        Assert.True(acknowledged < TooManyWrites, $"all of {TooManyWrites} writes were acknowledged");
        Assert.NotNull(await client.Kv.GetAsync("full/0"));
        Assert.Equal(1, (await client.Kv.DeleteAsync("full/0")).Deleted);
        foreach (var victim in victims)
        {
            File.Delete(BallastOf(victim));
        }

        await LocalCluster.UntilAsync(async () => (await client.Kv.PutAsync("after", "1")).Header.Revision > 0);
        await LocalCluster.AgreeAsync(cluster.Members);
        foreach (var member in cluster.Members)
        {
            Assert.False(member.Run.Process.HasExited, $"{member.Name} ended");
            await using var own = member.Connect();
            var found = await own.Kv.RangeAsync(new RangeRequest { Key = ByteString.CopyFromUtf8("full/"), RangeEnd = ByteString.CopyFromUtf8("full0"), CountOnly = true, Serializable = true });

            // The one that was refused last may be there too: the answer to it was unknown.
            Assert.InRange(found.Count, acknowledged - 1, acknowledged);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"disk of {whose} full: {acknowledged} writes acknowledged meanwhile; {probe.Report()}");
        await probe.AssertWholeAsync();
    }

    private static string BallastOf(ClusterMember member) => Path.Combine(member.DataDirectory, "ballast");

    /// <summary>Writes all, each until it is acknowledged: a leader whose disk is full refuses until it has handed over.</summary>
    private static async Task<int> WriteAllAsync(CairnClient client)
    {
        for (var number = 1; number < Writes; number++)
        {
            await LocalCluster.UntilAsync(async () => (await PutAsync(client, number)).Header.Revision > 0);
        }

        return Writes;
    }

    /// <summary>Writes until it is refused three times in a row.</summary>
    /// <returns>How many writes were acknowledged, the one before the disks were full included.</returns>
    private static async Task<int> WriteUntilRefusedAsync(CairnClient client)
    {
        var acknowledged = 1;
        for (var refused = 0; acknowledged < TooManyWrites && refused < 3;)
        {
            try
            {
                await PutAsync(client, acknowledged);
                (acknowledged, refused) = (acknowledged + 1, 0);
            }
            catch (ClientException)
            {
                refused++;
            }
        }

        return acknowledged;
    }

    private static Task<PutResponse> PutAsync(CairnClient client, int number) =>
        client.Kv.PutAsync(new PutRequest { Key = ByteString.CopyFromUtf8($"full/{number}"), Value = Value });
}
