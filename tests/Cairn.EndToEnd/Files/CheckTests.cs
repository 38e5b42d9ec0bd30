using System.Globalization;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Files;

/// <summary>What 'cairn check' says of the directories of members that ran.</summary>
public sealed class CheckTests
{
    // CAIRN_FILLS=290 makes 20 000 requests of it, which is the long form.
    private static readonly int Fills = int.Parse(Environment.GetEnvironmentVariable("CAIRN_FILLS") ?? "3", CultureInfo.InvariantCulture);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_the_log_makes_of_nothing_is_what_is_stored_row_by_row(bool byEtcd)
    {
        using var scratch = new ScratchDirectory();
        await using var server = byEtcd ? new Server(scratch["data"]) { Program = EtcdPrograms.Path("etcd") } : new Server(scratch["data"]);
        await server.StartAsync();
        await StoreContents.PermitAsync(server);
        for (var fill = 0; fill < Fills; fill++)
        {
            await StoreContents.FillAsync(server, fill);
        }

        await server.StopAsync();
        var said = await EtcdPrograms.RunAsync(ServerBinary.Path, "check", "--data-dir", server.DataDirectory, "--replay");

        Assert.Contains("bucket key:", said, StringComparison.Ordinal);
        Assert.Contains("bucket authUsers: 2 rows, equal byte by byte", said, StringComparison.Ordinal);
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
