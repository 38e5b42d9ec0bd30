using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>A store that is full says so, keeps what it has, and lets itself be emptied.</summary>
public sealed class QuotaTests
{
    private const int Quota = 16 * 1024 * 1024;

    [Fact]
    public async Task A_full_store_raises_an_alarm_refuses_writes_and_recovers()
    {
        using var directory = new ScratchDirectory();
        await using var server = await Server.StartAsync(directory["data"], "--quota-backend-bytes", $"{Quota}");
        var etcdctl = new Etcdctl(server.Endpoint);
        await using var probe = await MilvusProbe.StartAsync(server.Endpoint);
        var written = await FillAsync(etcdctl);

        Assert.Matches("^memberID:[0-9]+ alarm:NOSPACE ?$", await etcdctl.RunAsync("alarm", "list"));
        var refused = await etcdctl.TryAsync("put", "small", "1");
        Assert.Contains("etcdserver: mvcc: database space exceeded", refused.Said, StringComparison.Ordinal);
        var health = await etcdctl.TryAsync("endpoint", "health");
        Assert.NotEqual(0, health.Status);
        Assert.Equal($"big/{written - 1}", (await etcdctl.RunAsync("get", $"big/{written - 1}", "--keys-only")).Trim());

        Assert.Equal($"{written}", await etcdctl.RunAsync("del", "big/", "--prefix"));
        var revision = (await etcdctl.JsonAsync("get", "x")).GetProperty("header").GetProperty("revision").GetInt64();
        await etcdctl.RunAsync("compaction", $"{revision}", "--physical");
        await etcdctl.RunAsync("defrag");

        // Where commands take seconds, the alarm has cleared itself before anybody disarms it.
        Assert.Matches("^(memberID:[0-9]+ alarm:NOSPACE ?)?$", await etcdctl.RunAsync("alarm", "disarm"));
        Assert.Equal("OK", await etcdctl.RunAsync("put", "small", "1"));
        await probe.AssertWholeAsync();
    }

    // Far more puts than fit, so that a quota that is not kept fails the test instead of filling the disk.
    private static async Task<int> FillAsync(Etcdctl etcdctl)
    {
        var value = new string('v', 1024 * 1024);
        for (var i = 0; i < 64; i++)
        {
            var result = await etcdctl.TryWithInputAsync(value, "put", $"big/{i}");
            if (result.Status != 0)
            {
                Assert.Contains("etcdserver: mvcc: database space exceeded", result.Said, StringComparison.Ordinal);
                return i;
            }
        }

        throw new InvalidOperationException("64 MiB went into a store of 16 MiB");
    }
}
