using Cairn.Protocol;
using Cairn.Server.Watch;
using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Server.Watch;

public sealed class WatchStreamTests
{
    private readonly WatchBench _bench = new();

    [Fact]
    public void Created_comes_first_and_shows_the_revision_of_now()
    {
        _bench.Put("a");
        using var stream = _bench.Open();
        stream.Create("a");
        _bench.Put("a");
        _bench.Hub.Dispatch();

        var pulled = stream.Pull();

        Assert.Equal(2, pulled.Count);
        Assert.True(pulled[0].Created);
        Assert.Equal(2, pulled[0].Header.Revision);
        Assert.Equal("put a@3", WatchStreamRequests.Describe(Assert.Single(pulled[1].Events)));
        Assert.Equal(3, pulled[1].Header.Revision);
    }

    [Fact]
    public void Who_waits_for_what_nobody_can_have_seen_is_told_that_it_is_compacted()
    {
        _bench.Put("a");
        using var stream = _bench.Open();
        stream.Create("a", start: 2 + 1_000_000);
        stream.Create("a", start: 2 + 1_000_001);

        var pulled = stream.Pull();

        Assert.Equal([true, true, false], pulled.Select(response => response.Created));
        Assert.Equal((1L, true, 2L), (pulled[2].WatchId, pulled[2].Canceled, pulled[2].CompactRevision));
    }

    [Fact]
    public void A_live_watcher_gets_a_response_for_each_revision()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        _bench.Put("a");
        _bench.Put("a");
        _bench.Put("a");
        _bench.Hub.Dispatch();

        var pulled = stream.Pull();

        Assert.Equal([1, 2, 3, 4], pulled.Select(response => response.Header.Revision));
        Assert.All(pulled.Skip(1), response => Assert.Single(response.Events));
    }

    [Fact]
    public void History_comes_in_one_response_that_shows_the_revision_of_now()
    {
        _bench.Put("a");
        _bench.Put("b");
        _bench.Put("a");
        _bench.Put("b");
        _bench.Hub.Dispatch();
        using var stream = _bench.Open();
        stream.Create("a", start: 2);

        var pulled = stream.Pull();

        Assert.Equal(2, pulled.Count);
        Assert.Equal(["put a@2", "put a@4"], pulled[1].Events.Select(WatchStreamRequests.Describe));
        Assert.Equal(5, pulled[1].Header.Revision);
    }

    [Fact]
    public void Ids_count_up_skip_what_is_taken_and_are_not_used_again()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes("a"), WatchId = 1 });
        stream.Create("a");
        stream.Cancel(0);
        stream.Create("a");
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes("a"), WatchId = -7 });

        var created = stream.Pull().Where(response => response.Created).Select(response => response.WatchId);

        Assert.Equal([0, 1, 2, 3, -7], created);
    }

    [Fact]
    public void A_taken_id_is_refused_with_id_minus_one()
    {
        using var stream = _bench.Open();
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes("a"), WatchId = 5 });
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes("b"), WatchId = 5 });

        var refused = stream.Pull()[1];

        Assert.True(refused is { Created: true, Canceled: true, WatchId: -1 });
        Assert.Equal("mvcc: duplicate watch ID provided on the WatchStream", refused.CancelReason);
    }

    [Theory]
    [InlineData("b", "b")]
    [InlineData("b", "a")]
    public void An_empty_range_is_refused(string key, string end)
    {
        using var stream = _bench.Open();
        stream.Create(key, end);

        var refused = Assert.Single(stream.Pull());

        Assert.True(refused is { Created: true, Canceled: true, WatchId: -1 });
        Assert.Equal("mvcc: watcher range is empty", refused.CancelReason);
    }

    [Fact]
    public void Ranges_single_keys_and_everything_get_what_is_theirs()
    {
        using var stream = _bench.Open();
        stream.Create("b");
        stream.Create("b", "d");
        stream.Create("c", "\0");
        stream.Create("", "\0");
        _bench.Put("a");
        _bench.Put("b");
        _bench.Put("c");
        _bench.Put("d");
        _bench.Hub.Dispatch();

        var events = stream.Pull().Where(response => response.Events.Count > 0)
            .Select(response => $"{response.WatchId}:{response.Events[0].Kv.Key.ToStringUtf8()}").Order();

        Assert.Equal(["0:b", "1:b", "1:c", "2:c", "2:d", "3:a", "3:b", "3:c", "3:d"], events);
    }

    [Fact]
    public void Filters_drop_kinds_and_a_response_of_nothing_is_not_sent()
    {
        using var stream = _bench.Open();
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes("a"), Filters = { WatchCreateRequest.Types.FilterType.Noput } });
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes("a"), Filters = { WatchCreateRequest.Types.FilterType.Nodelete } });
        _bench.Put("a");
        _bench.Delete("a");
        _bench.Hub.Dispatch();

        var events = stream.Pull().Skip(2).Select(response => $"{response.WatchId}:{WatchStreamRequests.Describe(response.Events[0])}");

        Assert.Equal(["1:put a@2", "0:delete a@3"], events);
    }

    [Fact]
    public void Previous_rows_come_with_puts_and_deletes_but_not_with_creations()
    {
        using var stream = _bench.Open();
        stream.Create("a", previous: true);
        _bench.Put("a", "1");
        _bench.Put("a", "2");
        _bench.Delete("a");
        _bench.Hub.Dispatch();

        var events = stream.Pull().SelectMany(response => response.Events).ToList();

        Assert.Null(events[0].PrevKv);
        Assert.Equal("1", events[1].PrevKv.Value.ToStringUtf8());
        Assert.Equal("2", events[2].PrevKv.Value.ToStringUtf8());
        Assert.Equal((0, 4, 0), (events[2].Kv.CreateRevision, events[2].Kv.ModRevision, events[2].Kv.Version));
    }

    [Fact]
    public void Previous_rows_of_history_come_too_unless_they_were_compacted()
    {
        _bench.Put("a", "1");
        _bench.Put("a", "2");
        _bench.Put("a", "3");
        _bench.OverflowRing();
        _bench.Compact(3);
        _bench.Hub.Dispatch();
        using var stream = _bench.Open();
        stream.Create("a", start: 3, previous: true);

        var events = stream.Pull().SelectMany(response => response.Events).ToList();

        Assert.Equal(["put a@3", "put a@4"], events.Select(WatchStreamRequests.Describe));
        Assert.Null(events[0].PrevKv);
        Assert.Equal("2", events[1].PrevKv.Value.ToStringUtf8());
    }

    [Fact]
    public void All_changes_of_a_transaction_come_in_one_response()
    {
        using var stream = _bench.Open();
        stream.Create("", "\0");
        _bench.PutTogether("a", "b", "c");
        _bench.Hub.Dispatch();

        Assert.Equal(["put a@2", "put b@2", "put c@2"], stream.Pull()[1].Events.Select(WatchStreamRequests.Describe));
    }

    [Fact]
    public void A_large_response_is_split_between_events_only_for_who_allows_it()
    {
        var bench = new WatchBench(requestBytesMax: 1000);
        var value = new string('x', 300_000);
        bench.Put("a", value);
        bench.Put("b", value);
        bench.Put("c", value);
        bench.Hub.Dispatch();
        using var stream = bench.Open();
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes(""), RangeEnd = NodeRequests.Bytes("\0"), Fragment = true, StartRevision = 2 });
        stream.Create("", "\0", start: 2);

        var pulled = stream.Pull();

        var split = pulled.Where(response => response.WatchId == 0 && !response.Created).ToList();
        Assert.Equal([true, true, false], split.Select(response => response.Fragment));
        Assert.All(split, response => Assert.Single(response.Events));
        var whole = Assert.Single(pulled, response => response.WatchId == 1 && !response.Created);
        Assert.Equal(3, whole.Events.Count);
        Assert.False(whole.Fragment);
    }

    [Fact]
    public void Cancelling_is_answered_for_known_ids_and_silent_for_unknown_ones()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        stream.Cancel(0);
        stream.Cancel(0);
        stream.Cancel(77);
        _bench.Put("a");
        _bench.Hub.Dispatch();

        var pulled = stream.Pull();

        Assert.Equal(2, pulled.Count);
        Assert.True(pulled[1] is { Canceled: true, WatchId: 0, CancelReason: "" });
        Assert.Equal(0, _bench.Hub.WatcherCount);
    }

    [Fact]
    public void A_start_below_the_compacted_revision_is_created_and_then_cancelled()
    {
        _bench.Put("a");
        _bench.Put("a");
        _bench.Put("a");
        _bench.Compact(3);
        using var stream = _bench.Open();
        stream.Create("a", start: 2);

        var pulled = stream.Pull();

        Assert.Equal(2, pulled.Count);
        Assert.True(pulled[0] is { Created: true, Canceled: false });
        Assert.True(pulled[1] is { Canceled: true, CompactRevision: 3, CancelReason: "", Header.Revision: 0 });
    }

    [Fact]
    public void Periodic_progress_is_for_watchers_that_want_it_and_had_no_events()
    {
        using var stream = _bench.Open();
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes("a"), ProgressNotify = true });
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes("b"), ProgressNotify = true });
        stream.Create("c");
        _bench.Put("a");
        _bench.Hub.Dispatch();
        stream.Pull();

        _bench.Hub.AnnounceProgress();
        var first = stream.Pull();
        _bench.Hub.AnnounceProgress();
        var second = stream.Pull();

        Assert.Equal((1, 2), (Assert.Single(first).WatchId, first[0].Header.Revision));
        Assert.Equal([0, 1], second.Select(response => response.WatchId));
    }

    [Fact]
    public void A_watcher_from_now_on_is_told_progress_though_nothing_has_changed_since()
    {
        using var stream = _bench.Open();
        _bench.Put("a");
        _bench.Hub.Dispatch();
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes("b"), ProgressNotify = true });
        stream.Pull();

        _bench.Hub.AnnounceProgress();
        var periodic = Assert.Single(stream.Pull());
        stream.AskForProgress();
        var manual = Assert.Single(stream.Pull());

        Assert.Equal((0, 2), (periodic.WatchId, periodic.Header.Revision));
        Assert.Equal((-1, 2), (manual.WatchId, manual.Header.Revision));
    }

    [Fact]
    public void Progress_of_a_stream_without_watchers_is_silent()
    {
        using var stream = _bench.Open();
        stream.AskForProgress();

        Assert.Empty(stream.Pull());
    }

    [Fact]
    public void Progress_waits_for_the_dispatcher_and_tells_at_least_the_revision_of_the_request()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        stream.Pull();
        _bench.Put("b");
        stream.AskForProgress();
        Assert.Empty(stream.Pull());

        _bench.Hub.Dispatch();

        var progress = Assert.Single(stream.Pull());
        Assert.Equal((-1, 2), (progress.WatchId, progress.Header.Revision));
    }

    [Fact]
    public void A_watcher_that_fell_off_the_ring_reads_the_rest_in_bounded_pages()
    {
        using var stream = _bench.Open();
        stream.Create("", "\0");
        _bench.Put("a");
        _bench.Hub.Dispatch();
        _bench.OverflowRing();
        _bench.Hub.Dispatch();

        var responses = stream.Pull().Where(response => response.Events.Count > 0).ToList();

        var revisions = responses.SelectMany(response => response.Events).Select(change => change.Kv.ModRevision).ToList();
        Assert.Equal(Enumerable.Range(2, WatchLimits.RingRevisionsCapacity + 2).Select(revision => (long)revision), revisions);
        Assert.All(responses, response => Assert.True(response.Events.Count <= WatchLimits.BatchRevisionsMax));
    }

    [Fact]
    public void A_dispatcher_that_is_a_whole_ring_behind_loses_nothing()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        _bench.Put("a");
        _bench.OverflowRing();
        _bench.Put("a");
        _bench.Hub.Dispatch();

        Assert.Equal(["put a@2", $"put a@{WatchLimits.RingRevisionsCapacity + 4}"], stream.PullEvents());
    }

    [Fact]
    public void A_client_that_does_not_read_answers_cannot_pile_them_up()
    {
        using var stream = _bench.Open();
        var last = Task.CompletedTask;
        var taken = 0;
        while (last.IsCompleted && taken < 10 * WatchLimits.ControlCapacity)
        {
            last = stream.RequestAsync(new WatchRequest { CreateRequest = new WatchCreateRequest { Key = NodeRequests.Bytes("a") } }, default).AsTask();
            taken++;
        }

        Assert.Equal(WatchLimits.ControlCapacity + 1, taken);
    }

    [Fact]
    public async Task An_ended_stream_says_why_and_takes_nothing_more()
    {
        using var stream = _bench.Open();
        _bench.Hub.EndStreams(requireLeaderOnly: true, Cairn.Server.NodeError.NoLeader);
        Assert.Equal(Cairn.Server.NodeError.None, stream.Ended);

        _bench.Hub.EndStreams(requireLeaderOnly: false, Cairn.Server.NodeError.Stopped);

        Assert.Equal(Cairn.Server.NodeError.Stopped, stream.Ended);
        Assert.False(await stream.WaitAsync(default));
    }
}
