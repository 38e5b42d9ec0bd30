using Cairn.Protocol;

namespace Cairn.Server.Watch;

/// <summary>Judges requests for watchers, and makes the watchers. Source: etcd server/etcdserver/api/v3rpc/watch.go.</summary>
internal static class WatchCreation
{
    /// <summary>What a client is told that chose an id which is taken.</summary>
    public const string DuplicateId = "mvcc: duplicate watch ID provided on the WatchStream";

    /// <summary>Looks for what is wrong with a request.</summary>
    /// <param name="request">The request.</param>
    /// <param name="range">The keys it wants.</param>
    /// <returns>What the client is told; null if nothing is wrong.</returns>
    public static string? FindFlaw(WatchCreateRequest request, out KeyRange range)
    {
        if (!KeyRange.TryCreate(request.Key.Span, request.RangeEnd.Span, out range))
        {
            return "mvcc: watcher range is empty";
        }

        return request.StartRevision < 0 ? "etcdserver: mvcc: required revision has been compacted" : null;
    }

    /// <summary>Makes a watcher.</summary>
    /// <param name="request">The request.</param>
    /// <param name="stream">The stream it belongs to.</param>
    /// <param name="userName">Who watches.</param>
    /// <param name="id">Its id.</param>
    /// <param name="range">The keys it wants.</param>
    /// <param name="start">First revision it wants.</param>
    /// <param name="isHistory">Whether that revision is past.</param>
    /// <returns>The watcher.</returns>
    public static Watcher Make(WatchCreateRequest request, WatchStream stream, string userName, long id, KeyRange range, long start, bool isHistory) => new()
    {
        Id = id,
        Stream = stream,
        UserName = userName,
        Request = request,
        Range = range,
        Start = start,
        NoPut = request.Filters.Contains(WatchCreateRequest.Types.FilterType.Noput),
        NoDelete = request.Filters.Contains(WatchCreateRequest.Types.FilterType.Nodelete),
        WantsPrevious = request.PrevKv,
        MayFragment = request.Fragment,
        WantsProgress = request.ProgressNotify,
        Next = start,
        IsCatchingUp = isHistory,
    };
}
