using Cairn.Client;
using Cairn.Grpc;
using Cairn.Protocol;
using Cairn.Tests.Grpc.Calling;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Client;

public sealed class WatcherTests
{
    [Fact]
    public async Task A_watcher_that_starts_from_now_goes_on_after_the_revision_of_its_creation()
    {
        var starts = new List<long>();
        await using var cluster = new ScriptedCluster(2)
            .Member(1, Watch(starts, Created(41)))
            .Member(2, Watch(starts, Created(50), Changes(42)));
        await using var watcher = cluster.Client.Watch.Open(KeyRange.All);

        var response = await watcher.NextAsync();

        Assert.Equal(42, response.Events.Single().Kv.ModRevision);
        Assert.Equal([0, 42], starts);
    }

    [Fact]
    public async Task A_watcher_goes_on_after_the_last_change_that_it_gave()
    {
        var starts = new List<long>();
        await using var cluster = new ScriptedCluster(2)
            .Member(1, Watch(starts, Created(9), Changes(5, 6), Changes(8)))
            .Member(2, Watch(starts, Created(9), Changes(9)));
        await using var watcher = cluster.Client.Watch.Open(KeyRange.All, startRevision: 5);

        Assert.Equal([5, 6], Revisions(await watcher.NextAsync()));
        Assert.Equal([8], Revisions(await watcher.NextAsync()));
        Assert.Equal([9], Revisions(await watcher.NextAsync()));

        Assert.Equal([5, 9], starts);
        Assert.Equal(10, watcher.NextRevision);
    }

    [Fact]
    public async Task A_notice_of_progress_is_given_and_moves_the_place_to_go_on()
    {
        var starts = new List<long>();
        await using var cluster = new ScriptedCluster(2)
            .Member(1, Watch(starts, Created(9), Progress(20)))
            .Member(2, Watch(starts, Created(30), Changes(25)));
        await using var watcher = cluster.Client.Watch.Open(KeyRange.All, startRevision: 5);

        Assert.Empty((await watcher.NextAsync()).Events);
        await watcher.NextAsync();

        Assert.Equal([5, 21], starts);
    }

    [Fact]
    public async Task A_notice_of_progress_below_a_start_in_the_future_does_not_move_it_back()
    {
        var starts = new List<long>();
        await using var cluster = new ScriptedCluster(2)
            .Member(1, Watch(starts, Created(9), Progress(20)))
            .Member(2, Watch(starts, Created(30), Changes(100)));
        await using var watcher = cluster.Client.Watch.Open(KeyRange.All, startRevision: 100);

        await watcher.NextAsync();
        await watcher.NextAsync();

        Assert.Equal([100, 100], starts);
    }

    [Fact]
    public async Task Fragments_are_given_as_one_and_a_break_among_them_starts_the_revision_anew()
    {
        var starts = new List<long>();
        await using var cluster = new ScriptedCluster(2)
            .Member(1, Watch(starts, Created(9), Fragment(6, 6)))
            .Member(2, Watch(starts, Created(9), Fragment(6, 6), Fragment(6), Changes(6, 7)));
        await using var watcher = cluster.Client.Watch.Open(KeyRange.All, startRevision: 6);

        Assert.Equal([6, 6, 6, 6, 7], Revisions(await watcher.NextAsync()));

        Assert.Equal([6, 6], starts);
    }

    [Fact]
    public async Task Compacted_history_ends_the_watcher_with_the_revision_that_is_left()
    {
        await using var cluster = new ScriptedCluster(2)
            .Member(1, Watch([], Created(9), new WatchResponse { Header = new ResponseHeader(), Canceled = true, CompactRevision = 7 }));
        await using var watcher = cluster.Client.Watch.Open(KeyRange.All, startRevision: 5);

        Assert.Equal(7, (await Assert.ThrowsAsync<WatchCompactedException>(() => watcher.NextAsync())).CompactRevision);
        Assert.Equal(["1/Watch"], cluster.Calls);
    }

    [Fact]
    public async Task A_refusal_is_reported_with_the_code_that_its_text_names()
    {
        var refusal = new WatchResponse
        {
            Header = new ResponseHeader(),
            WatchId = -1,
            Created = true,
            Canceled = true,
            CancelReason = "rpc error: code = PermissionDenied desc = etcdserver: permission denied",
        };
        await using var cluster = new ScriptedCluster(2).Member(1, Watch([], refusal));
        await using var watcher = cluster.Client.Watch.Open(KeyRange.All);

        Assert.Equal(ClientErrorCode.PermissionDenied, (await Assert.ThrowsAsync<ClientException>(() => watcher.NextAsync())).Code);
    }

    [Fact]
    public async Task A_dead_member_is_passed_over()
    {
        await using var cluster = new ScriptedCluster(2).DeadMember(1).Member(2, Watch([], Created(1), Changes(2)));
        await using var watcher = cluster.Client.Watch.Open(KeyRange.All);

        Assert.Equal([2], Revisions(await watcher.NextAsync()));
    }

    // A member that confirms a watcher, says what it has to say, and then breaks off.
    private static Func<ScriptedCall, Task> Watch(List<long> starts, params WatchResponse[] responses) => async call =>
    {
        starts.Add((await call.ReadAsync(WatchRequest.Parser)).CreateRequest.StartRevision);
        foreach (var response in responses)
        {
            await call.WriteAsync(response);
        }

        call.End(GrpcStatusCode.Unavailable, "the server goes");
    };

    private static WatchResponse Created(long revision) => new() { Header = new ResponseHeader { Revision = revision }, Created = true };

    private static WatchResponse Progress(long revision) => new() { Header = new ResponseHeader { Revision = revision } };

    private static WatchResponse Fragment(params long[] revisions)
    {
        var response = Changes(revisions);
        response.Fragment = true;
        return response;
    }

    private static WatchResponse Changes(params long[] revisions) => new()
    {
        Header = new ResponseHeader { Revision = revisions[^1] },
        Events = { revisions.Select(static revision => new Event { Kv = new KeyValue { Key = ByteString.CopyFromUtf8("k"), ModRevision = revision } }) },
    };

    private static IEnumerable<long> Revisions(WatchResponse response) => response.Events.Select(static change => change.Kv.ModRevision);
}
