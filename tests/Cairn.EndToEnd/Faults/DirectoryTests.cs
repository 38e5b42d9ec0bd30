using System.Diagnostics;
using System.Net;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>The process: data directories that belong to somebody else, or to another process.</summary>
public sealed class DirectoryTests
{
    private const string Nobody = "65534";

    [Fact]
    public async Task Files_of_another_user_are_waited_for_and_named_and_a_mode_is_mended()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd ends");
        Assert.SkipUnless(Environment.UserName == "root" && File.Exists("/usr/bin/setpriv"), "only root starts servers as other users, and setpriv does it");
        using var scratch = new ScratchDirectory();
        Directory.CreateDirectory(scratch["m1"]);
        await RunAsync("chmod", "711", scratch.Path);
        await RunAsync("chown", Nobody, scratch["m1"]);
        await File.WriteAllTextAsync(scratch["as-nobody"], $"#!/bin/sh\nexec setpriv --reuid={Nobody} --regid={Nobody} --clear-groups {ServerBinary.Path} \"$@\"\n");
        await RunAsync("chmod", "755", scratch["as-nobody"]);
        await using var member = new ClusterMember("m1", scratch["m1"]) { Program = scratch["as-nobody"] };
        member.Launch([member]);
        await member.ReadyAsync();
        await member.KillAsync();

        await RunAsync("chown", "-R", "0:0", $"{scratch["m1"]}/member");
        member.Launch([member]);
        await member.Run.LineAsync(line => line.Contains($"chown -R {Nobody}:{Nobody} {scratch["m1"]}", StringComparison.Ordinal));
        using (var http = new HttpClient())
        {
            await LocalCluster.UntilAsync(async () => await AnswersAsync(http, $"http://{member.Endpoint}/livez") == HttpStatusCode.OK);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, await AnswersAsync(http, $"http://{member.Endpoint}/readyz"));
        }

        await RunAsync("chmod", "-R", "a-rwx", $"{scratch["m1"]}/member/store");
        await RunAsync("chown", "-R", Nobody, scratch["m1"]);
        await member.Run.LineAsync(static line => line.Contains("its mode was changed", StringComparison.Ordinal));
        await member.ReadyAsync();
    }

    [Fact]
    public async Task A_second_process_on_a_data_directory_ends_and_the_first_goes_on()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd waits for the lock");
        using var scratch = new ScratchDirectory();
        await using var first = new ClusterMember("m1", scratch["m1"]);
        await using var second = new ClusterMember("m1", scratch["m1"]);
        first.Launch([first]);
        await first.ReadyAsync();

        second.Launch([second]);

        Assert.NotEqual(0, await second.Run.EndAsync());
        Assert.Contains("another process", second.Run.Said, StringComparison.Ordinal);
        await using var client = first.Connect();
        await client.Kv.PutAsync("k", "v");
    }

    private static async Task<HttpStatusCode?> AnswersAsync(HttpClient http, string url)
    {
        try
        {
            return (await http.GetAsync(new Uri(url))).StatusCode;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    }

    private static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
        Assert.Equal(0, process.ExitCode);
    }
}
