using Cairn.Protocol;
using Cairn.Server;
using Cairn.Tests.Server.Simulated;
using Xunit;
using static Cairn.Tests.Server.Simulated.NodeRequests;

namespace Cairn.Tests.Server.Nodes;

public sealed class SingleNodeTests
{
    [Fact]
    public void A_fresh_member_has_etcds_ids_revision_one_and_itself_for_a_leader() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();

        var status = (await node.StatusAsync(new StatusRequest(), Anyone)).Value!;

        Assert.Equal(0xcdf818194e3a8c32, status.Header.ClusterId);
        Assert.Equal(0x8e9e05c52164694d, status.Header.MemberId);
        Assert.Equal(1, status.Header.Revision);
        Assert.Equal(0x8e9e05c52164694d, status.Leader);
        Assert.Equal("3.6.14", status.Version);
        Assert.Empty(status.Errors);
    });

    [Fact]
    public void A_put_is_read_back_and_raises_the_revision_by_one() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();

        var put = await node.PutAsync("a", "1");

        Assert.Equal(2, put.Header.Revision);
        Assert.Equal("1", await node.GetAsync("a"));
        Assert.Equal("1", await node.GetAsync("a", serializable: true));
        Assert.Null(await node.GetAsync("b"));
    });

    [Fact]
    public void A_transaction_compares_writes_and_reads_its_own_writes() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        var txn = new TxnRequest
        {
            Compare = { new Compare { Key = Bytes("a"), Target = Compare.Types.CompareTarget.Create, Result = Compare.Types.CompareResult.Equal } },
            Success =
            {
                new RequestOp { RequestPut = new PutRequest { Key = Bytes("a"), Value = Bytes("1") } },
                new RequestOp { RequestRange = new RangeRequest { Key = Bytes("a") } },
            },
        };

        var answer = await node.TxnAsync(txn, Anyone);
        var again = await node.TxnAsync(txn, Anyone);

        Assert.True(answer.Value!.Succeeded);
        Assert.Equal(2, answer.Value.Responses[1].ResponseRange.Kvs[0].ModRevision);
        Assert.Equal(node.Look().MemberId, answer.Value.Header.MemberId);
        Assert.False(again.Value!.Succeeded);
    });

    [Fact]
    public void A_read_only_transaction_does_not_go_through_the_log() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        await node.PutAsync("a", "1");
        var before = node.Look().CommittedIndex;

        var answer = await node.TxnAsync(
            new TxnRequest { Success = { new RequestOp { RequestRange = new RangeRequest { Key = Bytes("a") } } } }, Anyone);

        Assert.Equal("1", answer.Value!.Responses[0].ResponseRange.Kvs[0].Value.ToStringUtf8());
        Assert.Equal(node.Look().ClusterId, answer.Value.Header.ClusterId);
        Assert.Equal(before, node.Look().CommittedIndex);
    });

    [Fact]
    public void Refusals_are_values() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        await node.PutAsync("a", "1");

        Assert.Equal(NodeError.EmptyKey, (await node.PutAsync(new PutRequest(), Anyone)).Error);
        Assert.Equal(NodeError.LeaseNotFound, (await node.PutAsync(new PutRequest { Key = Bytes("a"), Lease = 9 }, Anyone)).Error);
        Assert.Equal(NodeError.FutureRevision, (await node.RangeAsync(new RangeRequest { Key = Bytes("a"), Revision = 9 }, Anyone)).Error);
        Assert.Equal(NodeError.FutureRevision, (await node.CompactAsync(new CompactionRequest { Revision = 9 }, Anyone)).Error);
        Assert.Equal(NodeError.LeaseNotFound, (await node.LeaseRevokeAsync(new LeaseRevokeRequest { ID = 9 }, Anyone)).Error);
        Assert.Equal(NodeError.NotEnoughStartedMembers, (await node.MemberRemoveAsync(new MemberRemoveRequest { ID = node.Look().MemberId }, Anyone)).Error);
        Assert.Equal(NodeError.MemberNotFound, (await node.MemberRemoveAsync(new MemberRemoveRequest { ID = 1 }, Anyone)).Error);
        Assert.Equal(NodeError.InvalidMemberUrls, (await node.MemberAddAsync(new MemberAddRequest { PeerURLs = { "http://x:1/" } }, Anyone)).Error);
        Assert.Equal(NodeError.BadLeaderTransferee, (await node.MoveLeaderAsync(new MoveLeaderRequest { TargetID = 1 }, Anyone)).Error);
        Assert.Equal(NodeError.NoInflightDowngrade, (await node.DowngradeAsync(
            new DowngradeRequest { Action = DowngradeRequest.Types.DowngradeAction.Cancel }, Anyone)).Error);
    });

    [Fact]
    public void Every_refusal_of_the_state_machine_has_one_of_the_node()
    {
        Assert.All(Enum.GetValues<Cairn.State.StoreError>(), error => Assert.Equal(error.ToString(), error.ToNodeError().ToString()));
    }

    [Fact]
    public void A_request_above_the_limit_is_refused_before_it_is_proposed() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        var before = node.Look().CommittedIndex;

        var answer = await node.PutAsync(new PutRequest { Key = Bytes("a"), Value = Bytes(new string('x', 1536 * 1024)) }, Anyone);

        Assert.Equal(NodeError.RequestTooLarge, answer.Error);
        Assert.Equal(before, node.Look().CommittedIndex);
    });

    [Fact]
    public void Membership_answers_show_no_revision_and_the_published_attributes() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();

        var list = (await node.MemberListAsync(new MemberListRequest { Linearizable = true }, Anyone)).Value!;

        Assert.Equal(0, list.Header.Revision);
        Assert.NotEqual(0UL, list.Header.RaftTerm);
        var self = Assert.Single(list.Members);
        Assert.Equal(("default", "http://localhost:2379", "http://localhost:2380"), (self.Name, self.ClientURLs[0], self.PeerURLs[0]));
    });

    [Fact]
    public void Learners_come_and_go_while_the_voter_serves() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        var first = await node.MemberAddAsync(new MemberAddRequest { PeerURLs = { "http://b:2380" }, IsLearner = true }, Anyone);
        var second = await node.MemberAddAsync(new MemberAddRequest { PeerURLs = { "http://c:2380" }, IsLearner = true }, Anyone);
        var again = await node.MemberAddAsync(new MemberAddRequest { PeerURLs = { "http://b:2380" }, IsLearner = true }, Anyone);
        await node.PutAsync("a", "1");

        Assert.Equal(2, first.Value!.Members.Count);
        Assert.True(first.Value.Member.IsLearner);
        Assert.Equal(NodeError.TooManyLearners, second.Error);
        Assert.NotEqual(NodeError.None, again.Error);
        Assert.Equal(NodeError.LearnerNotReady, (await node.MemberPromoteAsync(new MemberPromoteRequest { ID = first.Value.Member.ID }, Anyone)).Error);
        var removed = await node.MemberRemoveAsync(new MemberRemoveRequest { ID = first.Value.Member.ID }, Anyone);
        Assert.Single(removed.Value!.Members);
        Assert.Equal(0, removed.Value.Header.Revision);
    });

    [Fact]
    public void Membership_changes_at_the_same_time_all_get_an_answer() => SingleNodeWorld.Run(async world =>
    {
        world.Options = world.Options with { LearnersMax = 10 };
        await using var node = await world.StartAsync();

        var answers = new List<Task<Answer<MemberAddResponse>>>();
        for (var i = 0; i < 5; i++)
        {
            answers.Add(node.MemberAddAsync(new MemberAddRequest { PeerURLs = { $"http://m{i}:2380" }, IsLearner = true }, Anyone).AsTask());
        }

        foreach (var answer in answers)
        {
            Assert.Equal(NodeError.None, (await answer).Error);
        }
    });

    [Fact]
    public void A_row_that_rotted_is_never_served_and_everything_else_is() => SingleNodeWorld.Run(async world =>
    {
        await using (var before = await world.StartAsync())
        {
            await before.PutAsync("a", new string('x', 1000));
        }

        var segment = world.Disk.List("member/store").Single(name => name.EndsWith(".segment", StringComparison.Ordinal));
        await using var node = await world.StartAsync();
        world.Disk.FlipBit($"member/store/{segment}", 8 * 600);

        await Assert.ThrowsAsync<Cairn.Storage.CorruptionException>(() => node.GetAsync("a"));

        await Assert.ThrowsAsync<Cairn.Storage.CorruptionException>(() => node.GetAsync("a"));
        await node.PutAsync("a", "anew");
        Assert.Equal("anew", await node.GetAsync("a"));
    });

    [Fact]
    public void Everything_acknowledged_is_there_after_a_restart() => SingleNodeWorld.Run(async world =>
    {
        long lease;
        await using (var node = await world.StartAsync())
        {
            lease = await node.GrantAsync(60);
            await node.PutAsync("a", "1");
            await node.PutAsync("a", "2", lease);
            await node.PutAsync("b", "1");
            await node.DeleteAsync("b");
        }

        await using var again = await world.StartAsync();

        Assert.Equal("2", await again.GetAsync("a"));
        Assert.Null(await again.GetAsync("b"));
        Assert.Equal(5, again.Look().Revision);
        var ttl = (await again.LeaseTimeToLiveAsync(new LeaseTimeToLiveRequest { ID = lease, Keys = true }, Anyone)).Value!;
        Assert.Equal((60, "a"), (ttl.GrantedTTL, ttl.Keys[0].ToStringUtf8()));
        Assert.Equal(6, (await again.PutAsync("c", "1")).Header.Revision);
    });

    [Fact]
    public void A_killed_process_comes_back_with_its_history() => SingleNodeWorld.Run(async world =>
    {
        var node = await world.StartAsync();
        for (var i = 0; i < 500; i++)
        {
            await node.PutAsync($"key-{i % 50}", $"{i}");
        }

        world.Disk.Kill();
        await node.DisposeAsync();
        await using var again = await world.StartAsync();
        using var stream = again.OpenWatchStream(Anyone);
        await stream.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("key-7"), StartRevision = 2 } }, default);

        var events = await PullAsync(stream, 10);

        Assert.Equal(Enumerable.Range(0, 10).Select(round => $"{(round * 50) + 7}"), events.Select(change => change.Kv.Value.ToStringUtf8()));
    });

    [Fact]
    public void A_watch_hears_of_a_put_without_being_asked_again() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        using var stream = node.OpenWatchStream(Anyone);
        await stream.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("a") } }, default);
        await node.PutAsync("a", "1");

        Assert.Equal("1", (await PullAsync(stream, 1))[0].Kv.Value.ToStringUtf8());
    });

    [Fact]
    public void A_compaction_cancels_reads_below_and_space_comes_back() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();
        for (var i = 0; i < 2000; i++)
        {
            await node.PutAsync($"key-{i % 10}", new string('x', 100));
        }

        var full = node.Look();
        var compact = await node.CompactAsync(new CompactionRequest { Revision = full.Revision, Physical = true }, Anyone);
        Assert.Equal(NodeError.None, compact.Error);
        Assert.Equal(NodeError.Compacted, (await node.RangeAsync(new RangeRequest { Key = Bytes("key-1"), Revision = 5 }, Anyone)).Error);
        Assert.Equal(NodeError.None, (await node.DefragmentAsync(new DefragmentRequest(), Anyone)).Error);

        var lean = node.Look();
        Assert.True(lean.DatabaseBytesInUse < full.DatabaseBytesInUse / 50);
        Assert.True(lean.DatabaseBytes < full.DatabaseBytes / 4, $"{lean.DatabaseBytes} of {full.DatabaseBytes} bytes");
        Assert.Equal(new string('x', 100), await node.GetAsync("key-9"));
    });

    [Fact]
    public void The_quota_refuses_puts_lets_deletes_through_and_clears_itself() => SingleNodeWorld.Run(async world =>
    {
        world.Options = world.Options with { QuotaBytes = 100_000 };
        await using var node = await world.StartAsync();
        var lease = await node.GrantAsync(600);
        var count = 0;
        var error = NodeError.None;
        while (error == NodeError.None)
        {
            error = (await node.PutAsync(new PutRequest { Key = Bytes($"key-{count++:d5}"), Value = Bytes(new string('x', 900)) }, Anyone)).Error;
        }

        Assert.Equal(NodeError.NoSpace, error);
        await world.PassAsync(TimeSpan.FromSeconds(1));
        Assert.Single(node.Look().Alarms);
        Assert.Equal(NodeError.NoSpace, (await node.LeaseGrantAsync(new LeaseGrantRequest { TTL = 60 }, Anyone)).Error);
        Assert.Equal(600, await node.RenewAsync(lease));
        var delete = await node.DeleteRangeAsync(new DeleteRangeRequest { Key = Bytes("key-"), RangeEnd = Bytes("key.") }, Anyone);
        Assert.Equal(count - 1, delete.Value!.Deleted);
        Assert.Equal(NodeError.None, (await node.CompactAsync(new CompactionRequest { Revision = node.Look().Revision }, Anyone)).Error);

        await world.PassAsync(TimeSpan.FromSeconds(10));

        Assert.Empty(node.Look().Alarms);
        await node.PutAsync("a", "1");
    });

    [Fact]
    public void Compaction_by_revision_keeps_what_a_slow_watcher_still_has_to_read() => SingleNodeWorld.Run(async world =>
    {
        world.Options = world.Options with { CompactionMode = CompactionMode.Revision, CompactionRevisions = 10 };
        await using var node = await world.StartAsync();
        for (var i = 0; i < 100; i++)
        {
            await node.PutAsync("a", $"{i}");
        }

        using var slow = node.OpenWatchStream(Anyone);
        await slow.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = Bytes("a"), StartRevision = 40 } }, default);
        await world.PassAsync(TimeSpan.FromMinutes(6));
        Assert.Equal(40, node.Look().CompactedRevision);

        Assert.Equal(62, (await PullAsync(slow, 62)).Count);
        await world.PassAsync(TimeSpan.FromMinutes(6));
        Assert.Equal(91, node.Look().CompactedRevision);
    });

    [Fact]
    public void Requests_after_the_stop_are_refused() => SingleNodeWorld.Run(async world =>
    {
        var node = await world.StartAsync();
        await node.DisposeAsync();

        Assert.Equal(NodeError.Stopped, (await node.PutAsync(new PutRequest { Key = Bytes("a") }, Anyone)).Error);
        Assert.Equal(NodeError.Stopped, (await node.RangeAsync(new RangeRequest { Key = Bytes("a") }, Anyone)).Error);
        Assert.Equal(NodeError.Stopped, node.OpenWatchStream(Anyone).Ended);
        Assert.Null(await node.Stopped);
    });

    [Fact]
    public void Two_processes_cannot_have_one_data_directory() => SingleNodeWorld.Run(async world =>
    {
        await using var node = await world.StartAsync();

        await Assert.ThrowsAsync<IOException>(world.StartAsync);
    });

    [Fact]
    public void A_log_that_is_gone_is_not_made_anew() => SingleNodeWorld.Run(async world =>
    {
        await using (var node = await world.StartAsync())
        {
            await node.PutAsync("a", "1");
        }

        foreach (var name in world.Disk.List("member/wal"))
        {
            world.Disk.Delete($"member/wal/{name}");
        }

        await Assert.ThrowsAsync<Cairn.Storage.CorruptionException>(world.StartAsync);
    });

    private static async Task<List<Event>> PullAsync(Cairn.Server.Watch.WatchStream stream, int count)
    {
        var events = new List<Event>();
        while (events.Count < count)
        {
            Assert.True(await stream.WaitAsync(default));
            while (stream.TryTake(out var delivery))
            {
                events.AddRange(delivery.ToMessage().Events);
            }
        }

        return events;
    }
}
