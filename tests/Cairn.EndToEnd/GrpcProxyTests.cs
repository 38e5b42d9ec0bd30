using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>A real proxy before a real member, used as a member is.</summary>
public sealed class GrpcProxyTests(SharedServer shared) : IClassFixture<SharedServer>
{
    [Fact]
    public async Task It_is_used_as_a_member_is()
    {
        await using var proxy = await Proxy.StartAsync(shared.Server.Endpoint);
        var etcdctl = new Etcdctl(proxy.Endpoint);

        Assert.Equal("OK", await etcdctl.RunAsync("put", "proxy/k", "1"));
        Assert.Equal("proxy/k\n1", await etcdctl.RunAsync("get", "proxy/k"));
        Assert.Contains("SUCCESS", (await etcdctl.TryWithInputAsync("value(\"proxy/k\") = \"1\"\n\nput proxy/k 2\n\n\n", "txn", "-i")).Said, StringComparison.Ordinal);
        Assert.Equal("proxy/k\n2", await etcdctl.RunAsync("get", "proxy/k", "--consistency=s"));
        Assert.Contains(proxy.Endpoint, await etcdctl.RunAsync("member", "list"), StringComparison.Ordinal);
        Assert.Contains("is healthy", await etcdctl.RunAsync("endpoint", "health"), StringComparison.Ordinal);
        Assert.Matches("^lease [0-9a-f]+ granted", await etcdctl.RunAsync("lease", "grant", "60"));
        Assert.Equal("locked", await etcdctl.RunAsync("lock", "proxy/lock", "echo", "locked"));
        using var directory = new ScratchDirectory();
        await etcdctl.RunAsync("snapshot", "save", directory["snapshot"]);
        Assert.True(new FileInfo(directory["snapshot"]).Length > 0);
        Assert.Contains("key is not provided", (await etcdctl.TryAsync("put", "", "1")).Said, StringComparison.Ordinal);
        Assert.Equal(0, await proxy.StopAsync());
    }

    [Fact]
    public async Task Watchers_of_many_clients_share_one_and_miss_nothing()
    {
        await using var proxy = await Proxy.StartAsync(shared.Server.Endpoint);
        await using var writer = shared.Server.Connect();
        await using var left = proxy.Connect();
        await using var right = proxy.Connect();
        await using var first = left.Watch.Open(KeyRange.Prefix("shared/"));
        await first.CreatedAsync(CancellationToken.None);
        await using var second = right.Watch.Open(KeyRange.Prefix("shared/"));
        await second.CreatedAsync(CancellationToken.None);
        await LocalCluster.UntilAsync(async () => (await proxy.PageAsync("/proxy/metrics")).Contains("etcd_grpc_proxy_watchers_coalescing_total 1\n", StringComparison.Ordinal));

        for (var i = 0; i < 100; i++)
        {
            await writer.Kv.PutAsync($"shared/{i}", "v", cancelled: CancellationToken.None);
        }

        var expected = Enumerable.Range(0, 100).Select(static i => $"shared/{i}").ToArray();
        Assert.Equal(expected, await TakeAsync(first, 100));
        Assert.Equal(expected, await TakeAsync(second, 100));
    }

    [Fact]
    public async Task A_namespace_is_the_whole_store_to_its_clients()
    {
        await using var proxy = await Proxy.StartAsync(shared.Server.Endpoint, "--namespace", "tenant/");
        await using var inside = proxy.Connect();
        await using var outside = shared.Server.Connect();
        await outside.Kv.PutAsync("other", "1", cancelled: CancellationToken.None);
        await using var watcher = inside.Watch.Open(KeyRange.All);
        await watcher.CreatedAsync(CancellationToken.None);

        await inside.Kv.PutAsync("k", "1", cancelled: CancellationToken.None);
        await outside.Kv.PutAsync("other", "2", cancelled: CancellationToken.None);
        await outside.Kv.PutAsync("tenant/l", "2", cancelled: CancellationToken.None);

        Assert.Equal(["k", "l"], await TakeAsync(watcher, 2));
        Assert.Equal(["k", "l"], (await inside.Kv.GetAsync(KeyRange.All, CancellationToken.None)).Kvs.Select(static row => row.Key.ToStringUtf8()));
        Assert.Equal("1", (await outside.Kv.GetAsync("tenant/k", cancelled: CancellationToken.None))?.Value.ToStringUtf8());
    }

    [Fact]
    public async Task Pages_tell_of_the_cluster_and_of_the_proxy()
    {
        await using var proxy = await Proxy.StartAsync(shared.Server.Endpoint);
        var etcdctl = new Etcdctl(proxy.Endpoint);
        await etcdctl.RunAsync("put", "cached", "1");
        await etcdctl.RunAsync("get", "cached");
        await etcdctl.RunAsync("get", "cached", "--consistency=s");

        Assert.Equal("""{"health":"true","reason":""}""", await proxy.PageAsync("/health"));
        Assert.Equal("""{"health":"true","reason":""}""", await proxy.PageAsync("/proxy/health"));
        Assert.Contains("etcd_server_has_leader 1", await proxy.PageAsync("/metrics"), StringComparison.Ordinal);
        Assert.Contains("etcd_grpc_proxy_cache_hits_total 1\n", await proxy.PageAsync("/proxy/metrics"), StringComparison.Ordinal);
    }

    private static async Task<List<string>> TakeAsync(Watcher watcher, int count)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        var keys = new List<string>();
        while (keys.Count < count)
        {
            var told = await watcher.NextAsync(patience.Token);
            keys.AddRange(told.Events.Select(static change => change.Kv.Key.ToStringUtf8()));
        }

        return keys;
    }

    /// <summary>A running proxy.</summary>
    private sealed class Proxy(ProgramRun run, string endpoint) : IAsyncDisposable
    {
        public string Endpoint => endpoint;

        public static async Task<Proxy> StartAsync(string member, params string[] flags)
        {
            Assert.SkipUnless(ServerBinary.IsCairn, "another program has another proxy");
            var endpoint = $"127.0.0.1:{Ports.Free(1)[0]}";
            var run = ProgramRun.Start(ServerBinary.Path, ["grpc-proxy", "start", "--listen-addr", endpoint, "--advertise-client-url", endpoint, "--endpoints", member, .. flags]);
            await run.LineAsync(static line => line.Contains("started gRPC proxy", StringComparison.Ordinal));
            return new Proxy(run, endpoint);
        }

        public CairnClient Connect() => new(new ClientOptions { Endpoints = [endpoint], Seed = 1 });

        public async Task<string> PageAsync(string path)
        {
            using var http = new HttpClient();
            return await http.GetStringAsync(new Uri($"http://{endpoint}{path}"));
        }

        public Task<int> StopAsync()
        {
            Signals.SendTerminate(run.Process);
            return run.EndAsync();
        }

        public ValueTask DisposeAsync() => run.DisposeAsync();
    }
}
