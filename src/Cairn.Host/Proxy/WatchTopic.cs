using Cairn.Host.Grpc;
using Cairn.Protocol;
using Google.Protobuf;

namespace Cairn.Host.Proxy;

/// <summary>What watchers must have in common to share one of the cluster's: everything but where they begin, their ids, and whether they want news of progress.</summary>
/// <param name="Request">A request of such a watcher, in bytes.</param>
/// <param name="Caller">Who asks, and under which conditions.</param>
internal readonly record struct WatchTopic(ByteString Request, string Caller)
{
    /// <summary>The topic of a request.</summary>
    /// <param name="request">The request, with the keys of the cluster.</param>
    /// <param name="call">The stream it came on.</param>
    public static WatchTopic Of(WatchCreateRequest request, GrpcCall call)
    {
        WatchCreateRequest shared = request.Clone();
        shared.WatchId = 0;
        shared.StartRevision = 0;
        shared.ProgressNotify = true;
        shared.Fragment = false;
        return new WatchTopic(shared.ToByteString(), string.Join('\n', Upstream.MetadataOf(call).Select(static pair => $"{pair.Key}={pair.Value}")));
    }
}
