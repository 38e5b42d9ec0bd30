using Cairn.Protocol.Healing;
using Cairn.Protocol.Peers;
using Cairn.Server;
using Cairn.Server.Peers;
using Cairn.Simulation.Disks;
using Cairn.Tests.Server.Simulated;
using Cairn.Tests.Server.Transfer;
using Google.Protobuf;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Recovery;

/// <summary>A majority is gone for good: the best survivor founds a new epoch, if a person says so, or if all others attest that they are empty; nothing else ever does.</summary>
public sealed class LostQuorumTests
{
    // A cluster of millions of requests a second does not come to it.
    private const long RevisionsSkipped = 1_000_000_000;

    private const int KeysWritten = 5;

    [Theory]
    [InlineData(0, 1, 2)]
    [InlineData(1, 0, 2)]
    [InlineData(2, 1, 0)]
    public void Two_wiped_of_three_are_fed_from_the_third_by_themselves_in_whatever_order_they_start(int first, int second, int third) => ClusterWorld.Run(3, async world =>
    {
        world.Recover = RecoverMode.Auto;
        await WriteAsync(world, "before");
        var (cluster, revision) = (world.Nodes[0]!.ClusterId, world.Nodes[0]!.Look().Revision);
        await StopAllAsync(world);
        world.Wipe(1);
        world.Wipe(2);
        foreach (var index in new[] { first, second, third })
        {
            _ = world.LiveAsync(index);
            await world.PassAsync(TimeSpan.FromSeconds(1));
        }

        await WholeAsync(world);

        Assert.NotEqual(cluster, world.Nodes[0]!.ClusterId);
        Assert.Equal("1", await world.Nodes[third]!.GetAsync("before"));
        Assert.True(world.Nodes[0]!.Look().Revision > revision + RevisionsSkipped);
        Assert.True(world.Nodes[0]!.Look().CompactedRevision > revision + 1);
        var founding = (await StatusAsync(world)).State.Finished.Single(heal => heal.Kind == HealKind.FoundEpoch);
        Assert.Contains("cannot be excluded", founding.Result, StringComparison.Ordinal);
        Assert.Equal(3U, (await StatusAsync(world)).State.TargetSize);
    });

    [Fact]
    public void Who_does_not_answer_is_waited_for_until_a_person_gives_him_up_and_is_fenced_ever_after() => ClusterWorld.Run(3, async world =>
    {
        world.Recover = RecoverMode.Auto;
        await WriteAsync(world, "before");
        await world.UntilAsync(() => world.Nodes.All(node => node!.Look().Revision == 2));
        world.Cut(0, isCut: true);
        await world.UntilAsync(() => world.Nodes.Skip(1).Any(node => node!.Look().IsLeader));
        await WriteAsync(world, "missed");
        await StopAllAsync(world);
        world.Wipe(1);
        var cluster = 0UL;

        _ = world.LiveAsync(0);
        _ = world.LiveAsync(1);
        await world.PassAsync(TimeSpan.FromMinutes(10));
        cluster = world.Nodes[0]!.ClusterId;
        Assert.Null(world.Nodes[1]);
        Assert.Equal(0UL, world.Nodes[0]!.Look().LeaderId);
        Assert.Equal("1", await world.Nodes[0]!.GetAsync("before", serializable: true));
        Assert.Contains("m2 does not answer", world.Nodes[0]!.Look().Healing, StringComparison.Ordinal);
        Assert.Contains("m1 is empty", world.Nodes[0]!.Look().Healing, StringComparison.Ordinal);
        var survey = RecoverySurvey.Parser.ParseFrom(world.Disks[0].ReadAll("member/survey"));
        Assert.Contains("cannot be excluded", survey.Loss, StringComparison.Ordinal);
        var best = survey.Survivors.Single(survivor => survivor.IsBest);

        Decide(world, cluster, [.. survey.Survivors.Where(static survivor => !survivor.HoldsData).Select(static survivor => survivor.MemberId)], best);
        await world.UntilAsync(() => world.Nodes[0]?.ClusterId != cluster && world.Nodes[1] is { } fed && !fed.Look().IsLearner && fed.Ready.IsCompleted);
        await WriteAsync(world, "after");

        _ = world.LiveAsync(2);
        await WholeAsync(world);
        await world.UntilAsync(() => !world.Disks[0].FileExists("member/recover"));
        Assert.Equal("1", await world.Nodes[2]!.GetAsync("after"));
        Assert.Null(await world.Nodes[2]!.GetAsync("missed"));
        Assert.Single(world.Disks[2].List("quarantine"));
    });

    /// <summary>A look takes a second where somebody does not answer; what it found, and what a person had decided before, do not count after a promise.</summary>
    [Fact]
    public void Who_promises_itself_to_the_epoch_of_another_while_it_looks_around_founds_none()
    {
        var promised = 0;
        for (var tenth = 0; tenth < 20; tenth++)
        {
            var pause = TimeSpan.FromMilliseconds(100 * tenth);
            ClusterWorld.Run(3, async world =>
            {
                await WriteAsync(world, "before");
                await world.UntilAsync(() => world.Nodes.All(node => node!.Look().Revision == 2));
                var (cluster, others) = (world.Nodes[0]!.ClusterId, IdsOf(world).Skip(1).ToList());
                await StopAllAsync(world);
                world.Silent.Add(1);
                world.Silent.Add(2);
                _ = world.LiveAsync(0);
                await world.UntilAsync(() => world.Disks[0].FileExists("member/survey"));
                Decide(world, cluster, others);
                await world.PassAsync(pause);

                var request = new PromiseRequest
                {
                    Promise = new EpochPromise { Epoch = 7, Former = cluster, Founder = 8, FounderName = "m1" },
                    Held = new DurableEnd { Term = 99, LastTerm = 99, LastIndex = 99 },
                    MemberId = others[0],
                    IsByHand = true,
                };
                var answer = await world.Nodes[0]!.AnswerPeerAsync(new PeerCall("/cairn/recover/promise", request.ToByteArray()), default);
                if (answer.Status != 200 || !PromiseAnswer.Parser.ParseFrom(answer.Body.Span).IsPromised)
                {
                    return;
                }

                promised++;
                await world.PassAsync(TimeSpan.FromSeconds(20));
                Assert.Equal(cluster, world.Nodes[0]!.ClusterId);
            });
        }

        Assert.InRange(promised, 5, 20);
    }

    [Fact]
    public void Of_two_survivors_of_five_the_one_that_holds_more_founds_the_epoch() => ClusterWorld.Run(5, async world =>
    {
        await WriteMoreWithoutFirstAsync(world);
        var (cluster, lost) = (world.Nodes[0]!.ClusterId, IdsOf(world).Skip(2).ToList());
        await StopAllAsync(world);
        for (var i = 2; i < 5; i++)
        {
            world.Wipe(i);
        }

        // The person stands before the one that holds less.
        Decide(world, cluster, lost);
        for (var i = 0; i < 5; i++)
        {
            _ = world.LiveAsync(i);
        }

        await WholeAsync(world);
        Assert.Equal("1", await world.Nodes[0]!.GetAsync("more"));
    });

    [Fact]
    public void Who_has_promised_itself_founds_nothing_by_what_was_decided_before_although_the_founder_falls_silent() => ClusterWorld.Run(5, async world =>
    {
        await WriteMoreWithoutFirstAsync(world);
        var (cluster, others) = (world.Nodes[0]!.ClusterId, IdsOf(world).Skip(1).ToList());
        await StopAllAsync(world);

        // The person stands before the first, which heard nobody then: the second is given up, too, and founds the epoch.
        Decide(world, cluster, others);
        _ = world.LiveAsync(0);
        _ = world.LiveAsync(1);
        await world.UntilAsync(() => world.Nodes[1] is { } founder && founder.ClusterId != cluster);
        world.Cut(1, isCut: true);
        await world.PassAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(cluster, world.Nodes[0]!.ClusterId);

        world.Cut(1, isCut: false);
        await world.UntilAsync(() => world.Nodes[0] is { } other && other.ClusterId == world.Nodes[1]!.ClusterId);
    });

    [Fact]
    public void Old_members_that_elect_a_leader_before_they_hear_of_the_epoch_give_way_when_they_do() => ClusterWorld.Run(3, async world =>
    {
        await WriteAsync(world, "before");
        var (cluster, lost) = (world.Nodes[0]!.ClusterId, IdsOf(world).Skip(1).ToList());
        await StopAllAsync(world);
        Decide(world, cluster, lost);
        _ = world.LiveAsync(0);
        await world.UntilAsync(() => world.Nodes[0] is { } node && node.ClusterId != cluster && node.Look().IsLeader);
        await WriteAsync(world, "after");
        world.Cut(0, isCut: true);
        _ = world.LiveAsync(1);
        _ = world.LiveAsync(2);
        await world.UntilAsync(() => world.Nodes.Skip(1).Any(node => node?.Look().IsLeader ?? false));
        world.Cut(0, isCut: false);

        await WholeAsync(world);

        Assert.NotEqual(cluster, world.Nodes[1]!.ClusterId);
        Assert.Equal("1", await world.Nodes[1]!.GetAsync("after"));
    });

    [Fact]
    public void A_majority_that_answers_needs_nobody_to_recover_it() => ClusterWorld.Run(3, async world =>
    {
        await WriteAsync(world, "before");
        var cluster = world.Nodes[0]!.ClusterId;
        var lost = IdsOf(world).Skip(2).ToList();
        await world.StopAsync(2);
        Decide(world, cluster, lost);
        await world.PassAsync(TimeSpan.FromMinutes(1));
        await WriteAsync(world, "after");

        Assert.Equal(cluster, world.Nodes[0]!.ClusterId);
        Assert.False(world.Disks[0].FileExists("member/recover"));
    });

    [Fact]
    public void A_power_cut_at_any_moment_of_the_founding_leaves_the_old_directory_or_the_new_one()
    {
        var images = new DiskImages();
        ulong cluster = 0;
        ClusterWorld.Run(3, async world =>
        {
            for (var i = 0; i < KeysWritten; i++)
            {
                await WriteAsync(world, $"key-{i}");
            }

            (cluster, var lost) = (world.Nodes[0]!.ClusterId, IdsOf(world).Skip(1).ToList());
            await StopAllAsync(world);
            Decide(world, cluster, lost);
            await world.StartAsync(0);
            Assert.IsType<ReopenException>(await world.Nodes[0]!.Stopped);
            await world.StopAsync(0);
            images.Take(world.Disks);
        });
        var crashes = 0;
        for (var hasCrashed = true; hasCrashed; crashes += hasCrashed ? 1 : 0)
        {
            // What survives of what was not synced: nothing, all, and some, in turns.
            var mode = (CrashMode)(crashes % 3);
            ClusterWorld.Run(images, async world => hasCrashed = await CrashAsync(world, crashes + 1, mode, cluster));
        }

        TestContext.Current.SendDiagnosticMessage($"{crashes} power cuts");
        Assert.InRange(crashes, 20, 500);
    }

    private static async Task<bool> CrashAsync(ClusterWorld world, int at, CrashMode mode, ulong former)
    {
        var disk = world.Disks[0];
        disk.CrashAt(disk.Operations + at);
        var hasCrashed = false;
        try
        {
            await world.StartAsync(0);
            await world.UntilAsync(() => world.Nodes[0]!.Ready.IsCompleted);
            hasCrashed = world.Nodes[0]!.Stopped.IsCompleted;
        }
        catch (SimulatedCrashException)
        {
            hasCrashed = true;
        }

        disk.CrashAt(0);
        if (hasCrashed)
        {
            await world.StopAsync(0);
            disk.CutPower(mode);
            await world.StartAsync(0);
            await world.UntilAsync(() => world.Nodes[0]!.Ready.IsCompleted);
        }

        Assert.NotEqual(former, world.Nodes[0]!.ClusterId);
        for (var i = 0; i < KeysWritten; i++)
        {
            Assert.Equal("1", await world.Nodes[0]!.GetAsync($"key-{i}"));
        }

        await world.Nodes[0]!.PutAsync("after", "1");
        Assert.Contains("wal", disk.List($"quarantine/{Assert.Single(disk.List("quarantine"))}"));
        return hasCrashed;
    }

    private static IEnumerable<ulong> IdsOf(ClusterWorld world) => world.Nodes.Select(static node => node!.MemberId);

    /// <summary>Writes what `cairn recover` writes, on the first member's disk.</summary>
    private static void Decide(ClusterWorld world, ulong cluster, IReadOnlyCollection<ulong> lost, Survivor? best = null)
    {
        var wish = new RecoveryWish { ClusterId = cluster, LastTerm = best?.LastTerm ?? 0, LastIndex = best?.LastIndex ?? 0 };
        wish.GivenUp.AddRange(lost);
        world.Disks[0].Put("member/recover", wish.ToByteArray());
    }

    private static Node? Leader(ClusterWorld world) => world.Nodes.Where(node => node?.Look().IsLeader ?? false).MaxBy(node => node!.Look().Term);

    private static async Task WriteAsync(ClusterWorld world, string key)
    {
        await world.UntilAsync(() => Leader(world) is not null);
        await Leader(world)!.PutAsync(key, "1");
    }

    /// <summary>Writes something that the first member does not get, and the second does.</summary>
    private static async Task WriteMoreWithoutFirstAsync(ClusterWorld world)
    {
        await WriteAsync(world, "before");
        await world.UntilAsync(() => world.Nodes.All(node => node!.Look().Revision == 2));
        world.Cut(0, isCut: true);
        await world.UntilAsync(() => world.Nodes.Skip(1).Any(node => node!.Look().IsLeader));
        await WriteAsync(world, "more");
        await world.UntilAsync(() => world.Nodes[1]!.Look().AppliedIndex == Leader(world)!.Look().AppliedIndex);
    }

    private static async Task StopAllAsync(ClusterWorld world)
    {
        for (var i = 0; i < world.Nodes.Length; i++)
        {
            if (world.Nodes[i] is not null)
            {
                world.Cut(i, isCut: false);
            }

            await world.StopAsync(i);
        }
    }

    private static async Task<HealStatusResponse> StatusAsync(ClusterWorld world) => (await Leader(world)!.HealStatusAsync(new HealStatusRequest(), Anyone)).Value!;

    /// <summary>Waits until every disk has a voter of one cluster again, with the same state and with what was written at first.</summary>
    private static async Task WholeAsync(ClusterWorld world)
    {
        await world.UntilAsync(() => world.Nodes.All(node => node is { Stopped.IsCompleted: false, Ready.IsCompletedSuccessfully: true } && !node.Look().IsLearner)
            && world.Nodes.Select(node => (node!.ClusterId, node.Look().AppliedIndex)).Distinct().Count() == 1 && world.FindLeader() >= 0);
        foreach (var node in world.Nodes)
        {
            Assert.Equal("1", await node!.GetAsync("before", serializable: true));
        }
    }
}
