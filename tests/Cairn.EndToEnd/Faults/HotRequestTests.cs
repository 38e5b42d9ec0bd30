using System.Globalization;
using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Cairn.Grpc.Calling;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>Requests that are much larger, watchers that are much slower and many more than usual: memory stays bounded, and nobody else is harmed.</summary>
/// <remarks>
/// CAIRN_HOT_KEYS says how many keys the large range has, CAIRN_HOT_MEGABYTES how much a watcher does not read, CAIRN_HOT_WATCHERS how many watchers there are;
/// issue sizes are 1000000, 1000 and 10000.
/// </remarks>
public sealed class HotRequestTests
{
    private const int KeysATransaction = 100;
    private const int Readers = 3;
    private const int ValueBytes = 100_000;
    private const int WatchersAStream = 500;

    private static readonly GrpcMethod<WatchRequest, WatchResponse> Watch = new("/etcdserverpb.Watch/Watch", WatchResponse.Parser);

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(5);

    [Fact]
    public async Task A_range_of_very_many_keys_takes_little_memory_and_harms_no_session_and_no_write()
    {
        var keys = LongForm.Number("CAIRN_HOT_KEYS", 50_000);
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(directory["data"]);
        await using var client = Connect(server);
        await FillAsync(client, keys);
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        var before = PeakMegabytes(server);

        var all = Task.WhenAll(Enumerable.Range(0, Readers).Select(_ => client.Kv.GetAsync(KeyRange.Prefix("hot/"))));
        var writes = 0;
        for (; !all.IsCompleted; writes++)
        {
            await client.Kv.PutAsync("meanwhile", $"{writes}");
        }

        Assert.All(await all, answer => Assert.Equal(keys, answer.Kvs.Count));
        var grown = PeakMegabytes(server) - before;
        Say($"{Readers} ranges of {keys} keys: peak memory grew by {grown} MB from {before} MB, {writes} writes meanwhile; {probe.Report()}");
        await AssertUnharmedAsync(probe);
        Assert.True(grown < 150, $"{Readers} ranges of {keys} keys took {grown} MB");
    }

    [Fact]
    public async Task A_watcher_that_never_reads_takes_little_memory_and_has_missed_nothing_when_it_reads_on()
    {
        var events = LongForm.Number("CAIRN_HOT_MEGABYTES", 400) * 1_000_000 / ValueBytes;
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(directory["data"]);
        await using var client = Connect(server);
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        using var channel = new GrpcChannel(new Uri($"http://{server.Endpoint}"));
        await using var stream = channel.Open(Watch);
        await stream.WriteAsync(Create("slow"));
        Assert.True((await ReadAsync(stream)).Created);

        // What writes alone take: the log keeps the newest for members that are behind.
        await WriteAsync(client, "other", events);
        var before = PeakMegabytes(server);
        await WriteAsync(client, "slow", events);
        var grown = PeakMegabytes(server) - before;
        for (var seen = 0; seen < events;)
        {
            foreach (var change in (await ReadAsync(stream)).Events)
            {
                seen++;
                Assert.Equal(seen, change.Kv.Version);
            }
        }

        Say($"a watcher that did not read {events * ValueBytes / 1_000_000} MB: peak memory grew by {grown} MB from {before} MB; {probe.Report()}");
        await AssertUnharmedAsync(probe);

        // The heap is not at its largest after the first writes: so much more is written than it may grow.
        Assert.True(grown < 300, $"a watcher that did not read took {grown} MB");
    }

    [Fact]
    public async Task Very_many_watchers_are_all_told_and_harm_no_session_and_no_write()
    {
        var watchers = LongForm.Number("CAIRN_HOT_WATCHERS", 2000);
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(directory["data"]);
        await using var client = Connect(server);
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        using var channel = new GrpcChannel(new Uri($"http://{server.Endpoint}"));
        var before = PeakMegabytes(server);

        // Half of the watchers of a stream want a key of their own, the others one that all want.
        var streams = Enumerable.Range(0, watchers / WatchersAStream).Select(_ => channel.Open(Watch)).ToList();
        await Task.WhenAll(streams.Select(static (stream, i) => CreateAsync(stream, i)));
        await Task.WhenAll(streams.Select(static async stream =>
        {
            for (var created = 0; created < WatchersAStream;)
            {
                created += (await ReadAsync(stream)).Created ? 1 : 0;
            }
        }));

        var told = Task.WhenAll(streams.Select(static stream => CountAsync(stream, WatchersAStream)));
        await client.Kv.PutAsync("all", "1");
        for (var i = 0; i < streams.Count * WatchersAStream; i += 2)
        {
            await client.Kv.PutAsync($"own/{i}", "1");
        }

        await told;
        var grown = PeakMegabytes(server) - before;
        Say($"{streams.Count * WatchersAStream} watchers: peak memory grew by {grown} MB from {before} MB; {probe.Report()}");
        await AssertUnharmedAsync(probe);
        Assert.True(grown < 200, $"{watchers} watchers took {grown} MB");
        foreach (var stream in streams)
        {
            await stream.DisposeAsync();
        }
    }

    private static async Task WriteAsync(CairnClient client, string key, int count)
    {
        var put = new PutRequest { Key = ByteString.CopyFromUtf8(key), Value = ByteString.CopyFrom(new byte[ValueBytes]) };
        for (var i = 0; i < count; i++)
        {
            await client.Kv.PutAsync(put);
        }
    }

    private static CairnClient Connect(Server server) => new(new ClientOptions { Endpoints = [server.Endpoint], CallTimeout = Patience, Seed = 1 });

    private static async Task FillAsync(CairnClient client, int keys)
    {
        for (var i = 0; i < keys; i += KeysATransaction)
        {
            var txn = new TxnRequest();
            txn.Success.AddRange(Enumerable.Range(i, KeysATransaction).Select(static key => new RequestOp
            {
                RequestPut = new PutRequest { Key = ByteString.CopyFromUtf8($"hot/{key:d8}"), Value = ByteString.CopyFromUtf8($"value of {key}") },
            }));
            await client.Kv.TxnAsync(txn);
        }
    }

    private static async Task CreateAsync(GrpcStream<WatchRequest, WatchResponse> stream, int number)
    {
        for (var i = number * WatchersAStream; i < (number + 1) * WatchersAStream; i++)
        {
            await stream.WriteAsync(Create(i % 2 == 0 ? $"own/{i}" : "all"));
        }
    }

    private static WatchRequest Create(string key) => new() { CreateRequest = new WatchCreateRequest { Key = ByteString.CopyFromUtf8(key) } };

    private static async Task CountAsync(GrpcStream<WatchRequest, WatchResponse> stream, int wanted)
    {
        for (var seen = 0; seen < wanted;)
        {
            seen += (await ReadAsync(stream)).Events.Count;
        }
    }

    private static async Task<WatchResponse> ReadAsync(GrpcStream<WatchRequest, WatchResponse> stream) =>
        await stream.ReadAsync().AsTask().WaitAsync(Patience) ?? throw new InvalidOperationException("the watch ended");

    private static async Task AssertUnharmedAsync(MilvusProbe probe)
    {
        Assert.Equal(0, probe.Measure().Failed);
        await probe.AssertWholeAsync();
    }

    private static long PeakMegabytes(Server server)
    {
        var line = File.ReadLines($"/proc/{server.Run.Process.Id}/status").First(static line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
    }

    private static void Say(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);
}
