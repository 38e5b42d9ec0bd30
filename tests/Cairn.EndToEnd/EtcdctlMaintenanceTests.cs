using System.Globalization;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd;

/// <summary>What operators do with etcdctl.</summary>
public sealed class EtcdctlMaintenanceTests(SharedServer shared) : IClassFixture<SharedServer>
{
    [Fact]
    public async Task Endpoint_health_says_that_the_member_is_healthy()
    {
        var said = await shared.Etcdctl.RunAsync("endpoint", "health");

        Assert.StartsWith($"{shared.Server.Endpoint} is healthy: successfully committed proposal: took = ", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endpoint_status_names_a_leader_that_is_the_member_itself()
    {
        await shared.Etcdctl.RunAsync("put", "status/a", "1");
        var status = (await shared.Etcdctl.JsonAsync("endpoint", "status"))[0].GetProperty("Status");

        Assert.Equal(status.GetProperty("header").GetProperty("member_id").GetUInt64(), status.GetProperty("leader").GetUInt64());
        Assert.True(status.GetProperty("raftTerm").GetUInt64() >= 2);
        Assert.True(status.GetProperty("raftAppliedIndex").GetUInt64() <= status.GetProperty("raftIndex").GetUInt64());
        Assert.True(status.GetProperty("dbSize").GetInt64() > 0);
        var version = Version.Parse(status.GetProperty("version").GetString() ?? "");
        Assert.True(version >= new Version(3, 5, 13), $"with version {version} Kubernetes turns consistent reads from its cache off");
    }

    [Fact]
    public async Task Endpoint_status_prints_a_table()
    {
        var said = await shared.Etcdctl.RunAsync("endpoint", "status", "-w", "table");

        Assert.Contains("RAFT APPLIED INDEX", said, StringComparison.Ordinal);
        Assert.Contains(shared.Server.Endpoint, said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Endpoint_hashkv_changes_with_the_data_and_only_with_it()
    {
        var before = await HashAsync();
        Assert.Equal(before, await HashAsync());

        await shared.Etcdctl.RunAsync("put", "hash/a", "1");

        Assert.NotEqual(before, await HashAsync());
    }

    [Fact]
    public async Task Member_list_shows_the_one_member_as_started()
    {
        var members = (await shared.Etcdctl.JsonAsync("member", "list")).GetProperty("members");

        Assert.Equal(1, members.GetArrayLength());
        Assert.Equal("m1", members[0].GetProperty("name").GetString());
        Assert.Equal($"http://{shared.Server.Endpoint}", members[0].GetProperty("clientURLs")[0].GetString());
        Assert.EndsWith(", false", await shared.Etcdctl.RunAsync("member", "list"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Removing_the_last_member_is_refused()
    {
        var members = (await shared.Etcdctl.JsonAsync("member", "list")).GetProperty("members");
        var id = members[0].GetProperty("ID").GetUInt64().ToString("x", CultureInfo.InvariantCulture);

        var result = await shared.Etcdctl.TryAsync("member", "remove", id);

        Assert.NotEqual(0, result.Status);
        Assert.Contains("etcdserver: re-configuration failed due to not enough started members", result.Said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Defrag_succeeds_and_loses_nothing()
    {
        await shared.Etcdctl.RunAsync("put", "defrag/a", "1");
        var before = await HashAsync();

        Assert.StartsWith($"Finished defragmenting etcd member[{shared.Server.Endpoint}]", await shared.Etcdctl.RunAsync("defrag"), StringComparison.Ordinal);

        Assert.Equal(before, await HashAsync());
    }

    [Fact]
    public async Task Alarm_list_is_empty_and_disarming_nothing_succeeds()
    {
        Assert.Equal("", await shared.Etcdctl.RunAsync("alarm", "list"));
        Assert.Equal("", await shared.Etcdctl.RunAsync("alarm", "disarm"));
    }

    [Fact]
    public async Task Authentication_is_off()
    {
        Assert.StartsWith("Authentication Status: false", await shared.Etcdctl.RunAsync("auth", "status"), StringComparison.Ordinal);
    }

    private async Task<long> HashAsync() => (await shared.Etcdctl.JsonAsync("endpoint", "hashkv"))[0].GetProperty("HashKV").GetProperty("hash").GetInt64();
}
