using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Files;

/// <summary>Restores and exports: what a cluster's data becomes when it moves.</summary>
public sealed class RestoreTests
{
    // CAIRN_ROUNDS=50 is the long form.
    private static readonly int Rounds = LongForm.Number("CAIRN_ROUNDS", 1);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_snapshot_of_either_kind_is_restored_with_the_revision_kept(bool ofEtcd)
    {
        using var scratch = new ScratchDirectory();
        await using var source = ofEtcd ? new Server(scratch["source"]) { Program = EtcdPrograms.Path("etcd") } : new Server(scratch["source"]);
        await source.StartAsync();
        await StoreContents.FillAsync(source);
        var expected = await StoreContents.ReadAsync(source);
        await SaveAsync(source, scratch["snapshot.db"]);

        await using var restored = new Server(scratch["restored"]);
        await EtcdPrograms.RunAsync(
            ServerBinary.Path, ["snapshot", "restore", scratch["snapshot.db"], "--data-dir", restored.DataDirectory, "--keep-revision", .. restored.Founding]);
        await restored.StartAsync();

        Assert.Equal(expected, await StoreContents.ReadAsync(restored));
    }

    [Fact]
    public async Task Unless_told_otherwise_a_restore_raises_the_revision_so_that_watchers_notice()
    {
        using var scratch = new ScratchDirectory();
        await using var source = await Server.StartAsync(scratch["source"]);
        await StoreContents.FillAsync(source);
        await SaveAsync(source, scratch["snapshot.db"]);
        long seen;
        await using (var client = source.Connect())
        {
            seen = (await client.Kv.PutAsync("after/the/snapshot", "lost")).Header.Revision;
        }

        await using var restored = new Server(scratch["restored"]);
        await EtcdPrograms.RunAsync(ServerBinary.Path, ["snapshot", "restore", scratch["snapshot.db"], "--data-dir", restored.DataDirectory, .. restored.Founding]);
        await restored.StartAsync();

        await using var again = restored.Connect();
        Assert.True((await again.Kv.PutAsync("new", "1")).Header.Revision > seen + 999_999_000);
        await using var watcher = again.Watch.Open(KeyRange.All, seen + 1);
        await Assert.ThrowsAsync<WatchCompactedException>(() => watcher.NextAsync());
        Assert.Equal("1", (await again.Kv.GetAsync("new"))?.Value.ToStringUtf8());
    }

    [Fact]
    public async Task Three_members_restored_from_one_snapshot_form_a_cluster()
    {
        using var scratch = new ScratchDirectory();
        await using var source = await Server.StartAsync(scratch["source"]);
        await StoreContents.FillAsync(source);
        await SaveAsync(source, scratch["snapshot.db"]);
        var ports = Ports.Free(6);
        var cluster = string.Join(',', Enumerable.Range(0, 3).Select(i => $"m{i}=http://127.0.0.1:{ports[i]}"));
        var runs = new List<ProgramRun>();
        try
        {
            for (var i = 0; i < 3; i++)
            {
                string[] founding = ["--name", $"m{i}", "--initial-advertise-peer-urls", $"http://127.0.0.1:{ports[i]}", "--initial-cluster", cluster, "--data-dir", scratch[$"m{i}"]];
                await EtcdPrograms.RunAsync(ServerBinary.Path, ["snapshot", "restore", scratch["snapshot.db"], .. founding]);
                var client = $"http://127.0.0.1:{ports[3 + i]}";
                runs.Add(ProgramRun.Start(
                    ServerBinary.Path, [.. founding, "--listen-peer-urls", $"http://127.0.0.1:{ports[i]}", "--listen-client-urls", client, "--advertise-client-urls", client]));
            }

            await Task.WhenAll(runs.Select(static run => run.LineAsync(static line => line.Contains("ready to serve client requests", StringComparison.Ordinal))));
            await using var store = new CairnClient(new ClientOptions { Endpoints = [.. ports[3..].Select(static port => $"127.0.0.1:{port}")], Seed = 1 });
            Assert.Equal("compaction", (await store.Kv.GetAsync("after"))?.Value.ToStringUtf8());
            Assert.Equal(3, (await store.Cluster.ListAsync()).Members.Count);
        }
        finally
        {
            foreach (var run in runs)
            {
                await run.DisposeAsync();
            }
        }
    }

    [Fact]
    public async Task Real_etcd_goes_on_from_an_export_and_Cairn_from_that()
    {
        for (var round = 0; round < Rounds; round++)
        {
            using var scratch = new ScratchDirectory();
            List<string> expected;
            await using (var cairn = await Server.StartAsync(scratch["cairn"]))
            {
                await StoreContents.FillAsync(cairn, round);
                await StoreContents.KillUnderLoadAsync(cairn, round);
                await EtcdPrograms.RunAsync(ServerBinary.Path, "export", "--data-dir", scratch["cairn"], "--to", scratch["etcd"]);
            }

            await using (var restarted = await Server.StartAsync(scratch["cairn"]))
            {
                expected = await StoreContents.ReadAsync(restarted);
            }

            await using var etcd = new Server(scratch["etcd"]) { Program = EtcdPrograms.Path("etcd") };
            await etcd.StartAsync();
            Assert.Equal(expected, await StoreContents.ReadAsync(etcd));
            await StoreContents.FillAsync(etcd, seed: round + 100);
            expected = await StoreContents.ReadAsync(etcd);
            await etcd.KillAsync();

            await using var back = new Server(scratch["etcd"]);
            await back.StartAsync();
            Assert.Equal(expected, await StoreContents.ReadAsync(back));
        }
    }

    private static Task<string> SaveAsync(Server server, string file) =>
        EtcdPrograms.RunAsync(ServerBinary.Path, "snapshot", "save", file, "--endpoints", server.Endpoint);
}
