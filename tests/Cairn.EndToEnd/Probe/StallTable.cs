using System.Globalization;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Xunit;

namespace Cairn.EndToEnd.Probe;

/// <summary>What stalls of disks cost a client like Milvus, for both servers in the same harness: a table, not a verdict.</summary>
/// <remarks>
/// Not part of the gate, which has <see cref="ProbeTests"/>. CAIRN_STALL_TABLE names the file that the table is appended to; CAIRN_STALL_ROWS the rows that are wanted,
/// by their beginnings; CAIRN_STALL_SECONDS how long the stalls go round.
/// </remarks>
public sealed class StallTable
{
    private static readonly TimeSpan Settled = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan Slow = TimeSpan.FromMilliseconds(710);
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(7);

    private static readonly TimeSpan Around = TimeSpan.FromSeconds(LongForm.Number("CAIRN_STALL_SECONDS", 300));

    private static readonly (string Name, int Members, Func<LocalCluster, MilvusProbe, Task> Fault)[] Rows =
    [
        ("nothing", 3, static (_, probe) => probe.WorkAsync(TimeSpan.FromSeconds(15))),
        ("single 7s", 1, static (cluster, probe) => StallAsync(cluster.Members[0], Hang, TimeSpan.FromSeconds(40), probe)),
        ("single 20s", 1, static (cluster, probe) => StallAsync(cluster.Members[0], TimeSpan.FromSeconds(20), TimeSpan.FromSeconds(60), probe)),
        ("leader 710ms now and then, then 7s", 3, NowAndThenAsync),
        ("leader 710ms, first 15s", 3, static (cluster, probe) => LeaderAsync(cluster, probe, forgets: false)),
        ("leader 710ms, after 15s", 3, static (cluster, probe) => LeaderAsync(cluster, probe, forgets: true)),
        ("round 1.5s", 3, RoundAsync),
    ];

    [Fact(Explicit = true)]
    public async Task The_table_of_stalls_for_both_servers()
    {
        Write("| Server | Stall of syncs | Saves | p50 ms | p99 ms | worst ms | failed | leader changes | leases expired | session |");
        Write("|---|---|---|---|---|---|---|---|---|---|");
        var wanted = (Environment.GetEnvironmentVariable("CAIRN_STALL_ROWS") ?? "").Split(',');
        foreach (var row in Rows.Where(row => wanted.Any(start => row.Name.StartsWith(start, StringComparison.Ordinal))))
        {
            foreach (var program in new[] { ServerBinary.Path, EtcdPrograms.Path("etcd") })
            {
                Write(await MeasureAsync(program, row.Name, row.Members, row.Fault));
            }
        }
    }

    private static async Task<string> MeasureAsync(string program, string name, int members, Func<LocalCluster, MilvusProbe, Task> fault)
    {
        await using var cluster = LocalCluster.Prepare(members);
        foreach (var member in cluster.Members)
        {
            member.Program = program;
        }

        await cluster.LaunchAsync(cluster.Members);
        await using var probe = await MilvusProbe.StartAsync(cluster);
        await probe.WorkAsync(Settled);
        var before = await CountAsync(cluster);
        probe.Forget();
        await fault(cluster, probe);
        var saves = probe.Measure();
        await probe.WorkAsync(Settled);
        var after = await CountAsync(cluster);
        var isAlive = probe.ExitStatus == 0 && await probe.IsRegisteredAsync();
        return string.Create(
            CultureInfo.InvariantCulture,
            $"| {Path.GetFileName(program)} | {name} | {saves.Count} | {saves.Median:F0} | {saves.P99:F0} | {saves.Worst:F0} | {saves.Failed} | {after.Changes - before.Changes} | {after.Expired - before.Expired} | {(isAlive ? "alive" : $"lost, exit {probe.ExitStatus}")} |");
    }

    private static async Task StallAsync(ClusterMember member, TimeSpan delay, TimeSpan lasts, MilvusProbe probe, string when = "1+")
    {
        await using (await FaultyCalls.DelayAsync(member.Run, FaultyCalls.Syncs, delay, when))
        {
            await probe.WorkAsync(lasts);
        }
    }

    private static async Task NowAndThenAsync(LocalCluster cluster, MilvusProbe probe)
    {
        var leader = await cluster.LeaderAsync();
        await StallAsync(leader, Slow, TimeSpan.FromSeconds(30), probe, "20+40");
        await StallAsync(leader, Hang, TimeSpan.FromSeconds(12), probe, "1");
    }

    private static async Task LeaderAsync(LocalCluster cluster, MilvusProbe probe, bool forgets)
    {
        await using (await FaultyCalls.DelayAsync((await cluster.LeaderAsync()).Run, FaultyCalls.Syncs, Slow))
        {
            await probe.WorkAsync(TimeSpan.FromSeconds(15));
            if (forgets)
            {
                probe.Forget();
                await probe.WorkAsync(TimeSpan.FromSeconds(30));
            }
        }
    }

    private static async Task RoundAsync(LocalCluster cluster, MilvusProbe probe)
    {
        var began = TimeProvider.System.GetTimestamp();
        for (var turn = 0; TimeProvider.System.GetElapsedTime(began) < Around; turn++)
        {
            await StallAsync(cluster.Members[turn % cluster.Members.Length], TimeSpan.FromMilliseconds(1500), TimeSpan.FromSeconds(5), probe);
        }
    }

    /// <summary>Counts what the members themselves count.</summary>
    private static async Task<(long Changes, long Expired)> CountAsync(LocalCluster cluster)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(30) };
        var pages = new List<string>();
        foreach (var member in cluster.Members)
        {
            pages.Add(await http.GetStringAsync(new Uri($"http://{member.Endpoint}/metrics")));
        }

        return (pages.Max(static page => Find(page, "etcd_server_leader_changes_seen_total")), pages.Sum(static page => Find(page, "etcd_debugging_server_lease_expired_total")));
    }

    private static long Find(string page, string name) => (long)double.Parse(
        page.Split('\n').First(line => line.StartsWith($"{name} ", StringComparison.Ordinal)).Split(' ')[1], CultureInfo.InvariantCulture);

    private static void Write(string line)
    {
        TestContext.Current.TestOutputHelper?.WriteLine(line);
        if (Environment.GetEnvironmentVariable("CAIRN_STALL_TABLE") is { Length: > 0 } file)
        {
            File.AppendAllText(file, line + Environment.NewLine);
        }
    }
}
