using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Xunit;

namespace Cairn.EndToEnd.KillLoop;

/// <summary>Nothing acknowledged is lost, whenever the power is cut: on an ext4 of its own, of which only what was synced is kept. Needs root; without, it is skipped.</summary>
public sealed class PowerCutTests
{
    private const int Seed = 20261122;
    private const int DiskMegabytes = 256;

    // The gate runs this many; an endurance run asks for 500.
    private static int Rounds => LongForm.Number("CAIRN_POWER_CUTS", 6);

    [Fact]
    public async Task Nothing_acknowledged_is_lost_when_the_power_is_cut_again_and_again()
    {
        using var directory = new ScratchDirectory();
        await using var disk = await SmallDisk.MountAsync(directory["disk"], DiskMegabytes);

        // State is written often, so that many cuts meet a manifest or a segment that is half written.
        await using var server = await Server.StartAsync(directory["disk/data"], "--snapshot-count", "100");
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        await using var rounds = new KillRounds(new PowerCutTarget(server, disk, new Prng(Seed)), Seed);
        for (var round = 0; round < Rounds; round++)
        {
            await rounds.WriteAndKillAsync(changes: 60);
            await server.StartAsync();
            await rounds.CheckAsync();
            await probe.AssertWholeAsync();
            if (round % 5 == 4)
            {
                await rounds.CheckHistoryAsync();
                await rounds.CompactAsync();
            }
        }

        var history = await rounds.CheckHistoryAsync();
        TestContext.Current.TestOutputHelper?.WriteLine($"{Rounds} power cuts, {rounds.Acknowledged} acknowledged changes, {history} in history since the last compaction; {probe.Report()}");
    }

    [Fact]
    public async Task A_member_whose_power_is_cut_in_its_first_second_starts_by_itself()
    {
        using var directory = new ScratchDirectory();
        var prng = new Prng(Seed);
        for (var round = 0; round < Math.Max(Rounds / 3, 1); round++)
        {
            await using var disk = await SmallDisk.MountAsync(directory[$"disk{round}"], DiskMegabytes);
            await using var server = new Server(directory[$"disk{round}/data"]);
            server.Launch();
            await Task.Delay(prng.Below(1500));
            await new PowerCutTarget(server, disk, prng).KillAsync();

            await server.StartAsync();

            await using var client = server.Connect();
            await client.Kv.PutAsync("first", "1");
            await server.StopAsync();
        }
    }
}
