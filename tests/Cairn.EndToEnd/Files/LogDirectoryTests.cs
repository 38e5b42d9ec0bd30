using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Files;

/// <summary>A log in a directory of its own: --wal-dir, of the server and of the commands that work on files.</summary>
public sealed class LogDirectoryTests
{
    [Fact]
    public async Task It_stays_there_from_etcd_to_Cairn_and_back()
    {
        using var scratch = new ScratchDirectory();
        await using (var etcd = new Server(scratch["data"], "--wal-dir", scratch["wal"]) { Program = EtcdPrograms.Path("etcd") })
        {
            await etcd.StartAsync();
            await StoreContents.FillAsync(etcd);
            await etcd.KillAsync();
        }

        await RefuseAsync(["--data-dir", scratch["data"], "--initial-cluster-state", "new"], "name it with --wal-dir");
        List<string> expected;
        await using (var cairn = await Server.StartAsync(scratch["data"], "--wal-dir", scratch["wal"]))
        {
            await StoreContents.FillAsync(cairn, seed: 2);
            expected = await StoreContents.ReadAsync(cairn);
            await cairn.KillAsync();
        }

        Assert.False(Directory.Exists(Path.Combine(scratch["data"], "member", "wal")));
        string[] files = ["--data-dir", scratch["data"], "--wal-dir", scratch["wal"]];
        Assert.EndsWith("all is sound\n", await EtcdPrograms.RunAsync(ServerBinary.Path, ["check", .. files]), StringComparison.Ordinal);
        Assert.Contains("no-op of a new leader", await EtcdPrograms.RunAsync(ServerBinary.Path, ["dump", "wal", .. files]), StringComparison.Ordinal);
        await EtcdPrograms.RunAsync(ServerBinary.Path, ["hashkv", .. files]);
        await RefuseAsync(["--data-dir", scratch["data"]], "name it with --wal-dir");
        await EtcdPrograms.RunAsync(ServerBinary.Path, ["export", .. files, "--to", scratch["back"], "--to-wal-dir", scratch["back-wal"]]);
        await using var back = new Server(scratch["back"], "--wal-dir", scratch["back-wal"]) { Program = EtcdPrograms.Path("etcd") };
        await back.StartAsync();
        Assert.Equal(expected, await StoreContents.ReadAsync(back));
    }

    [Fact]
    public async Task A_restore_puts_it_where_it_is_told_and_nowhere_else()
    {
        using var scratch = new ScratchDirectory();
        await using var source = await Server.StartAsync(scratch["source"]);
        await StoreContents.FillAsync(source);
        var expected = await StoreContents.ReadAsync(source);
        await EtcdPrograms.RunAsync(ServerBinary.Path, "snapshot", "save", scratch["snapshot.db"], "--endpoints", source.Endpoint);
        await using var restored = new Server(scratch["data"], "--wal-dir", scratch["wal"]);
        string[] restore = ["snapshot", "restore", scratch["snapshot.db"], "--keep-revision", .. restored.Founding];

        await EtcdPrograms.RunAsync(ServerBinary.Path, [.. restore, "--data-dir", restored.DataDirectory, "--wal-dir", scratch["wal"]]);

        await restored.StartAsync();
        Assert.Equal(expected, await StoreContents.ReadAsync(restored));
        await restored.StopAsync();
        await using var again = ProgramRun.Start(ServerBinary.Path, [.. restore, "--data-dir", scratch["other"], "--wal-dir", scratch["wal"]]);
        Assert.Equal(1, await again.EndAsync());
        Assert.False(Directory.Exists(scratch["other"]));
    }

    private static async Task RefuseAsync(string[] arguments, string reason)
    {
        var ports = Ports.Free(2);
        await using var run = ProgramRun.Start(
            ServerBinary.Path,
            [
                "--listen-client-urls", $"http://127.0.0.1:{ports[0]}", "--advertise-client-urls", $"http://127.0.0.1:{ports[0]}",
                "--listen-peer-urls", $"http://127.0.0.1:{ports[1]}", .. arguments,
            ]);
        Assert.Equal(1, await run.EndAsync());
        Assert.Contains(reason, run.Said, StringComparison.Ordinal);
    }
}
