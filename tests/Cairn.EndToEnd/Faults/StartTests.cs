using System.Net;
using System.Net.Sockets;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>A server that cannot start says why, and ends with a status that tells its supervisor.</summary>
public sealed class StartTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_flag_that_does_not_exist_is_named()
    {
        await using var run = ProgramRun.Start(ServerBinary.Path, ["--no-such-flag", "--data-dir", _directory["data"]]);

        Assert.NotEqual(0, await run.EndAsync());
        Assert.Contains("no-such-flag", run.Said, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_directory["data"]));
    }

    [Theory]
    [InlineData("--snapshot-count", "many")]
    [InlineData("--heartbeat-interval", "-1x")]
    [InlineData("--listen-client-urls", "http://")]
    [InlineData("--listen-client-urls", "127.0.0.1:2379")]
    [InlineData("--initial-cluster-state", "sometimes")]
    public async Task A_value_that_makes_no_sense_is_named(string flag, string value)
    {
        await using var run = ProgramRun.Start(ServerBinary.Path, ["--data-dir", _directory["data"], flag, value]);

        Assert.NotEqual(0, await run.EndAsync());
        Assert.Contains(value.TrimEnd('/'), run.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Variables_that_charts_and_service_links_set_are_taken_or_named_and_harm_nothing()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd has the v2 API, and repeats the values");
        await using var server = new Server(_directory["data"])
        {
            Environment = new Dictionary<string, string>
            {
                ["ETCD_ENABLE_V2"] = "true",
                ["ETCD_MAX_TXN_OPS"] = "3",
                ["ETCD_PORT"] = "tcp://10.0.0.1:2379",
                ["ETCD_ROOT_PASSWORD"] = "secret",
            },
        };
        await server.StartAsync();

        // What it has not is named in the log, what it knows works, and nobody's secret is repeated.
        Assert.Contains("enable-v2", server.Run.Said, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", server.Run.Said, StringComparison.Ordinal);
        var four = string.Concat(Enumerable.Range(0, 4).Select(static i => $"put key-{i} 1\n"));
        var refused = await new Etcdctl(server.Endpoint).TryWithInputAsync($"\n{four}\n\n", "txn");
        Assert.Contains("too many operations in txn request", refused.Said, StringComparison.Ordinal);
        using var http = new HttpClient();
        using var answer = await http.GetAsync(new Uri($"http://{server.Endpoint}/v2/keys/a"), TestContext.Current.CancellationToken);
        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
    }

    [Fact]
    public async Task A_member_that_is_not_in_the_initial_cluster_does_not_start()
    {
        await using var run = ProgramRun.Start(ServerBinary.Path, ["--name", "m1", "--data-dir", _directory["data"], "--initial-cluster", "other=http://127.0.0.1:1"]);

        Assert.NotEqual(0, await run.EndAsync());
        Assert.Contains("m1", run.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_data_directory_that_cannot_be_made_is_named()
    {
        await File.WriteAllTextAsync(_directory["file"], "");
        await using var server = new Server(_directory["file/data"]);
        server.Launch();

        Assert.NotEqual(0, await server.Run.EndAsync());
        Assert.Contains(_directory["file"], server.Run.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_data_directory_that_another_server_uses_is_left_alone()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd waits for the other to end");
        await using var first = await Server.StartAsync(_directory["data"]);
        await using var second = new Server(_directory["data"]);
        second.Launch();

        Assert.NotEqual(0, await second.Run.EndAsync());
        Assert.Matches("lock|in use|another", second.Run.Said.ToLowerInvariant());
        Assert.Equal("OK", await new Etcdctl(first.Endpoint).RunAsync("put", "still", "here"));
    }

    [Fact]
    public async Task An_address_in_use_is_named()
    {
        await using var server = new Server(_directory["data"]);
        using var taken = new TcpListener(IPAddress.Loopback, server.ClientPort);
        taken.Start();
        server.Launch();

        Assert.NotEqual(0, await server.Run.EndAsync());
        Assert.Contains("address already in use", server.Run.Said.ToLowerInvariant(), StringComparison.Ordinal);
        Assert.Contains($"{server.ClientPort}", server.Run.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_start_that_failed_for_its_address_can_be_tried_again()
    {
        await using var server = new Server(_directory["data"]);
        using (var taken = new TcpListener(IPAddress.Loopback, server.ClientPort))
        {
            taken.Start();
            server.Launch();
            Assert.NotEqual(0, await server.Run.EndAsync());
        }

        await server.StartAsync();

        Assert.Equal("OK", await new Etcdctl(server.Endpoint).RunAsync("put", "second", "try"));
    }

    [Fact]
    public async Task A_server_that_is_asked_to_end_while_it_serves_ends_in_order()
    {
        await using var server = await Server.StartAsync(_directory["data"]);
        await using var watch = new Etcdctl(server.Endpoint).Start("watch", "a");

        var status = await server.StopAsync();

        Assert.Contains(status, new[] { 0, 128 + 15 });
    }
}
