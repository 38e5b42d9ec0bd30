using Cairn.Protocol;
using Cairn.Server;
using Cairn.Server.Peers;
using Cairn.Server.Transfer;
using Cairn.Storage;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Transfer;

/// <summary>A member that needs what the log does not have any more is fed, and is like the others afterwards.</summary>
public sealed class StateTransferTests
{
    [Fact]
    public void A_follower_far_behind_the_log_is_fed() => ClusterWorld.Run(3, async world =>
    {
        var (leader, behind) = await LeaveBehindAsync(world);

        await world.StartAsync(behind);

        await world.UntilAsync(() => IsInSync(world));
        Assert.Equal(await HashAsync(leader), await HashAsync(world.Nodes[behind]!));
        Assert.True(world.Asked[StateTransfer.PullPath] > 10);
        await world.Nodes[behind]!.PutAsync("after", "1");
        Assert.Equal("1", await leader.GetAsync("after"));
    }, catchUpEntries: 10);

    [Fact]
    public void A_follower_learns_of_deletions_that_a_compaction_made_forget() => ClusterWorld.Run(3, async world =>
    {
        await world.Nodes[0]!.PutAsync("gone", "1");
        await world.Nodes[0]!.PutAsync("kept", "1");
        var (leader, behind) = await LeaveBehindAsync(world);
        await leader.DeleteAsync("gone");
        var revision = (await leader.PutAsync("last", "1")).Header.Revision;
        Assert.Equal(NodeError.None, (await leader.CompactAsync(new CompactionRequest { Revision = revision, Physical = true }, Anyone)).Error);

        await world.StartAsync(behind);

        await world.UntilAsync(() => IsInSync(world));
        Assert.Equal(await HashAsync(leader), await HashAsync(world.Nodes[behind]!));
        Assert.Null(await world.Nodes[behind]!.GetAsync("gone", serializable: true));
        Assert.Equal("1", await world.Nodes[behind]!.GetAsync("kept", serializable: true));
        await world.StopAsync(behind);
        await world.StartAsync(behind);
        await world.UntilAsync(() => IsInSync(world));
        Assert.Equal(await HashAsync(leader), await HashAsync(world.Nodes[behind]!));
        Assert.Null(await world.Nodes[behind]!.GetAsync("gone", serializable: true));
    }, catchUpEntries: 10);

    [Fact]
    public void A_damaged_index_brings_nothing_back_that_a_transfer_made_forget() => ClusterWorld.Run(3, async world =>
    {
        await world.Nodes[0]!.PutAsync("gone", "1");
        var (leader, behind) = await LeaveBehindAsync(world);
        await leader.DeleteAsync("gone");
        var revision = (await leader.PutAsync("last", "1")).Header.Revision;
        Assert.Equal(NodeError.None, (await leader.CompactAsync(new CompactionRequest { Revision = revision, Physical = true }, Anyone)).Error);
        await world.StartAsync(behind);
        await world.UntilAsync(() => IsInSync(world));
        await world.StopAsync(behind);
        var disk = world.Disks[behind];
        foreach (var name in disk.List("member/store").Where(name => name.EndsWith(".checkpoint", StringComparison.Ordinal)))
        {
            disk.FlipBit($"member/store/{name}", 8 * 100);
        }

        var refusal = await Record.ExceptionAsync(() => world.StartAsync(behind));

        // If the cleaner has been there, the rows alone say it too.
        Assert.True(refusal is CorruptionException || await world.Nodes[behind]!.GetAsync("gone", serializable: true) is null, $"{refusal}");
    }, catchUpEntries: 10);

    [Fact]
    public void A_follower_whose_last_row_cannot_be_read_is_fed_all() => ClusterWorld.Run(3, async world =>
    {
        await world.Nodes[0]!.PutAsync("last", "the last that it has");
        await SampleKeys.ForgetAsync(world);
        await world.UntilAsync(() => IsInSync(world) && world.FindLeader() >= 0);
        var leader = world.Nodes[world.FindLeader()]!;
        var behind = (world.FindLeader() + 1) % 3;
        world.Cut(behind, isCut: true);
        await PutManyAsync(leader);

        // Only what describes its state reads the row: a start would find the damage before.
        Assert.True(Rot.FlipText(world.Disks[behind], "member/store", "the last that it has"));
        world.Cut(behind, isCut: false);

        await world.UntilAsync(() => IsInSync(world));
        Assert.False(world.Nodes[behind]!.Stopped.IsCompleted);
        Assert.Equal("the last that it has", await world.Nodes[behind]!.GetAsync("last", serializable: true));
        Assert.Equal(await HashAsync(leader), await HashAsync(world.Nodes[behind]!));
    }, catchUpEntries: 10);

    /// <summary>The cluster learns where the leader is only once it commits again, for which it needs the one that is behind.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_follower_is_fed_by_a_leader_that_is_known_where_nobody_or_a_copy_of_it_is(bool hasCopy) => ClusterWorld.Run(3, async world =>
    {
        var (leader, behind) = await LeaveBehindAsync(world);
        var (id, known) = (leader.MemberId, world.FindLeader());
        var place = 3 - known - behind;
        await world.StopAsync(place);
        await world.StopAsync(known);
        world.Disks[place] = world.Disks[known].Copy();

        await world.StartAsync(place);
        await world.StartAsync(behind);
        if (hasCopy)
        {
            await world.StartAsync(known);
        }

        await world.UntilAsync(() => world.Nodes[behind]!.Look() is { Revision: > 1300 });
        Assert.Equal(id, world.Nodes[place]!.MemberId);
        await world.Nodes[behind]!.PutAsync("after", "1");
        Assert.Equal("1", await world.Nodes[place]!.GetAsync("after"));
    }, catchUpEntries: 10, options: new NodeOptions { QuotaBytes = -1, PublishesPeerUrls = true });

    /// <summary>It cannot see what became of its telling the cluster where it is before it has the state.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_follower_far_behind_the_log_that_is_known_where_nobody_or_a_copy_of_it_is_is_fed(bool hasCopy) => ClusterWorld.Run(4, async world =>
    {
        var (leader, behind) = await LeaveBehindAsync(world);
        var place = (world.FindLeader() + 2) % 4;
        var (id, lost) = (MembersOf(leader).First(member => member.PeerURLs[0] == $"http://m{behind}:2380").ID, world.Nodes[place]!.MemberId);
        await world.StopAsync(place);
        world.Disks[place] = world.Disks[behind].Copy();

        await world.StartAsync(place);
        if (hasCopy)
        {
            await world.StartAsync(behind);
        }

        await world.UntilAsync(() => world.Nodes[place]!.Look().AppliedIndex == leader.Look().AppliedIndex);
        Assert.Equal(id, world.Nodes[place]!.MemberId);
        await world.UntilAsync(() => AddressOf(leader, id) == $"http://m{place}:2380" && AddressOf(leader, lost) == $"http://m{behind}:2380");
    }, catchUpEntries: 10, options: new NodeOptions { QuotaBytes = -1, PublishesPeerUrls = true });

    [Fact]
    public void A_learner_that_stands_elsewhere_before_it_was_ever_fed_is_found_there() => ClusterWorld.Run(4, async world =>
    {
        var (leader, wiped) = await LeaveBehindAsync(world);
        var place = (world.FindLeader() + 2) % 4;
        var (known, lost) = (world.Nodes.Select(static node => node?.MemberId ?? 0).ToList(), world.Nodes[place]!.MemberId);
        world.Wipe(wiped);
        world.Tamper = static (call, answer) => call.Path == StateTransfer.PullPath ? PeerAnswer.None : answer;
        _ = world.StartAsync(wiped);
        await world.UntilAsync(() => world.Nodes[wiped] is { } started && started.Look().LeaderId != 0);
        var id = world.Nodes[wiped]!.MemberId;
        Assert.Equal(0UL, world.Nodes[wiped]!.Look().AppliedIndex);
        await world.StopAsync(wiped);
        await world.StopAsync(place);
        world.Disks[place] = world.Disks[wiped].Copy();
        world.Tamper = static (_, answer) => answer;

        await world.StartAsync(place);

        Assert.DoesNotContain(id, known);
        await world.UntilAsync(() => world.Nodes[place]!.Look().AppliedIndex == leader.Look().AppliedIndex && AddressOf(leader, id) == $"http://m{place}:2380");
        Assert.Equal(id, world.Nodes[place]!.MemberId);
        await world.UntilAsync(() => AddressOf(leader, lost) == $"http://m{wiped}:2380" && !world.Nodes[place]!.Look().IsLearner);
    }, catchUpEntries: 10, options: new NodeOptions { QuotaBytes = -1, PublishesPeerUrls = true });

    [Fact]
    public void A_small_lag_is_served_from_the_log_even_after_a_restart_of_everybody_else() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var behind = (leader + 1) % 3;
        await world.StopAsync(behind);
        for (var i = 0; i < 50; i++)
        {
            await world.Nodes[leader]!.PutAsync($"key-{i}", $"{i}");
        }

        foreach (var other in Enumerable.Range(0, 3).Where(other => other != behind))
        {
            await world.StopAsync(other);
            await world.StartAsync(other);
        }

        await world.StartAsync(behind);

        await world.UntilAsync(() => IsInSync(world));
        Assert.Equal("49", await world.Nodes[behind]!.GetAsync("key-49"));
        Assert.DoesNotContain(StateTransfer.OfferPath, world.Asked.Keys);
    });

    [Fact]
    public void Etcd_15271_a_watcher_on_the_member_that_is_fed_misses_nothing_and_sees_nothing_twice() => ClusterWorld.Run(3, async world =>
    {
        var leader = world.FindLeader();
        var behind = (leader + 1) % 3;
        using var stream = world.Nodes[behind]!.OpenWatchStream(Anyone);
        await stream.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("key"), RangeEnd = Bytes("kez") } }, default);
        await world.Nodes[leader]!.PutAsync("key-first", "1");
        world.Cut(behind, isCut: true);
        for (var i = 0; i < 1300; i++)
        {
            await world.Nodes[leader]!.PutAsync($"key-{i % 300}", $"{i}");
        }

        world.Cut(behind, isCut: false);
        await world.UntilAsync(() => IsInSync(world));
        var last = (await world.Nodes[leader]!.PutAsync("key-last", "1")).Header.Revision;
        var seen = new List<long>();
        while (seen.LastOrDefault() != last)
        {
            Assert.True(await stream.WaitAsync(default));
            while (stream.TryTake(out var delivery))
            {
                seen.AddRange(delivery.ToMessage().Events.Select(change => change.Kv.ModRevision));
            }
        }

        Assert.Contains(StateTransfer.PullPath, world.Asked.Keys);
        Assert.Equal(Enumerable.Range(0, 1302).Select(i => last - 1301 + i), seen);
    }, catchUpEntries: 10);

    /// <summary>Stops a follower and writes so much that the log forgets what it lacks.</summary>
    internal static async Task<(Node Leader, int Behind)> LeaveBehindAsync(ClusterWorld world)
    {
        var leader = world.FindLeader();
        var behind = (leader + 1) % world.Nodes.Length;
        await world.StopAsync(behind);
        await PutManyAsync(world.Nodes[leader]!);
        return (world.Nodes[leader]!, behind);
    }

    private static async Task PutManyAsync(Node leader)
    {
        for (var i = 0; i < 1300; i++)
        {
            await leader.PutAsync($"key-{i % 300}", $"{i}");
        }
    }

    private static Google.Protobuf.Collections.RepeatedField<Member> MembersOf(Node node)
    {
        var answer = node.MemberListAsync(new MemberListRequest(), Anyone).AsTask();
        Assert.True(answer.IsCompletedSuccessfully, "what the member itself knows is not waited for");
        return answer.Result.Value!.Members;
    }

    private static string AddressOf(Node node, ulong id) => MembersOf(node).First(member => member.ID == id).PeerURLs[0];

    internal static bool IsInSync(ClusterWorld world) =>
        world.Nodes.All(node => node is not null && node.Look().LeaderId != 0)
        && world.Nodes.Select(node => node!.Look().AppliedIndex).Distinct().Count() == 1;

    internal static async Task<(uint Hash, long Revision, long Compacted)> HashAsync(Node node)
    {
        var answer = await node.HashKvAsync(new HashKVRequest(), Anyone);
        Assert.Equal(NodeError.None, answer.Error);
        return (answer.Value!.Hash, answer.Value.HashRevision, answer.Value.CompactRevision);
    }
}
