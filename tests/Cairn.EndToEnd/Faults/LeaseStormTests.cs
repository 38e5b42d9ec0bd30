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

    // Revocations in a second, as etcd.
    private const double RevokedASecond = 1000;

    private static readonly TimeSpan KilledEvery = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan ElectionTimeout = TimeSpan.FromSeconds(1);

    // A write that takes longer shows that nobody led, or that who leads was held up: two heartbeats, as for the clock of leases.
    private static readonly TimeSpan StallMin = TimeSpan.FromMilliseconds(200);

    // For how long the ends are waited for: what a machine with much other work may take.
    private static readonly TimeSpan EndsWithin = TimeSpan.FromMinutes(3);

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
        using var calm = new CancellationTokenSource();
        var (began, stalls) = (TimeProvider.System.GetTimestamp(), FindStallsAsync(client, calm.Token));
        var ending = FindEndsAsync(client, flock);
        var kills = new List<long>();
        for (var kill = 0; kill < Kills; kill++)
        {
            await KillLeaderAsync(cluster);
            kills.Add(TimeProvider.System.GetTimestamp());
            var next = Task.Delay(KilledEvery);
            await LocalCluster.UntilAsync(async () => (await client.Kv.PutAsync("after", $"{kill}")).Header.Revision > 0);
            await next;
        }

        var flapping = TimeProvider.System.GetElapsedTime(began);
        await Task.WhenAny(ending, Task.Delay(EndsWithin));
        Assert.True(flock.Lost.IsEmpty, string.Join('\n', flock.Lost.Take(20)));
        Assert.True(ending.IsCompleted, "leases of dead clients still live long after the last leader was killed");
        var gone = await ending;
        await flock.StopAsync();
        await calm.CancelAsync();
        var stalled = await stalls;

        await probe.AssertWholeAsync();
        Assert.True(flock.Lost.IsEmpty, string.Join('\n', flock.Lost.Take(20)));
        var alive = (await client.Lease.ListAsync()).Leases.Select(static lease => lease.ID).ToHashSet();
        Assert.All(flock.Living, id => Assert.True(alive.Contains(id), $"lease {id:x} of a living client is gone"));

        // Its time, two election timeouts, and as much for each leader; stalls do not count, and all that ended are not revoked at once.
        Assert.All(gone, life =>
        {
            Assert.True(life.Whole.Length >= TimeSpan.FromSeconds(Ttl), $"a lease of {Ttl} s ended after {life.Whole.Length.TotalSeconds:F1} s");
            var changes = kills.Count(kill => kill > life.Seen.From && kill < life.Seen.To);
            var atMost = TimeSpan.FromSeconds(Ttl + (flock.Dead.Count / RevokedASecond)) + (2 * (1 + changes) * ElectionTimeout);
            Assert.InRange(life.Seen.Length - life.Seen.Shared(stalled), TimeSpan.Zero, atMost);
        });
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Leases} leases of {Ttl} s, {Kills} leaders killed in {flapping.TotalSeconds:F1} s, stalls of {stalled.Sum(static stall => stall.Length.TotalSeconds):F1} s, {flock.Renewals} renewals; dead ones lived {gone.Min(static life => life.Whole.Length.TotalSeconds):F1} to {gone.Max(static life => life.Whole.Length.TotalSeconds):F1} s, {gone.Max(life => (life.Seen.Length - life.Seen.Shared(stalled)).TotalSeconds):F1} s at most beside stalls; {probe.Report()}"));
    }

    /// <summary>Writes again and again, and finds when that took long.</summary>
    /// <returns>The stalls, in order; they do not overlap.</returns>
    private static async Task<List<Span>> FindStallsAsync(CairnClient client, CancellationToken until)
    {
        var stalls = new List<Span>();
        var began = TimeProvider.System.GetTimestamp();
        while (!until.IsCancellationRequested)
        {
            try
            {
                await client.Kv.PutAsync("pulse", "", cancelled: CancellationToken.None);
                var beat = new Span(began, TimeProvider.System.GetTimestamp());
                if (beat.Length >= StallMin)
                {
                    stalls.Add(beat);
                }

                await Task.Delay(TimeSpan.FromMilliseconds(20), CancellationToken.None);
                began = TimeProvider.System.GetTimestamp();
            }
            catch (ClientException)
            {
                // Nobody leads yet.
            }
        }

        return stalls;
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
    /// <returns>Of each, from when it was asked for to when it was found to be gone, and from when it was granted to when it was last seen.</returns>
    private static async Task<List<(Span Whole, Span Seen)>> FindEndsAsync(CairnClient client, LeaseFlock flock)
    {
        var lives = new List<(Span Whole, Span Seen)>();
        var left = flock.Dead.ToDictionary(static dead => dead.Key, static dead => dead.Value.Granted);
        while (left.Count > 0)
        {
            try
            {
                var asked = TimeProvider.System.GetTimestamp();
                var listed = (await client.Lease.ListAsync()).Leases.Select(static lease => lease.ID).ToHashSet();
                foreach (var some in left.Keys.Where(id => !listed.Contains(id)).Chunk(AskedAtOnce).ToList())
                {
                    // A list is what one member knows, perhaps one that has just started; whether it is so, the leader says.
                    var answers = await Task.WhenAll(some.Select(id => client.Lease.TimeToLiveAsync(id)));
                    foreach (var gone in answers.Where(static answer => answer.TTL == -1))
                    {
                        var dead = flock.Dead[gone.ID];
                        lives.Add((new Span(dead.Asked, TimeProvider.System.GetTimestamp()), new Span(dead.Granted, left[gone.ID])));
                        left.Remove(gone.ID);
                    }
                }

                foreach (var id in left.Keys.Where(listed.Contains).ToList())
                {
                    left[id] = asked;
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
