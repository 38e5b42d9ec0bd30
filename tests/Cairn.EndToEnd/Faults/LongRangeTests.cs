using System.Globalization;
using Cairn.Client;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>Answers that are longer than anybody wants to keep in memory.</summary>
public sealed class LongRangeTests
{
    private const int Transactions = 100;
    private const int KeysEach = 100;
    private const int ValueBytes = 10_000;
    private const int Readers = 3;

    [Fact]
    public async Task A_hundred_megabytes_in_one_answer_take_little_memory_and_stop_no_write()
    {
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(directory["data"]);
        await using var client = server.Connect();
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        var value = ByteString.CopyFrom(new byte[ValueBytes]);
        for (var i = 0; i < Transactions; i++)
        {
            var txn = new TxnRequest();
            txn.Success.AddRange(Enumerable.Range(0, KeysEach).Select(j => new RequestOp { RequestPut = new PutRequest { Key = ByteString.CopyFromUtf8($"long/{i:d4}/{j:d4}"), Value = value } }));
            await client.Kv.TxnAsync(txn);
        }

        var before = PeakMegabytes(server);
        var reading = Enumerable.Range(0, Readers).Select(_ => client.Kv.GetAsync(KeyRange.Prefix("long/"))).ToList();
        var all = Task.WhenAll(reading);
        var writes = 0;
        for (; !all.IsCompleted; writes++)
        {
            await client.Kv.PutAsync("meanwhile", $"{writes}");
        }

        Assert.All(await all, static answer => Assert.Equal(Transactions * KeysEach, answer.Kvs.Count));
        var grown = PeakMegabytes(server) - before;
        TestContext.Current.TestOutputHelper?.WriteLine($"{Readers} answers of 100 MB: peak memory grew by {grown} MB, {writes} writes meanwhile");
        Assert.True(grown < 100, $"{Readers} answers of 100 MB took {grown} MB");
        await probe.AssertWholeAsync();
    }

    private static long PeakMegabytes(Server server)
    {
        var line = File.ReadLines($"/proc/{server.Run.Process.Id}/status").First(static line => line.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) / 1024;
    }
}
