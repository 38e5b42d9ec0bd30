using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>Pauses, and wall clocks that jump: no lease ends early, none lives for ever, and nothing stale is read.</summary>
public sealed class ClockTests
{
    private static readonly TimeSpan TenYears = TimeSpan.FromDays(3653);
    private static readonly long[] LivingTtls = [5, 15, 60];

    // What a lease may live beyond its time: elections, and a machine with much other work.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(30);

    [Fact]
    public async Task Leases_do_not_look_at_a_wall_clock_that_jumps()
    {
        using var directory = new ScratchDirectory();
        var clocks = await ShiftedClock.MakeAsync(directory.Path, count: 3);
        await using var cluster = LocalCluster.Prepare();
        foreach (var (member, clock) in cluster.Members.Zip(clocks))
        {
            member.Variables = clock.Variables;
        }

        await cluster.LaunchAsync(cluster.Members);
        await using var client = cluster.Connect();
        await using var probe = await MilvusProbe.StartAsync(cluster);
        var living = LivingTtls.Select(ttl => client.Lease.GrantAsync(ttl)).ToList();
        await Task.WhenAll(living);
        using var over = new CancellationTokenSource();
        var renewing = RenewAsync(client, [.. living.Select(static lease => lease.Result.ID)], over.Token);
        var leader = Array.IndexOf(cluster.Members, await cluster.LeaderAsync());

        await JumpAsync(cluster, client, [clocks[leader]], TimeSpan.FromHours(1));
        await JumpAsync(cluster, client, clocks, TimeSpan.FromHours(-1));
        await JumpAsync(cluster, client, [clocks[(leader + 1) % 3]], TenYears);
        await JumpAsync(cluster, client, clocks, TenYears);

        await over.CancelAsync();
        await renewing;
        await probe.AssertWholeAsync();
    }

    [Fact]
    public async Task A_leader_that_was_stopped_reads_nothing_stale_when_it_goes_on()
    {
        await using var cluster = await LocalCluster.StartAsync();
        await using var probe = await MilvusProbe.StartAsync(cluster);
        for (var round = 0; round < 3; round++)
        {
            var leader = await cluster.LeaderAsync();
            await using var paused = leader.Connect();
            await using var others = new CairnClient(new ClientOptions { Endpoints = [.. cluster.Members.Where(member => member != leader).Select(static member => member.Endpoint)], Seed = 1 });
            await paused.Kv.PutAsync("x", "before");

            Signals.SendStop(leader.Run.Process);
            var asked = paused.Kv.GetAsync("x");
            await LocalCluster.UntilAsync(async () => (await others.Kv.PutAsync("x", $"{round}")).Header.Revision > 0);
            var askedLater = paused.Kv.GetAsync("x");
            Signals.SendContinue(leader.Run.Process);

            // The first was under way while the value changed: either is right. The second was asked after the new one was acknowledged.
            Assert.Contains(await ValueAsync(asked), (string?[])["before", $"{round}", null]);
            Assert.Contains(await ValueAsync(askedLater), (string?[])[$"{round}", null]);
        }

        await probe.AssertWholeAsync();
    }

    /// <summary>Waits for an answer; a refusal is none, and not wrong.</summary>
    private static async Task<string?> ValueAsync(Task<KeyValue?> answer)
    {
        try
        {
            return (await answer)?.Value.ToStringUtf8() ?? "missing";
        }
        catch (ClientException)
        {
            return null;
        }
    }

    /// <summary>Lets clocks jump while a lease that nobody renews runs out, and sees that it ends in its time.</summary>
    private static async Task JumpAsync(LocalCluster cluster, CairnClient client, ShiftedClock[] clocks, TimeSpan by)
    {
        const int ttl = 5;
        var began = TimeProvider.System.GetTimestamp();
        var lease = (await client.Lease.GrantAsync(ttl)).ID;
        await client.Kv.PutAsync(new PutRequest { Key = ByteString.CopyFromUtf8($"dead/{lease}"), Lease = lease });
        foreach (var clock in clocks)
        {
            clock.Shift(by);
        }

        await LocalCluster.UntilAsync(async () => await IsOffAsync(cluster, by));
        while (await client.Kv.GetAsync($"dead/{lease}") is not null)
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromSeconds(ttl) + Slack, $"with clocks off by {by} a lease of {ttl} s still lives");
            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }

        Assert.True(TimeProvider.System.GetElapsedTime(began) >= TimeSpan.FromSeconds(ttl), $"with clocks off by {by} a lease of {ttl} s ended after {TimeProvider.System.GetElapsedTime(began)}");
        foreach (var clock in clocks)
        {
            clock.Shift(TimeSpan.Zero);
        }
    }

    /// <summary>Whether a member shows the wrong time: otherwise the test would prove nothing.</summary>
    private static async Task<bool> IsOffAsync(LocalCluster cluster, TimeSpan by)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(10) };
        foreach (var member in cluster.Members)
        {
            using var answer = await http.GetAsync(new Uri($"http://{member.Endpoint}/version"));
            if (answer.Headers.Date is { } date && (date - TimeProvider.System.GetUtcNow() - by).Duration() < TimeSpan.FromMinutes(1))
            {
                return true;
            }
        }

        return false;
    }

    private static async Task RenewAsync(CairnClient client, long[] leases, CancellationToken over)
    {
        while (!over.IsCancellationRequested)
        {
            foreach (var lease in leases)
            {
                Assert.True((await client.Lease.KeepAliveOnceAsync(lease, CancellationToken.None)).TTL > 0, $"lease {lease:x} of a living client ended");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, CancellationToken.None);
        }
    }
}
