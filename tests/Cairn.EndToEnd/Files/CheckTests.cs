using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Files;

/// <summary>What 'cairn check' says of the directories of members that ran.</summary>
public sealed class CheckTests
{
    // CAIRN_REQUESTS=20000 is the long form.
    private static readonly int Requests = LongForm.Number("CAIRN_REQUESTS", 400);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_the_log_makes_of_nothing_is_what_is_stored_row_by_row(bool byEtcd)
    {
        using var scratch = new ScratchDirectory();
        await using var server = byEtcd ? new Server(scratch["data"]) { Program = EtcdPrograms.Path("etcd") } : new Server(scratch["data"]);
        await server.StartAsync();
        await StoreContents.PermitAsync(server);
        await StoreContents.FillAsync(server);
        await MixedRequests.RunAsync(server, Requests);
        await server.StopAsync();
        var said = await EtcdPrograms.RunAsync(ServerBinary.Path, "check", "--data-dir", server.DataDirectory, "--replay");

        Assert.Contains("bucket key:", said, StringComparison.Ordinal);
        Assert.Matches("bucket authUsers: [0-9]+ rows, equal byte by byte", said);
        Assert.EndsWith("all is sound\n", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_compaction_and_cleaning_have_left_is_sound()
    {
        using var scratch = new ScratchDirectory();
        await using var server = await Server.StartAsync(scratch["data"]);
        await using (var client = server.Connect())
        {
            for (var round = 0; round < 3; round++)
            {
                // Some keys are overwritten, some deleted for good, and some of the tombstones lie exactly at the compaction.
                await Task.WhenAll(Enumerable.Range(0, 400).Select(i => client.Kv.PutAsync($"key/{round}/{i % 100}", new string('v', 3000))));
                await client.Kv.DeleteAsync(KeyRange.Prefix($"key/{round}/1"));
                var revision = (await client.Kv.DeleteAsync($"key/{round}/2")).Header.Revision;
                await client.Kv.CompactAsync(revision, physical: true);
                await client.Maintenance.DefragmentAsync(server.Endpoint);
            }
        }

        await server.KillAsync();
        var said = await EtcdPrograms.RunAsync(ServerBinary.Path, "check", "--data-dir", server.DataDirectory, "--replay");

        Assert.Contains("index and rows agree", said, StringComparison.Ordinal);
        Assert.EndsWith("all is sound\n", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Damage_is_reported_with_its_place_and_by_the_exit_status()
    {
        using var scratch = new ScratchDirectory();
        await using var server = await Server.StartAsync(scratch["data"]);
        await StoreContents.FillAsync(server);
        await server.StopAsync();
        var segment = Directory.GetFiles(scratch["data"], "*.segment", SearchOption.AllDirectories).First();
        var bytes = await File.ReadAllBytesAsync(segment, TestContext.Current.CancellationToken);
        bytes[bytes.Length / 2] ^= 0x10;
        await File.WriteAllBytesAsync(segment, bytes, TestContext.Current.CancellationToken);

        await using var check = ProgramRun.Start(ServerBinary.Path, ["check", "--data-dir", scratch["data"]]);

        Assert.Equal(1, await check.EndAsync());
        Assert.Contains($"{Path.GetFileName(segment)}", check.Said, StringComparison.Ordinal);
        Assert.Contains("findings", check.Said, StringComparison.Ordinal);
    }
}
