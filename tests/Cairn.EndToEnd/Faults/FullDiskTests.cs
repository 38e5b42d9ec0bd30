using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>A disk that is full costs availability, and nothing that was acknowledged.</summary>
public sealed class FullDiskTests
{
    private const int DiskMegabytes = 256;

    [Fact]
    public async Task A_full_disk_loses_nothing_acknowledged_and_work_goes_on_when_there_is_room()
    {
        using var directory = new ScratchDirectory();
        await using var disk = await SmallDisk.MountAsync(directory["disk"], DiskMegabytes);
        await using var server = await Server.StartAsync(directory["disk/data"]);
        await using var client = new CairnClient(new ClientOptions { Endpoints = [server.Endpoint], CallTimeout = TimeSpan.FromSeconds(3), Seed = 1 });
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
    }

    private static async Task<int> PutUntilRefusedAsync(CairnClient client)
    {
        var value = ByteString.CopyFrom(new byte[500_000]);
        for (var i = 0; i < 1000; i++)
        {
            try
            {
                await client.Kv.PutAsync(new Protocol.PutRequest { Key = ByteString.CopyFromUtf8($"full/{i}"), Value = value });
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
                await client.Maintenance.DisarmAsync(new Protocol.AlarmMember());
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
