using Cairn.Protocol;
using Cairn.Protocol.Transfer;
using Cairn.Raft;
using Cairn.Server.Peers;

namespace Cairn.Server.Transfer;

/// <summary>Hands states from member to member: the sending and the receiving side of this one.</summary>
/// <remarks>
/// The leader offers (<see cref="OfferPath"/>), the receiver asks for one chunk after the other (<see cref="PullPath"/>), at its own pace: so heartbeats and
/// appends never wait behind a state, and whoever dies leaves nothing half done. A member that does not know these paths is no Cairn, and is sent the whole
/// state as etcd sends it (<see cref="BackendUpload"/>), as this one takes that from a leader that is none (<see cref="BackendDownload"/>).
/// </remarks>
internal sealed class StateTransfer : IDisposable
{
    /// <summary>Path of offers.</summary>
    public const string OfferPath = "/cairn/state/offer";

    /// <summary>Path of questions for chunks.</summary>
    public const string PullPath = "/cairn/state/pull";

    private readonly NodeRuntime _node;
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationToken _stopped;
    private readonly StateSender _sender;
    private readonly StateReceiver _receiver;

    /// <summary>Creates both sides, idle.</summary>
    /// <param name="node">The node.</param>
    public StateTransfer(NodeRuntime node)
    {
        _node = node;
        _stopped = _stopping.Token;
        _sender = new StateSender(node);
        _receiver = new StateReceiver(node, _stopped);
        BackendDownload.DropLeftover(node.World.Disk);
    }

    /// <summary>Offers a snapshot to a member. The raft loop.</summary>
    /// <param name="message">What the core sends.</param>
    public void Offer(Message message) => _ = _node.Guard(_sender.OfferAsync(message, _stopped));

    /// <summary>Goes over to the state of a snapshot that the core has taken. The writer of the log.</summary>
    /// <param name="snapshot">The snapshot.</param>
    /// <param name="after">Index up to which entries were handed out before.</param>
    /// <returns>Completes when durable.</returns>
    public Task InstallAsync(Snapshot snapshot, ulong after) => _receiver.InstallAsync(snapshot, after);

    /// <summary>Answers another member.</summary>
    /// <param name="call">A question at one of the paths.</param>
    /// <param name="cancelled">It does not wait any longer.</param>
    /// <returns>The answer.</returns>
    /// <exception cref="Google.Protobuf.InvalidProtocolBufferException">The question cannot be read.</exception>
    public async ValueTask<PeerAnswer> AnswerAsync(PeerCall call, CancellationToken cancelled)
    {
        var body = call.Body.GetValueOrDefault().Span;
        if (call.Path == OfferPath)
        {
            var offer = StateOffer.Parser.ParseGuarded(body);
            return Judge(offer.ClusterId) ?? await _receiver.AnswerAsync(offer);
        }

        var pull = StatePull.Parser.ParseGuarded(body);
        return Judge(pull.ClusterId) ?? await _sender.AnswerAsync(pull, _stopped, cancelled);
    }

    /// <summary>Takes a state that a leader of etcd sends.</summary>
    /// <param name="message">The message, its snapshot included.</param>
    /// <param name="image">The backend file behind it.</param>
    /// <param name="cancelled">The other went away.</param>
    /// <returns>204 once this member has gone over to it.</returns>
    public async ValueTask<PeerAnswer> TakeBackendAsync(ReadOnlyMemory<byte> message, Stream image, CancellationToken cancelled) =>
        Judge(_node.Headers.ClusterId) ?? await _receiver.TakeBackendAsync(message, image, cancelled);

    /// <summary>Ends both sides; a state half received is dropped.</summary>
    public void Dispose()
    {
        _stopping.Cancel();
        _stopping.Dispose();
    }

    private PeerAnswer? Judge(ulong clusterId)
    {
        if (_node.IsStopping)
        {
            return PeerAnswer.Refuse(503, "this member stops");
        }

        return clusterId == _node.Headers.ClusterId ? null : PeerAnswer.Refuse(412, "cluster ID mismatch");
    }
}
