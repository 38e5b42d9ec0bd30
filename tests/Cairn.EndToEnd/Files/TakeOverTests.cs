using System.Globalization;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Files;

/// <summary>Cairn started on the data directory of a real etcd member.</summary>
public sealed class TakeOverTests
{
    // CAIRN_ROUNDS=50 is the long form.
    private static readonly int Rounds = LongForm.Number("CAIRN_ROUNDS", 2);

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
                await StoreContents.KillUnderLoadAsync(etcd, round);
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
    public async Task A_cluster_of_etcd_with_a_promoted_learner_goes_on_as_a_cluster_of_Cairn()
    {
        using var scratch = new ScratchDirectory();
        var ports = Ports.Free(4);
        string[] peers = [$"http://127.0.0.1:{ports[0]}", $"http://127.0.0.1:{ports[1]}"];
        string[] clients = [$"http://127.0.0.1:{ports[2]}", $"http://127.0.0.1:{ports[3]}"];
        string[] Flags(int i) =>
        [
            "--name", $"m{i}", "--data-dir", scratch[$"m{i}"], "--listen-peer-urls", peers[i], "--initial-advertise-peer-urls", peers[i],
            "--listen-client-urls", clients[i], "--advertise-client-urls", clients[i], "--snapshot-count", "20",
            "--initial-cluster", i == 0 ? $"m0={peers[0]}" : $"m0={peers[0]},m1={peers[1]}", "--initial-cluster-state", i == 0 ? "new" : "existing",
        ];
        var etcdctl = new Etcdctl(clients[0]);
        List<string> members;
        await using (var first = await RunAsync(EtcdPrograms.Path("etcd"), Flags(0)))
        {
            await etcdctl.RunAsync("put", "before", "learner");
            await etcdctl.RunAsync("member", "add", "m1", "--learner", "--peer-urls", peers[1]);
            await using var second = await RunAsync(EtcdPrograms.Path("etcd"), Flags(1));
            for (var i = 0; i < 50; i++)
            {
                await etcdctl.RunAsync("put", $"key{i % 7}", $"{i}");
            }

            var learner = (await etcdctl.JsonAsync("member", "list")).GetProperty("members").EnumerateArray().Single(static member => member.TryGetProperty("isLearner", out _));
            await etcdctl.RunAsync("member", "promote", learner.GetProperty("ID").GetUInt64().ToString("x", CultureInfo.InvariantCulture));
            await etcdctl.RunAsync("put", "after", "promotion");
            members = await MembersAsync(etcdctl);
            await second.KillAsync();
            await first.KillAsync();
        }

        await using var one = ProgramRun.Start(ServerBinary.Path, Flags(0));
        await using var two = ProgramRun.Start(ServerBinary.Path, Flags(1));
        await Task.WhenAll(ReadyAsync(one), ReadyAsync(two));

        Assert.Equal("after\npromotion", await etcdctl.RunAsync("get", "after"));
        Assert.Equal(members, await MembersAsync(etcdctl));
        Assert.Equal("OK", await new Etcdctl(clients[1]).RunAsync("put", "by", "both"));
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

    [Fact]
    public async Task Etcd_does_not_start_where_Cairn_runs_before_or_after_a_take_over()
    {
        using var scratch = new ScratchDirectory();
        await using (var etcd = new Server(scratch["data"]) { Program = EtcdPrograms.Path("etcd") })
        {
            await etcd.StartAsync();
            await StoreContents.FillAsync(etcd);
            await etcd.StopAsync();
        }

        await using var cairn = await Server.StartAsync(scratch["data"]);
        var expected = await StoreContents.ReadAsync(cairn);
        await using (var intruder = new Server(scratch["data"]) { Program = EtcdPrograms.Path("etcd") })
        {
            intruder.Launch();
            Assert.NotEqual(0, await intruder.Run.EndAsync());
            Assert.Contains("file already locked", intruder.Run.Said, StringComparison.Ordinal);
        }

        Assert.Equal(expected, await StoreContents.ReadAsync(cairn));
        await cairn.StopAsync();

        // What the other made before it was refused does not count for a backend.
        await using var again = await Server.StartAsync(scratch["data"]);
        Assert.Equal(expected, await StoreContents.ReadAsync(again));
    }

    private static async Task<ProgramRun> RunAsync(string program, string[] arguments)
    {
        var run = ProgramRun.Start(program, arguments);
        await ReadyAsync(run);
        return run;
    }

    private static Task<string> ReadyAsync(ProgramRun run) => run.LineAsync(static line => line.Contains("ready to serve client requests", StringComparison.Ordinal));

    /// <summary>Who belongs to the cluster, as etcdctl lists it, learners marked.</summary>
    private static async Task<List<string>> MembersAsync(Etcdctl etcdctl) =>
        [.. (await etcdctl.RunAsync("member", "list")).Split('\n').Where(static line => line.Contains("http", StringComparison.Ordinal)).Order(StringComparer.Ordinal)];

    private static async Task CopyAsync(string from, string to) => await EtcdPrograms.RunAsync("cp", "-a", from, to);
}
