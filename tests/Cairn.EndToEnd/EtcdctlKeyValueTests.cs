using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>What etcdctl prints for reads and writes is what it prints for etcd, to the letter.</summary>
public sealed class EtcdctlKeyValueTests(SharedServer shared) : IClassFixture<SharedServer>
{
    [Fact]
    public async Task Put_then_get_prints_key_and_value()
    {
        Assert.Equal("OK", await shared.Etcdctl.RunAsync("put", "plain/a", "1"));
        Assert.Equal("plain/a\n1", await shared.Etcdctl.RunAsync("get", "plain/a"));
    }

    [Fact]
    public async Task Put_reads_the_value_from_its_input_byte_by_byte()
    {
        var result = await shared.Etcdctl.TryWithInputAsync("two\nlines", "put", "input/a");

        Assert.Equal(new EtcdctlResult(0, "OK"), result);
        Assert.Equal("two\nlines", await shared.Etcdctl.RunAsync("get", "input/a", "--print-value-only"));
    }

    [Fact]
    public async Task Put_with_prev_kv_prints_what_was_there_before()
    {
        await shared.Etcdctl.RunAsync("put", "before/a", "1");

        Assert.Equal("OK\nbefore/a\n1", await shared.Etcdctl.RunAsync("put", "before/a", "2", "--prev-kv"));
    }

    [Fact]
    public async Task Put_can_keep_the_value_or_refuse_a_missing_key()
    {
        await shared.Etcdctl.RunAsync("put", "keep/a", "1");

        Assert.Equal("OK", await shared.Etcdctl.RunAsync("put", "keep/a", "--ignore-value"));
        Assert.Equal("keep/a\n1", await shared.Etcdctl.RunAsync("get", "keep/a"));
        var missing = await shared.Etcdctl.TryAsync("put", "keep/missing", "--ignore-value");
        Assert.Equal(1, missing.Status);
        Assert.Contains("etcdserver: key not found", missing.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Get_reads_prefixes_ranges_and_everything_from_a_key_on()
    {
        foreach (var key in new[] { "range/a", "range/b", "range/c", "range0" })
        {
            await shared.Etcdctl.RunAsync("put", key, $"v-{key}");
        }

        Assert.Equal("range/a\n\nrange/b\n\nrange/c", Trimmed(await shared.Etcdctl.RunAsync("get", "range/", "--prefix", "--keys-only")));
        Assert.Equal("range/a\nv-range/a\nrange/b\nv-range/b", await shared.Etcdctl.RunAsync("get", "range/a", "range/c"));
        Assert.Equal("range/b\nv-range/b", await shared.Etcdctl.RunAsync("get", "range/b", "--from-key", "--limit", "1"));
        Assert.Equal("range/c\n\nrange/b\n\nrange/a", Trimmed(await shared.Etcdctl.RunAsync("get", "range/", "--prefix", "--keys-only", "--order", "DESCEND")));
        Assert.Contains("\"Count\" : 3", await shared.Etcdctl.RunAsync("get", "range/", "--prefix", "--count-only", "-w", "fields"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Get_reads_the_past()
    {
        var first = await shared.Etcdctl.JsonAsync("put", "past/a", "1");
        await shared.Etcdctl.RunAsync("put", "past/a", "2");

        var revision = first.GetProperty("header").GetProperty("revision").GetInt64();
        Assert.Equal("past/a\n1", await shared.Etcdctl.RunAsync("get", "past/a", "--rev", $"{revision}"));
        var future = await shared.Etcdctl.TryAsync("get", "past/a", "--rev", "1000000");
        Assert.Equal(1, future.Status);
        Assert.Contains("etcdserver: mvcc: required revision is a future revision", future.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Get_counts_versions_from_one_again_after_a_deletion()
    {
        await shared.Etcdctl.RunAsync("put", "life/a", "1");
        await shared.Etcdctl.RunAsync("put", "life/a", "2");
        Assert.Equal("1", await shared.Etcdctl.RunAsync("del", "life/a"));
        await shared.Etcdctl.RunAsync("put", "life/a", "3");

        var row = (await shared.Etcdctl.JsonAsync("get", "life/a")).GetProperty("kvs")[0];
        Assert.Equal(1, row.GetProperty("version").GetInt64());
        Assert.Equal(row.GetProperty("mod_revision").GetInt64(), row.GetProperty("create_revision").GetInt64());
    }

    [Fact]
    public async Task Del_prints_how_many_keys_it_deleted()
    {
        foreach (var key in new[] { "del/a", "del/b", "del/c" })
        {
            await shared.Etcdctl.RunAsync("put", key, "v");
        }

        Assert.Equal("1\ndel/a\nv", await shared.Etcdctl.RunAsync("del", "del/a", "--prev-kv"));
        Assert.Equal("2", await shared.Etcdctl.RunAsync("del", "del/", "--prefix"));
        Assert.Equal("0", await shared.Etcdctl.RunAsync("del", "del/", "--prefix"));
    }

    [Fact]
    public async Task Del_of_nothing_does_not_make_a_revision()
    {
        var before = await shared.Etcdctl.JsonAsync("put", "nothing/a", "v");
        var after = await shared.Etcdctl.JsonAsync("del", "nothing/missing");

        Assert.Equal(Revision(before), Revision(after));
    }

    [Fact]
    public async Task Txn_takes_the_branch_that_the_comparison_chooses()
    {
        await shared.Etcdctl.RunAsync("put", "txn/a", "1");

        var success = await shared.Etcdctl.TryWithInputAsync("value(\"txn/a\") = \"1\"\n\nput txn/a 2\nget txn/a\n\nget txn/missing\n\n", "txn");
        var failure = await shared.Etcdctl.TryWithInputAsync("value(\"txn/a\") = \"1\"\n\nput txn/a 3\n\nget txn/a\ndel txn/a\n\n", "txn");

        Assert.Equal(new EtcdctlResult(0, "SUCCESS\n\nOK\n\ntxn/a\n2"), success);
        Assert.Equal(new EtcdctlResult(0, "FAILURE\n\ntxn/a\n2\n\n1"), failure);
    }

    [Fact]
    public async Task Txn_compares_versions_and_revisions()
    {
        var put = await shared.Etcdctl.JsonAsync("put", "compare/a", "1");

        var input = $"mod(\"compare/a\") = \"{Revision(put)}\"\ncreate(\"compare/a\") > \"0\"\nversion(\"compare/a\") < \"2\"\n\nput compare/a 2\n\n\n";
        var result = await shared.Etcdctl.TryWithInputAsync(input, "txn");

        Assert.Equal(new EtcdctlResult(0, "SUCCESS\n\nOK"), result);
    }

    [Fact]
    public async Task Txn_that_puts_a_key_twice_is_refused()
    {
        var result = await shared.Etcdctl.TryWithInputAsync("\nput twice/a 1\nput twice/a 2\n\n\n", "txn");

        Assert.NotEqual(0, result.Status);
        Assert.Contains("etcdserver: duplicate key given in txn request", result.Said, StringComparison.Ordinal);
        Assert.Equal("", await shared.Etcdctl.RunAsync("get", "twice/a"));
    }

    [Fact]
    public async Task Compaction_hides_the_past_and_nothing_else()
    {
        var first = Revision(await shared.Etcdctl.JsonAsync("put", "compact/a", "1"));
        var second = Revision(await shared.Etcdctl.JsonAsync("put", "compact/a", "2"));

        Assert.Equal($"compacted revision {second}", await shared.Etcdctl.RunAsync("compaction", $"{second}", "--physical"));
        Assert.Equal("compact/a\n2", await shared.Etcdctl.RunAsync("get", "compact/a", "--rev", $"{second}"));
        var hidden = await shared.Etcdctl.TryAsync("get", "compact/a", "--rev", $"{first}");
        Assert.Equal(1, hidden.Status);
        Assert.Contains("etcdserver: mvcc: required revision has been compacted", hidden.Said, StringComparison.Ordinal);
        var again = await shared.Etcdctl.TryAsync("compaction", $"{second}");
        Assert.Contains("etcdserver: mvcc: required revision has been compacted", again.Said, StringComparison.Ordinal);
    }

    private static string Trimmed(string text) => text.TrimEnd();

    private static long Revision(System.Text.Json.JsonElement response) => response.GetProperty("header").GetProperty("revision").GetInt64();
}
