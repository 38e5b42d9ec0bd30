using System.Globalization;
using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Files;

/// <summary>Cairn started on the data directory of a real etcd member.</summary>
public sealed class TakeOverTests
{
    // CAIRN_ROUNDS=50 is the long form.
    private static readonly int Rounds = int.Parse(Environment.GetEnvironmentVariable("CAIRN_ROUNDS") ?? "2", CultureInfo.InvariantCulture);

    [Fact]
    public async Task What_etcd_left_when_it_was_killed_is_what_etcd_itself_would_go_on_with()
    {
        for (var round = 0; round < Rounds; round++)
        {
            using var scratch = new ScratchDirectory();
            await using (var etcd = new Server(scratch["data"], "--snapshot-count", "100") { Program = EtcdPrograms.Path("etcd") })
            {
                await etcd.StartAsync();
                await StoreContents.FillAsync(etcd, round);
                await KillUnderLoadAsync(etcd, round);
            }

            await CopyAsync(scratch["data"], scratch["copy"]);
            await using var expected = new Server(scratch["copy"]) { Program = EtcdPrograms.Path("etcd") };
            await expected.StartAsync();
            await using var cairn = new Server(scratch["data"]);
            await cairn.StartAsync();

            Assert.Equal(await StoreContents.ReadAsync(expected), await StoreContents.ReadAsync(cairn));
        }
    }

    [Fact]
    public async Task What_etcdutl_restored_is_taken_over_after_etcd_stopped_cleanly_or_never_ran()
    {
        using var scratch = new ScratchDirectory();
        await using var etcd = new Server(scratch["etcd"]) { Program = EtcdPrograms.Path("etcd") };
        await etcd.StartAsync();
        await StoreContents.FillAsync(etcd);
        var expected = await StoreContents.ReadAsync(etcd);
        await new Etcdctl(etcd.Endpoint).RunAsync("snapshot", "save", scratch["snapshot.db"]);
        await etcd.StopAsync();

        await using var stopped = new Server(scratch["etcd"]);
        await stopped.StartAsync();
        Assert.Equal(expected, await StoreContents.ReadAsync(stopped));

        await using var restored = new Server(scratch["restored"]);
        string[] restore = ["snapshot", "restore", scratch["snapshot.db"], "--data-dir", restored.DataDirectory, .. restored.Founding];
        await EtcdPrograms.RunAsync(EtcdPrograms.Path("etcdutl"), restore);
        await restored.StartAsync();
        Assert.Equal(expected, await StoreContents.ReadAsync(restored));
    }

    [Fact]
    public async Task A_directory_that_etcd_uses_is_refused_and_left_as_it_is()
    {
        using var scratch = new ScratchDirectory();
        await using var etcd = new Server(scratch["data"]) { Program = EtcdPrograms.Path("etcd") };
        await etcd.StartAsync();
        var before = Directory.GetFileSystemEntries(scratch["data"], "*", SearchOption.AllDirectories).Order();

        await using var cairn = new Server(scratch["data"]);
        cairn.Launch();

        Assert.Equal(1, await cairn.Run.EndAsync());
        Assert.Contains("another process, etcd perhaps, uses this data directory", cairn.Run.Said, StringComparison.Ordinal);
        Assert.Equal(before, Directory.GetFileSystemEntries(scratch["data"], "*", SearchOption.AllDirectories).Order());
    }

    /// <summary>Kills the server at some moment while clients write as fast as it lets them.</summary>
    private static async Task KillUnderLoadAsync(Server server, int round)
    {
        await using var client = server.Connect();
        var enough = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var written = 0;
        var writers = Enumerable.Range(0, 8).Select(async writer =>
        {
            try
            {
                for (var i = 0; ; i++)
                {
                    await client.Kv.PutAsync($"load/{writer}/{i % 50}", new string('x', (i * 37) % 2000));
                    if (Interlocked.Increment(ref written) == 300 + (round * 17 % 400))
                    {
                        enough.SetResult();
                    }
                }
            }
            catch (ClientException)
            {
                // The server is gone, as planned.
            }
        }).ToArray();
        await enough.Task;
        await server.KillAsync();
        await Task.WhenAll(writers);
    }

    private static async Task CopyAsync(string from, string to) => await EtcdPrograms.RunAsync("cp", "-a", from, to);
}
