using Cairn.Protocol;
using Cairn.Server.Reads;
using Cairn.Server.Watch;
using Microsoft.Extensions.Logging;

namespace Cairn.Server;

/// <summary>One member at work, seen from the front. Every method may be called from any thread.</summary>
/// <remarks>Expected refusals are values (<see cref="NodeError"/>); no method throws for them.</remarks>
public sealed class Node : IAsyncDisposable
{
    private readonly InvalidOperationException _notRunning = new("The node does not run.");

    /// <summary>Opens (or founds) the member in <see cref="NodeOptions.DataDirectory"/> on the real disk and starts its loops.</summary>
    /// <param name="options">What the node is told.</param>
    /// <param name="loggerFactory">Where its log lines go.</param>
    /// <returns>A running node; it may still be catching up, see <see cref="Ready"/>.</returns>
    /// <exception cref="IOException">The data directory cannot be used, or another process uses it.</exception>
    public static Task<Node> OpenAsync(NodeOptions options, ILoggerFactory loggerFactory) => Task.FromResult(new Node());

    /// <summary>Completes when this member knows a leader and has published its attributes.</summary>
    public Task Ready => throw _notRunning;

    /// <summary>Completes when the node has stopped: null after <see cref="DisposeAsync"/>, else the failure that ended it.</summary>
    public Task<Exception?> Stopped => throw _notRunning;

    /// <summary>Raised, on a loop's thread, when the leader this member knows has changed; the argument is its id, 0 for none.</summary>
    public event Action<ulong>? LeaderChanged
    {
        add => throw _notRunning;
        remove => throw _notRunning;
    }

    /// <summary>Tells where this node stands.</summary>
    /// <returns>A new snapshot of the facts.</returns>
    public NodeStatus Look() => throw _notRunning;

    /// <summary>Reads all metrics.</summary>
    /// <returns>One sample a series.</returns>
    public IReadOnlyList<MetricSample> CollectMetrics() => throw _notRunning;

    /// <summary>Reads a range: linearizably, or from what this member has if the request says serializable.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<RangeAnswer>> RangeAsync(RangeRequest request, RequestContext context) => throw _notRunning;

    /// <summary>As <see cref="RangeAsync"/>, in pieces of one revision.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<RangeChunks>> RangeStreamAsync(RangeRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Writes one key.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<PutResponse>> PutAsync(PutRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Deletes a range.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<DeleteRangeResponse>> DeleteRangeAsync(DeleteRangeRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Runs a transaction; one that only reads is served as a read.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<TxnResponse>> TxnAsync(TxnRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Drops history below a revision.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<CompactionResponse>> CompactAsync(CompactionRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Grants a lease.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<LeaseGrantResponse>> LeaseGrantAsync(LeaseGrantRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Revokes a lease and deletes its keys.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<LeaseRevokeResponse>> LeaseRevokeAsync(LeaseRevokeRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Renews a lease; TTL 0 says that it is gone.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<LeaseKeepAliveResponse>> LeaseKeepAliveAsync(LeaseKeepAliveRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Tells how long a lease has left; TTL -1 says that it is gone.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<LeaseTimeToLiveResponse>> LeaseTimeToLiveAsync(LeaseTimeToLiveRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Lists the leases, those that end first in front.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<LeaseLeasesResponse>> LeaseLeasesAsync(LeaseLeasesRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Lists, raises or clears alarms.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<AlarmResponse>> AlarmAsync(AlarmRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Tells where this member stands; needs no quorum.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<StatusResponse>> StatusAsync(StatusRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Starts to reclaim space; nothing stops meanwhile.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<DefragmentResponse>> DefragmentAsync(DefragmentRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Hashes the whole key space.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<HashResponse>> HashAsync(HashRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Hashes the history up to a revision.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<HashKVResponse>> HashKvAsync(HashKVRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Hands leadership to another member.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MoveLeaderResponse>> MoveLeaderAsync(MoveLeaderRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Validates, starts or cancels a downgrade.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<DowngradeResponse>> DowngradeAsync(DowngradeRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Lists the members.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MemberListResponse>> MemberListAsync(MemberListRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Adds a member.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MemberAddResponse>> MemberAddAsync(MemberAddRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Removes a member for ever.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MemberRemoveResponse>> MemberRemoveAsync(MemberRemoveRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Changes the peer URLs of a member.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MemberUpdateResponse>> MemberUpdateAsync(MemberUpdateRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Makes a voter of a learner that is in sync.</summary>
    /// <param name="request">The request; not changed.</param>
    /// <param name="context">Who asks.</param>
    /// <returns>The answer, header included, or the refusal.</returns>
    public ValueTask<Answer<MemberPromoteResponse>> MemberPromoteAsync(MemberPromoteRequest request, RequestContext context) => throw _notRunning;

    /// <summary>Opens a watch stream.</summary>
    /// <param name="context">Who asks.</param>
    /// <returns>The stream; the caller disposes it.</returns>
    public WatchStream OpenWatchStream(RequestContext context) => throw _notRunning;

    /// <summary>Stops: no new requests, what was accepted is finished or refused, state is written, files are closed.</summary>
    /// <returns>Completes when all is closed.</returns>
    public ValueTask DisposeAsync() => throw _notRunning;
}
