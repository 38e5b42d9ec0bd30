using System.Text;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Files;

/// <summary>Snapshots of a running member, as etcd's own programs take them.</summary>
public sealed class SnapshotTests
{
    [Fact]
    public async Task A_snapshot_is_whole()
    {
        using var scratch = new ScratchDirectory();
        await using var server = await Server.StartAsync(scratch["data"]);
        await StoreContents.FillAsync(server);
        await using var client = server.Connect();
        using var copy = new MemoryStream();

        var length = await client.Maintenance.SnapshotAsync(server.Endpoint, copy);

        Assert.Equal(copy.Length, length);
        Assert.Equal(32, length % 512);
    }

    [Fact]
    public async Task Real_etcd_started_from_a_snapshot_has_the_same_contents()
    {
        using var scratch = new ScratchDirectory();
        await using var server = await Server.StartAsync(scratch["data"]);
        await StoreContents.FillAsync(server);
        var expected = await StoreContents.ReadAsync(server);
        var file = scratch["snapshot.db"];
        await new Etcdctl(server.Endpoint).RunAsync("snapshot", "save", file);

        await using var etcd = new Server(scratch["restored"]) { Program = EtcdPrograms.Path("etcd") };
        await EtcdPrograms.RunAsync(EtcdPrograms.Path("etcdutl"), ["snapshot", "restore", file, "--data-dir", etcd.DataDirectory, .. etcd.Founding]);
        await etcd.StartAsync();

        Assert.Equal(expected, await StoreContents.ReadAsync(etcd));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Users_roles_and_alarms_come_through_in_both_directions(bool toEtcd)
    {
        using var scratch = new ScratchDirectory();
        var (from, to) = toEtcd ? (ServerBinary.Path, EtcdPrograms.Path("etcd")) : (EtcdPrograms.Path("etcd"), ServerBinary.Path);
        await using var source = new Server(scratch["source"]) { Program = from };
        await source.StartAsync();
        await StoreContents.FillAsync(source);
        await StoreContents.PermitAsync(source);
        await RaiseAsync(source);
        var expected = await PermittedAsync(source);
        await new Etcdctl(source.Endpoint).RunAsync("snapshot", "save", scratch["snapshot.db"]);

        await using var restored = new Server(scratch["restored"]) { Program = to };
        string[] keeping = toEtcd ? [] : ["--keep-revision"];
        await EtcdPrograms.RunAsync(
            toEtcd ? EtcdPrograms.Path("etcdutl") : ServerBinary.Path,
            ["snapshot", "restore", scratch["snapshot.db"], "--data-dir", restored.DataDirectory, .. restored.Founding, .. keeping]);
        await restored.StartAsync();

        Assert.Equal(expected, await PermittedAsync(restored));
        var refused = await new Etcdctl(restored.Endpoint).TryAsync("put", "key", "1");
        Assert.Contains("etcdserver: mvcc: database space exceeded", refused.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cairn_and_etcdutl_say_the_same_of_a_snapshot()
    {
        using var scratch = new ScratchDirectory();
        await using var server = await Server.StartAsync(scratch["data"]);
        await StoreContents.FillAsync(server);
        var file = scratch["snapshot.db"];
        await EtcdPrograms.RunAsync(ServerBinary.Path, "snapshot", "save", file, "--endpoints", server.Endpoint);

        var ours = await EtcdPrograms.RunAsync(ServerBinary.Path, "snapshot", "status", file);
        var theirs = await EtcdPrograms.RunAsync(EtcdPrograms.Path("etcdutl"), "snapshot", "status", file);

        // Keys are counted differently by 3.5 (all rows of all buckets) and 3.6 (keys that exist), and only 3.6 shows the version.
        Assert.Equal(theirs.TrimEnd().Split(", ")[..2], ours.TrimEnd().Split(", ")[..2]);
    }

    /// <summary>Raises an alarm, as a member whose space has run out does.</summary>
    private static async Task RaiseAsync(Server server)
    {
        var id = (await new Etcdctl(server.Endpoint).JsonAsync("member", "list")).GetProperty("members")[0].GetProperty("ID").GetUInt64();
        using var http = new HttpClient();
        using var content = new StringContent($$"""{"action":"ACTIVATE","memberID":"{{id}}","alarm":"NOSPACE"}""", Encoding.UTF8, "application/json");
        using var answer = await http.PostAsync(new Uri($"http://{server.Endpoint}/v3/maintenance/alarm"), content, TestContext.Current.CancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>What a server knows of users, roles and alarms.</summary>
    private static async Task<List<string>> PermittedAsync(Server server)
    {
        var etcdctl = new Etcdctl(server.Endpoint);
        List<string> lines = [await etcdctl.RunAsync("alarm", "list"), await etcdctl.RunAsync("auth", "status")];
        foreach (var user in (await etcdctl.RunAsync("user", "list")).Split('\n'))
        {
            lines.Add(await etcdctl.RunAsync("user", "get", user));
        }

        foreach (var role in (await etcdctl.RunAsync("role", "list")).Split('\n'))
        {
            lines.Add(await etcdctl.RunAsync("role", "get", role));
        }

        return lines;
    }
}
