using System.Globalization;
using Cairn.Client;
using Cairn.EndToEnd.Cluster;
using Cairn.EndToEnd.Harness;
using Cairn.EndToEnd.Probe;
using Xunit;

namespace Cairn.EndToEnd.Faults;

/// <summary>Many leases and a leader that is killed every few seconds: those of living clients live, those of dead ones end.</summary>
/// <remarks>CAIRN_STORM_LEASES says how many leases there are, CAIRN_STORM_TTL for how many seconds, CAIRN_STORM_KILLS how often the leader is killed.</remarks>
public sealed class LeaseStormTests
{
    // One of so many has a client that is dead from the start.
    private const int DeadShare = 10;

    // Questions to the leader at a time: one by one, thousands of them would take longer than the leases had.
    private const int AskedAtOnce = 64;

    private static readonly TimeSpan KilledEvery = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan ElectionTimeout = TimeSpan.FromSeconds(1);

    // What each new leader has not told the log of when it is killed (docs/decisions/0018).
    private static readonly TimeSpan UntoldOfLeader = TimeSpan.FromSeconds(0.5);

    // What a machine with much other work takes to say that a lease has ended.
    private static readonly TimeSpan Slack = TimeSpan.FromSeconds(15);

    private static int Leases => LongForm.Number("CAIRN_STORM_LEASES", 1000);

    private static int Kills => LongForm.Number("CAIRN_STORM_KILLS", 3);

    private static long Ttl => LongForm.Number("CAIRN_STORM_TTL", 6);

    [Fact]
    public async Task Leases_of_living_clients_live_and_those_of_dead_ones_end_although_the_leader_is_killed_again_and_again()
    {
        Assert.SkipUnless(ServerBinary.IsCairn, "etcd gives all leases their full time with each leader, and revokes those whose renewals it could not take");
        await using var cluster = await LocalCluster.StartAsync();
        await using var client = cluster.Connect();
        await using var probe = await MilvusProbe.StartAsync(cluster);
        await using var flock = await LeaseFlock.StartAsync([.. cluster.Members.Select(static member => member.Endpoint)], Leases, Ttl, static i => i % DeadShare == 0);
        var (began, stalls) = (TimeProvider.System.GetTimestamp(), new List<Span>());
        var ending = FindEndsAsync(client, flock);
        for (var kill = 0; kill < Kills; kill++)
        {
            await KillLeaderAsync(cluster);
            var (killed, next) = (TimeProvider.System.GetTimestamp(), Task.Delay(KilledEvery));
            await LocalCluster.UntilAsync(async () => (await client.Kv.PutAsync("after", $"{kill}")).Header.Revision > 0);
            stalls.Add(new Span(killed, TimeProvider.System.GetTimestamp()));
            await next;
        }

        var flapping = TimeProvider.System.GetElapsedTime(began);
        var atMost = TimeSpan.FromSeconds(Ttl * 1.5) + (2 * ElectionTimeout) + (Kills * UntoldOfLeader) + Slack;
        await Task.WhenAny(ending, Task.Delay(atMost));
        Assert.True(flock.Lost.IsEmpty, string.Join('\n', flock.Lost.Take(20)));
        Assert.True(ending.IsCompleted, "leases of dead clients still live long after the last leader was killed");
        var gone = await ending;
        await flock.StopAsync();

        await probe.AssertWholeAsync();
        Assert.True(flock.Lost.IsEmpty, string.Join('\n', flock.Lost.Take(20)));
        var alive = (await client.Lease.ListAsync()).Leases.Select(static lease => lease.ID).ToHashSet();
        Assert.All(flock.Living, id => Assert.True(alive.Contains(id), $"lease {id:x} of a living client is gone"));

        // Time without a leader does not count; what was idle for less than half of its time when the first leader was killed begins anew, once.
        Assert.All(gone, life => Assert.InRange(life.Length, TimeSpan.FromSeconds(Ttl), atMost + life.Shared(stalls)));
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Leases} leases of {Ttl} s, {Kills} leaders killed in {flapping.TotalSeconds:F1} s, of which {stalls.Sum(static stall => stall.Length.TotalSeconds):F1} s nobody led, {flock.Renewals} renewals; dead ones lived {gone.Min(static life => life.Length.TotalSeconds):F1} to {gone.Max(static life => life.Length.TotalSeconds):F1} s, {gone.Max(life => (life.Length - life.Shared(stalls)).TotalSeconds):F1} s at most under a leader; {probe.Report()}"));
    }

    private static Task KillLeaderAsync(LocalCluster cluster) => LocalCluster.UntilAsync(async () =>
    {
        // One that was killed a moment ago may not listen yet.
        var leader = await cluster.LeaderAsync();
        await leader.KillAsync();
        leader.Launch(cluster.Members);
        return true;
    });

    /// <summary>Waits until no lease of a dead client is left.</summary>
    /// <returns>When each lived, from when it was asked for.</returns>
    private static async Task<List<Span>> FindEndsAsync(CairnClient client, LeaseFlock flock)
    {
        var lives = new List<Span>();
        var left = new HashSet<long>(flock.Dead.Keys);
        while (left.Count > 0)
        {
            try
            {
                var listed = (await client.Lease.ListAsync()).Leases.Select(static lease => lease.ID).ToHashSet();
                foreach (var some in left.Where(id => !listed.Contains(id)).Chunk(AskedAtOnce).ToList())
                {
                    // A list is what one member knows, perhaps one that has just started; whether it is so, the leader says.
                    var answers = await Task.WhenAll(some.Select(id => client.Lease.TimeToLiveAsync(id)));
                    foreach (var gone in answers.Where(static answer => answer.TTL == -1))
                    {
                        lives.Add(new Span(flock.Dead[gone.ID], TimeProvider.System.GetTimestamp()));
                        left.Remove(gone.ID);
                    }
                }
            }
            catch (ClientException)
            {
                // Nobody leads at the moment.
            }

            await Task.Delay(TimeSpan.FromMilliseconds(100));
        }

        return lives;
    }

    /// <summary>A stretch of time.</summary>
    /// <param name="From">Timestamp of its begin.</param>
    /// <param name="To">Of its end.</param>
    private readonly record struct Span(long From, long To)
    {
        public TimeSpan Length => TimeProvider.System.GetElapsedTime(From, To);

        public TimeSpan Shared(IReadOnlyList<Span> others)
        {
            var self = this;
            return TimeSpan.FromTicks(others.Sum(other => Math.Max(0, new Span(Math.Max(self.From, other.From), Math.Min(self.To, other.To)).Length.Ticks)));
        }
    }
}
