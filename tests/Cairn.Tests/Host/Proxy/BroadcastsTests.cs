using Cairn.Grpc;
using Cairn.Grpc.Calling;
using Cairn.Host.Proxy;
using Cairn.Protocol;
using Google.Protobuf;
using Xunit;

namespace Cairn.Tests.Host.Proxy;

/// <summary>Who shares a watcher of the cluster, and what each is told. The cluster is silent here; what it would tell is handed in.</summary>
public sealed class BroadcastsTests : IDisposable
{
    private readonly Upstream _upstream = new(new EndpointRing(["http://member"], static address => new GrpcChannel(address, new GrpcChannelOptions(), new SilentHandler()), static _ => 0));
    private readonly Broadcasts _broadcasts;

    public BroadcastsTests()
    {
        _broadcasts = new Broadcasts(_upstream, new KeyNamespace(""), TimeProvider.System);
    }

    public void Dispose() => _upstream.Dispose();

    [Fact]
    public void Watchers_from_now_on_share_once_the_cluster_has_said_what_now_is()
    {
        (Listener first, ListenerStream firstTold) = Join(start: 0);
        _broadcasts.Take(first.Source!, Created(10));
        (Listener second, ListenerStream secondTold) = Join(start: 0);
        Broadcast own = second.Source!;
        Assert.NotSame(first.Source, own);

        Assert.False(_broadcasts.Take(own, Created(1000)));

        Assert.Same(first.Source, second.Source);
        Assert.Equal(1, _broadcasts.Shared);
        _broadcasts.Take(first.Source!, Changed(1000, 900, 1000));
        _broadcasts.Take(first.Source!, Changed(1001, 1001));
        Assert.Equal(["created 10", "900,1000", "1001"], Told(firstTold));
        Assert.Equal(["created 1000", "1001"], Told(secondTold));
    }

    [Fact]
    public void A_watcher_of_the_past_joins_who_has_not_told_it_yet()
    {
        (Listener first, _) = Join(start: 5);
        _broadcasts.Take(first.Source!, Created(10));

        (Listener second, ListenerStream told) = Join(start: 7);
        (Listener third, _) = Join(start: 3);

        Assert.Same(first.Source, second.Source);
        Assert.NotSame(first.Source, third.Source);
        _broadcasts.Take(first.Source!, Changed(10, 5, 6, 7, 8));
        Assert.Equal(["created 10", "7,8"], Told(told));
    }

    [Fact]
    public void Nobody_shares_with_another_user_or_another_range()
    {
        (Listener first, _) = Join(start: 5);
        _broadcasts.Take(first.Source!, Created(10));

        (Listener other, _) = Join(start: 5, user: "token=other");

        Assert.NotSame(first.Source, other.Source);
    }

    [Fact]
    public void News_of_progress_goes_to_those_who_asked()
    {
        (Listener first, ListenerStream silent) = Join(start: 5);
        _broadcasts.Take(first.Source!, Created(10));
        (_, ListenerStream curious) = Join(start: 5, wantsProgress: true);

        _broadcasts.Take(first.Source!, new WatchResponse { Header = new ResponseHeader { Revision = 20 } });

        Assert.Equal(["created 10"], Told(silent));
        Assert.Equal(["created 10", ""], Told(curious));
    }

    [Fact]
    public void All_who_listen_are_told_when_the_cluster_ends_it()
    {
        (Listener first, ListenerStream told) = Join(start: 5);
        Broadcast source = first.Source!;
        _broadcasts.Take(source, Created(10));

        Assert.False(_broadcasts.Take(source, new WatchResponse { Header = new ResponseHeader(), Canceled = true, CompactRevision = 8 }));

        Assert.Equal(["created 10", "canceled 8"], Told(told));
        Assert.Null(first.Source);
    }

    [Fact]
    public void Who_goes_on_elsewhere_is_not_made_anew()
    {
        (Listener first, ListenerStream told) = Join(start: 0);
        _broadcasts.Take(first.Source!, Created(10));
        _broadcasts.Take(first.Source!, Changed(12, 12));

        _broadcasts.Take(first.Source!, Created(30));

        Assert.Equal(13, first.Source!.Next);
        Assert.Equal(["created 10", "12"], Told(told));
    }

    [Fact]
    public void A_client_that_does_not_read_is_sent_away_and_holds_up_nobody()
    {
        (Listener first, ListenerStream slow) = Join(start: 5);
        _broadcasts.Take(first.Source!, Created(10));
        for (int revision = 11; revision < 2000; revision++)
        {
            _broadcasts.Take(first.Source!, Changed(revision, revision));
        }

        Assert.Equal(GrpcStatusCode.Unavailable, slow.Ended!.Value.Code);
        Assert.Equal(1024, Told(slow).Count);
    }

    private static WatchResponse Created(long revision) => new() { Header = new ResponseHeader { Revision = revision }, Created = true };

    private static WatchResponse Changed(long revision, params IEnumerable<int> changes)
    {
        var told = new WatchResponse { Header = new ResponseHeader { Revision = revision } };
        told.Events.AddRange(changes.Select(static change => new Event { Kv = new KeyValue { ModRevision = change } }));
        return told;
    }

    private static List<string> Told(ListenerStream stream)
    {
        var told = new List<string>();
        while (stream.TryTake(out WatchResponse? answer))
        {
            told.Add(answer.Created ? $"created {answer.Header.Revision}" : answer.Canceled ? $"canceled {answer.CompactRevision}" : string.Join(',', answer.Events.Select(static change => change.Kv.ModRevision)));
        }

        return told;
    }

    private (Listener Listener, ListenerStream Stream) Join(long start, string user = "", bool wantsProgress = false)
    {
        var stream = new ListenerStream();
        var listener = new Listener(stream, 0, start, wantsProgress);
        _broadcasts.Join(listener, new WatchTopic(ByteString.Empty, user), []);
        return (listener, stream);
    }

    private sealed class SilentHandler : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
            new TaskCompletionSource<HttpResponseMessage>(TaskCreationOptions.RunContinuationsAsynchronously).Task.WaitAsync(cancellationToken);
    }
}
