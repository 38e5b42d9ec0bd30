using Cairn.Protocol;
using Cairn.Tests.Server.Simulated;
using Xunit;

namespace Cairn.Tests.Server.Watch;

/// <summary>What etcd got wrong once, each as a test (the numbers are those of its issues).</summary>
public sealed class HistoricWatchBugTests
{
    private readonly WatchBench _bench = new();

    [Fact]
    public void Etcd_15220_manual_progress_does_not_overtake_pending_events()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        stream.Pull();
        _bench.Put("a");
        stream.AskForProgress();
        _bench.Put("a");
        _bench.Hub.Dispatch();
        _bench.Put("a");

        var pulled = stream.Pull();

        var progressAt = pulled.FindIndex(response => response.WatchId == -1);
        var delivered = pulled.Take(progressAt).SelectMany(response => response.Events).Select(change => change.Kv.ModRevision);
        Assert.Equal([2, 3], delivered.Where(revision => revision <= pulled[progressAt].Header.Revision));
        Assert.InRange(pulled[progressAt].Header.Revision, 2, 3);
    }

    [Fact]
    public void Etcd_15271_events_do_not_go_back_when_the_ring_starts_anew()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        _bench.Put("a");
        _bench.Hub.Dispatch();
        Assert.Equal(["put a@2"], stream.PullEvents());
        _bench.Put("a");
        _bench.Hub.Ring.Restart(_bench.State.View.Revision);
        _bench.Put("a");
        _bench.Hub.Dispatch();

        Assert.Equal(["put a@3", "put a@4"], stream.PullEvents());
    }

    [Fact]
    public void Etcd_17529_a_starved_watcher_overtaken_by_compaction_is_cancelled_not_skipped()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        _bench.Put("a");
        _bench.Hub.Dispatch();
        _bench.OverflowRing();
        var floor = _bench.State.View.Revision - 1;
        _bench.Compact(floor);
        _bench.Hub.Dispatch();

        var pulled = stream.Pull();

        Assert.Equal(2, pulled.Count);
        Assert.True(pulled[1] is { Canceled: true, Header.Revision: 0 });
        Assert.Equal(floor, pulled[1].CompactRevision);
        Assert.Equal(0, _bench.Hub.WatcherCount);
    }

    [Fact]
    public void Etcd_19179_a_watch_at_the_compacted_revision_gets_the_delete_there()
    {
        _bench.Put("a");
        var deleted = _bench.Delete("a");
        _bench.OverflowRing();
        _bench.Compact(deleted);
        _bench.Hub.Dispatch();
        using var stream = _bench.Open();
        stream.Create("a", start: deleted);

        Assert.Equal([$"delete a@{deleted}"], stream.PullEvents());
    }

    [Fact]
    public void Etcd_20221_a_future_watch_gets_neither_old_events_nor_early_progress()
    {
        using var stream = _bench.Open();
        stream.Create("a", start: 4);
        _bench.Put("a");
        stream.AskForProgress();
        _bench.Hub.Dispatch();
        _bench.Hub.AnnounceProgress();
        Assert.True(Assert.Single(stream.Pull()).Created);
        _bench.Put("a");
        _bench.Put("a");
        _bench.Hub.Dispatch();

        Assert.Equal(["put a@4"], stream.PullEvents());
    }

    [Fact]
    public void Etcd_17507_a_watcher_without_any_event_is_told_progress()
    {
        using var stream = _bench.Open();
        stream.Create(new WatchCreateRequest { Key = NodeRequests.Bytes("a"), ProgressNotify = true });
        stream.Pull();
        _bench.Put("b");
        _bench.Hub.Dispatch();
        _bench.Hub.AnnounceProgress();

        Assert.Equal(2, Assert.Single(stream.Pull()).Header.Revision);
    }

    [Fact]
    public void Etcd_17247_watchers_that_share_a_change_do_not_change_it()
    {
        using var plain = _bench.Open();
        using var previous = _bench.Open();
        plain.Create("a");
        previous.Create("a", previous: true);
        _bench.Put("a", "1");
        _bench.Put("a", "2");
        _bench.Hub.Dispatch();

        Assert.All(previous.Pull().Skip(2), response => Assert.NotNull(response.Events[0].PrevKv));
        Assert.All(plain.Pull().SelectMany(response => response.Events), change => Assert.Null(change.PrevKv));
    }

    [Fact]
    public void Etcd_15274_resuming_after_the_last_revision_repeats_nothing()
    {
        _bench.Put("a");
        _bench.Put("b");
        _bench.Hub.Dispatch();
        using var stream = _bench.Open();
        stream.Create("a", start: 2);
        var last = stream.Pull()[^1].Header.Revision;
        using var resumed = _bench.Open();
        resumed.Create("a", start: last + 1);
        _bench.Put("a");
        _bench.Hub.Dispatch();

        Assert.Equal(["put a@4"], resumed.PullEvents());
    }

    [Fact]
    public void Etcd_14563_a_refused_create_does_not_touch_watcher_zero()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        stream.Create("b", "a");
        _bench.Put("a");
        _bench.Hub.Dispatch();

        var pulled = stream.Pull();

        Assert.Equal(-1, pulled[1].WatchId);
        Assert.Equal((0, 1), (pulled[2].WatchId, pulled[2].Events.Count));
    }

    [Fact]
    public void Etcd_13541_bytes_of_an_event_outlive_everything_that_is_applied_later()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        _bench.Put("a", "first");
        _bench.Hub.Dispatch();
        Assert.True(stream.TryTake(out _));
        Assert.True(stream.TryTake(out var delivery));
        _bench.OverflowRing();
        _bench.Compact(_bench.State.View.Revision);

        Assert.Equal("first", delivery.ToMessage().Events[0].Kv.Value.ToStringUtf8());
    }

    [Fact]
    public void Etcd_18784_and_20066_disposing_a_stream_twice_leaves_no_watcher_and_counts_once()
    {
        var stream = _bench.Open();
        var other = _bench.Open();
        stream.Create("a");
        stream.Create("b", "c");
        other.Create("a");
        stream.Dispose();
        stream.Dispose();

        Assert.Equal((1, 1), (_bench.Hub.WatcherCount, _bench.Hub.StreamCount));
        other.Dispose();
        Assert.Equal((0, 0), (_bench.Hub.WatcherCount, _bench.Hub.StreamCount));
    }

    [Fact]
    public void Etcd_9281_watchers_still_behind_when_the_ring_starts_anew_lose_nothing()
    {
        _bench.Put("a");
        _bench.OverflowRing();
        _bench.Hub.Dispatch();
        using var stream = _bench.Open();
        stream.Create("a", start: 2);
        Assert.True(stream.TryTake(out _));
        _bench.Hub.Ring.Restart(_bench.State.View.Revision);
        var last = _bench.Put("a");
        _bench.Hub.Dispatch();

        Assert.Equal(["put a@2", $"put a@{last}"], stream.PullEvents());
    }

    [Fact]
    public void Etcd_11758_a_refused_watch_leaves_the_stream_open()
    {
        using var stream = _bench.Open();
        stream.Create("b", "a");
        stream.Create("a");
        _bench.Put("a");
        _bench.Hub.Dispatch();

        Assert.Equal(["put a@2"], stream.PullEvents());
        Assert.Equal(Cairn.Server.NodeError.None, stream.Ended);
    }

    [Fact]
    public void Etcd_20707_a_negative_start_is_refused()
    {
        using var stream = _bench.Open();
        stream.Create("a", start: -1);

        var refused = Assert.Single(stream.Pull());

        Assert.True(refused is { Created: true, Canceled: true, WatchId: -1 });
        Assert.Equal("etcdserver: mvcc: required revision has been compacted", refused.CancelReason);
    }

    [Fact]
    public void Etcd_xg4h_6gfc_h4m8_a_watch_of_one_key_sees_no_larger_key()
    {
        using var stream = _bench.Open();
        stream.Create("a", rangeEnd: "");
        _bench.Put("a");
        _bench.Put("a\0");
        _bench.Put("b");
        _bench.Hub.Dispatch();

        Assert.Equal(["put a@2"], stream.PullEvents());
    }

    [Fact]
    public void Etcd_21174_a_compacted_watcher_is_told_once()
    {
        using var stream = _bench.Open();
        stream.Create("a");
        _bench.Put("a");
        _bench.Hub.Dispatch();
        _bench.OverflowRing();
        _bench.Compact(_bench.State.View.Revision);
        _bench.Hub.Dispatch();
        stream.Pull();
        _bench.Put("a");
        _bench.Hub.Dispatch();

        Assert.Empty(stream.Pull());
    }
}
