using System.Globalization;
using System.Net;
using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Xunit;

namespace Cairn.EndToEnd.Healing;

/// <summary>A cluster to which things happen, a key that nothing that happens may lose, and a session that must outlive it.</summary>
internal sealed class HealingCluster : IAsyncDisposable
{
    private MilvusProbe? _session;
    private int _written;

    private HealingCluster(LocalCluster members) => Local = members;

    /// <summary>The cluster.</summary>
    public LocalCluster Local { get; }

    /// <summary>Its members.</summary>
    public ClusterMember[] Members => Local.Members;

    /// <summary>Starts members, waits until the cluster knows how large it is meant to be, and begins a session.</summary>
    /// <param name="count">How many.</param>
    /// <param name="flags">Their flags beside the usual ones.</param>
    /// <returns>The cluster.</returns>
    public static Task<HealingCluster> StartAsync(int count = 3, params string[] flags) => StartAsync(Prepare(count, flags));

    /// <summary>For members whose stop hooks may dawdle, as the command of one does on a machine that runs many tests at once, or where another member is away.</summary>
    public static string[] PatientWithHooks => ["--evict-after", "60s"];

    /// <summary>As <see cref="StartAsync(int, string[])"/>, of members that are prepared already.</summary>
    /// <param name="members">The members.</param>
    /// <param name="beforeTheyServe">What happens between their start and the moment from which they are expected to serve.</param>
    /// <returns>The cluster.</returns>
    public static async Task<HealingCluster> StartAsync(LocalCluster members, Func<Task>? beforeTheyServe = null)
    {
        var cluster = await StartWithoutSessionAsync(members, beforeTheyServe);
        try
        {
            cluster._session = await MilvusProbe.StartAsync(new ClientOptions
            {
                Endpoints = [.. cluster.Members.SelectMany(static member => new[] { member.Endpoint, member.EndpointElsewhere })],
                Tls = cluster.Members[0].Tls,
            });
            return cluster;
        }
        catch
        {
            // Nobody else knows of the processes.
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>As <see cref="StartAsync(int, string[])"/>, for what no session can outlive.</summary>
    /// <param name="count">How many.</param>
    /// <param name="flags">Their flags beside the usual ones.</param>
    /// <returns>The cluster.</returns>
    public static Task<HealingCluster> StartWithoutSessionAsync(int count = 3, params string[] flags) => StartWithoutSessionAsync(Prepare(count, flags));

    private static LocalCluster Prepare(int count, string[] flags)
    {
        var members = LocalCluster.Prepare(count);
        Array.ForEach(members.Members, member => member.Flags = flags);
        return members;
    }

    /// <summary>Takes members that the caller starts.</summary>
    /// <param name="members">The members.</param>
    /// <returns>The cluster.</returns>
    public static HealingCluster Of(LocalCluster members)
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd does not heal");
        return new HealingCluster(members);
    }

    /// <summary>As <see cref="StartAsync(LocalCluster, Func{Task}?)"/>, for what no session can outlive.</summary>
    /// <param name="members">The members.</param>
    /// <param name="beforeTheyServe">What happens between their start and the moment from which they are expected to serve.</param>
    /// <returns>The cluster.</returns>
    public static async Task<HealingCluster> StartWithoutSessionAsync(LocalCluster members, Func<Task>? beforeTheyServe = null)
    {
        var cluster = Of(members);
        try
        {
            Array.ForEach(cluster.Members, member => member.Launch(cluster.Members));
            await (beforeTheyServe?.Invoke() ?? Task.CompletedTask);
            await Task.WhenAll(cluster.Members.Select(static member => member.ReadyAsync()));
            await using var client = cluster.Local.Connect();
            await LocalCluster.UntilAsync(async () => (await client.Healing.StatusAsync()).State.TargetSize == cluster.Members.Length);
            return cluster;
        }
        catch
        {
            // Nobody else knows of the processes.
            await cluster.DisposeAsync();
            throw;
        }
    }

    /// <summary>Writes something that must be there ever after.</summary>
    /// <param name="at">Where; null for anywhere.</param>
    public async Task WriteAsync(ClusterMember? at = null)
    {
        await using var client = at?.Connect() ?? Local.Connect();
        await LocalCluster.UntilAsync(async () =>
        {
            await client.Kv.PutAsync($"key-{_written}", $"{_written}");
            return true;
        });
        _written++;
    }

    /// <summary>Kills a member, takes its disk, and starts it again as it was started before.</summary>
    /// <param name="member">The member.</param>
    /// <param name="state">The flag that says whether the cluster is a new one.</param>
    public async Task WipeAsync(ClusterMember member, string state = "new")
    {
        await member.KillAsync();
        member.Wipe();
        member.Launch(Members, state);
    }

    /// <summary>What the hook of a chart does: the member removes itself, and is told to stop. Whether it may be removed is the cluster's to say.</summary>
    /// <param name="member">The member.</param>
    /// <param name="isKilled">Whether it is killed instead, as soon as the command has returned.</param>
    /// <param name="patience">How many seconds the hook has: of those whose removal must succeed as long as the slowest machine needs.</param>
    /// <returns>Whether it was removed.</returns>
    public static async Task<bool> StopWithHookAsync(ClusterMember member, bool isKilled = false, int patience = 3)
    {
        var removed = await new Etcdctl(member.Endpoint).TryAsync("member", "remove", await IdOfAsync(member), $"--command-timeout={patience}s");
        if (isKilled)
        {
            await member.KillAsync();
        }
        else
        {
            Signals.SendTerminate(member.Run.Process);
            await member.Run.EndAsync();
        }

        return removed.Status == 0;
    }

    /// <summary>Asks a member for its id.</summary>
    /// <param name="member">The member.</param>
    /// <returns>The id, as etcdctl takes it.</returns>
    public static async Task<string> IdOfAsync(ClusterMember member)
    {
        var status = await new Etcdctl(member.Endpoint).JsonAsync("endpoint", "status");
        return status[0].GetProperty("Status").GetProperty("header").GetProperty("member_id").GetUInt64().ToString("x", CultureInfo.InvariantCulture);
    }

    /// <summary>Asks for a page of a member.</summary>
    /// <param name="member">The member.</param>
    /// <param name="page">The page.</param>
    /// <returns>Status and text; no status if nobody answers.</returns>
    public static async Task<(HttpStatusCode? Status, string Text)> PageAsync(ClusterMember member, string page)
    {
        using var http = new HttpClient();
        try
        {
            using var answer = await http.GetAsync(new Uri($"http://{member.Endpoint}/{page}"));
            return (answer.StatusCode, await answer.Content.ReadAsStringAsync());
        }
        catch (HttpRequestException e)
        {
            return (null, e.Message);
        }
    }

    /// <summary>Insists that a member said nothing at which start scripts of charts delete the data directory.</summary>
    /// <param name="member">The member.</param>
    public static void AssertSilentForScripts(ClusterMember member)
    {
        foreach (var line in new[] { "the member has been permanently removed from the cluster", "ignored streaming request; ID mismatch", "\"error\":\"cluster ID mismatch\"" })
        {
            Assert.DoesNotContain(line, member.Run.Said, StringComparison.Ordinal);
        }
    }

    /// <summary>Runs a command of the program, and insists.</summary>
    /// <param name="arguments">Its command line.</param>
    /// <returns>What it wrote.</returns>
    public static async Task<string> CairnAsync(params string[] arguments)
    {
        await using var run = ProgramRun.Start(ServerBinary.Path, arguments);
        Assert.True(await run.EndAsync() == 0, run.Said);
        return run.Said;
    }

    /// <summary>Insists that the session has lost nothing.</summary>
    public Task AssertSessionAsync() => _session?.AssertWholeAsync() ?? Task.CompletedTask;

    /// <summary>Waits until every process serves, all are voters of one cluster, and all have everything that was written.</summary>
    /// <returns>How long that took.</returns>
    public async Task<TimeSpan> HealedAsync()
    {
        var began = TimeProvider.System.GetTimestamp();
        await LocalCluster.UntilAsync(async () =>
        {
            foreach (var member in Members)
            {
                await using var client = member.Connect();
                var members = (await client.Cluster.ListAsync()).Members;
                if (members.Count != Members.Length || members.Any(static other => other.IsLearner || other.Name.Length == 0)
                    || (await client.Maintenance.StatusAsync(member.Endpoint)).IsLearner)
                {
                    return false;
                }
            }

            return true;
        }, describe: () => string.Join('\n', Members.Select(static member => $"{member.Name} said at last:\n{string.Join('\n', member.Run.Said.Split('\n').TakeLast(25))}")));
        var took = TimeProvider.System.GetElapsedTime(began);
        await LocalCluster.AgreeAsync(Members);
        foreach (var member in Members)
        {
            await using var client = member.Connect();
            for (var i = 0; i < _written; i++)
            {
                var found = await client.Kv.GetAsync($"key-{i}");
                Assert.Equal($"{i}", found?.Value.ToStringUtf8());
            }
        }

        await AssertSessionAsync();
        return took;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_session is not null)
        {
            await _session.DisposeAsync();
        }

        await Local.DisposeAsync();
    }
}
