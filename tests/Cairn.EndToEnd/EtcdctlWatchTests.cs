using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>etcdctl sees changes as they happen, and those that happened.</summary>
public sealed class EtcdctlWatchTests(SharedServer shared) : IClassFixture<SharedServer>
{
    [Fact]
    public async Task Watch_from_a_revision_prints_all_that_happened_since()
    {
        var first = (await shared.Etcdctl.JsonAsync("put", "past/a", "1")).GetProperty("header").GetProperty("revision").GetInt64();
        await shared.Etcdctl.RunAsync("put", "past/a", "2");
        await shared.Etcdctl.RunAsync("del", "past/a");

        await using var watch = shared.Etcdctl.Start("watch", "past/a", "--rev", $"{first}");

        Assert.Equal(["PUT", "past/a", "1", "PUT", "past/a", "2", "DELETE", "past/a", ""], await LinesAsync(watch, 9));
    }

    [Fact]
    public async Task Watch_prints_changes_of_a_prefix_as_they_happen_with_what_was_there_before()
    {
        await shared.Etcdctl.RunAsync("put", "live/a", "1");
        var next = await NextRevisionAsync();
        await using var watch = shared.Etcdctl.Start("watch", "live/", "--prefix", "--prev-kv", "--rev", $"{next}");

        await shared.Etcdctl.RunAsync("put", "live/a", "2");
        Assert.Equal(["PUT", "live/a", "1", "live/a", "2"], await LinesAsync(watch, 5));
        await shared.Etcdctl.RunAsync("put", "other/a", "x");
        await shared.Etcdctl.RunAsync("del", "live/a");
        Assert.Equal(["DELETE", "live/a", "2", "live/a", ""], await LinesAsync(watch, 5));
    }

    [Fact]
    public async Task Watch_runs_a_program_for_each_change()
    {
        var next = await NextRevisionAsync();
        await using var watch = shared.Etcdctl.Start("watch", "exec/a", "--rev", $"{next}", "--", "sh", "-c", "echo seen $ETCD_WATCH_KEY $ETCD_WATCH_VALUE");

        await shared.Etcdctl.RunAsync("put", "exec/a", "1");

        Assert.Equal("seen \"exec/a\" \"1\"", await watch.LineAsync(static line => line.StartsWith("seen", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Interactive_watch_follows_several_keys_on_one_stream()
    {
        var next = await NextRevisionAsync();
        await using var watch = shared.Etcdctl.Start("watch", "--interactive");

        // A watcher that starts in the future gets no notice before the store is there, so these start at what is.
        await watch.WriteAsync($"watch inter/a --rev {next - 1}\nwatch inter/b --rev {next - 1}\nprogress\n");

        await watch.LineAsync(static line => line.StartsWith("progress notify", StringComparison.Ordinal));
        await shared.Etcdctl.RunAsync("put", "inter/a", "1");
        Assert.Equal(["PUT", "inter/a", "1"], await LinesAsync(watch, 3));
        await shared.Etcdctl.RunAsync("put", "inter/b", "2");
        Assert.Equal(["PUT", "inter/b", "2"], await LinesAsync(watch, 3));
    }

    [Fact]
    public async Task Watch_from_a_compacted_revision_ends_with_the_reason()
    {
        var first = (await shared.Etcdctl.JsonAsync("put", "gone/a", "1")).GetProperty("header").GetProperty("revision").GetInt64();
        var last = (await shared.Etcdctl.JsonAsync("put", "gone/a", "2")).GetProperty("header").GetProperty("revision").GetInt64();
        await shared.Etcdctl.RunAsync("compaction", $"{last}");

        var result = await shared.Etcdctl.TryAsync("watch", "gone/a", "--rev", $"{first}");

        Assert.NotEqual(0, result.Status);
        Assert.Contains("etcdserver: mvcc: required revision has been compacted", result.Said, StringComparison.Ordinal);
    }

    private static async Task<string[]> LinesAsync(ProgramRun run, int count)
    {
        var lines = new string[count];
        for (var i = 0; i < count; i++)
        {
            lines[i] = await run.LineAsync(static line => !line.StartsWith("progress notify", StringComparison.Ordinal));
        }

        return lines;
    }

    private async Task<long> NextRevisionAsync() =>
        (await shared.Etcdctl.JsonAsync("get", "nothing")).GetProperty("header").GetProperty("revision").GetInt64() + 1;
}
