using Cairn.Protocol.Transfer;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Server.Peers;
using Cairn.State;
using Cairn.Storage;

namespace Cairn.Server.Transfer;

/// <summary>Takes a state from a member that offers one: pulls it chunk by chunk, lets the core take the snapshot, and goes over to it. One at a time.</summary>
/// <remarks>
/// Until the core has taken the snapshot nothing of this member changes, and what was received is garbage that the next start removes. From then on the writer
/// of the log calls <see cref="InstallAsync"/>. Any thread; one lock, never held across a call.
/// </remarks>
/// <param name="node">The node.</param>
/// <param name="stopping">Ends everything.</param>
internal sealed class StateReceiver(NodeRuntime node, CancellationToken stopping)
{
    private readonly Lock _lock = new();
    private ReceivedState? _complete;
    private TaskCompletionSource? _installed;
    private ulong _sender;
    private bool _mustBeWhole;

    /// <summary>Answers an offer: takes it up, unless another one is being taken.</summary>
    /// <param name="offer">The offer.</param>
    /// <returns>Whether this member comes for it.</returns>
    public async ValueTask<PeerAnswer> AnswerAsync(StateOffer offer)
    {
        if (Read(offer.Message.Memory) is not { Snapshot: { } snapshot } message)
        {
            return PeerAnswer.Refuse(400, "the offer is none for this member");
        }

        if (!offer.Formats.Contains(TransferLimits.Format))
        {
            return PeerAnswer.Refuse(412, $"none of the formats {offer.Formats} of chunks is known here");
        }

        if (!await NeedsAsync(snapshot.Metadata))
        {
            // The log has it all: the core says so to the leader.
            node.RaftLoop.TryReceive(message);
            return new PeerAnswer(200, default);
        }

        if (TryBegin(message.From) is var sender && sender != 0)
        {
            return sender == message.From ? new PeerAnswer(200, default) : PeerAnswer.Refuse(409, $"a state is being received from {sender:x}");
        }

        _ = node.Guard(ReceiveAsync(message, [.. offer.PeerUrls]));
        return new PeerAnswer(200, default);
    }

    /// <summary>Takes the state that a leader of etcd sends.</summary>
    /// <param name="bytes">The message, its snapshot included.</param>
    /// <param name="image">The backend file behind it.</param>
    /// <param name="cancelled">The other went away.</param>
    /// <returns>204 once this member has gone over to it.</returns>
    public async ValueTask<PeerAnswer> TakeBackendAsync(ReadOnlyMemory<byte> bytes, Stream image, CancellationToken cancelled)
    {
        if (Read(bytes) is not { Snapshot: { } snapshot } message)
        {
            return PeerAnswer.Refuse(400, "the snapshot is none for this member");
        }

        if (!await NeedsAsync(snapshot.Metadata))
        {
            node.RaftLoop.TryReceive(message with { Snapshot = new Snapshot(default, snapshot.Metadata) });
            return new PeerAnswer(204, default);
        }

        if (TryBegin(message.From) is var sender && sender != 0)
        {
            return PeerAnswer.Refuse(409, $"a state is being received from {sender:x}");
        }

        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancelled, stopping);
        var failure = await ReceiveBackendAsync(message, image, both.Token);
        lock (_lock)
        {
            _sender = 0;
        }

        return failure is null ? new PeerAnswer(204, default) : PeerAnswer.Refuse(500, failure);
    }

    /// <summary>Goes over to the state that was received. May be called again after a failure of the disk.</summary>
    /// <param name="snapshot">What the core has taken.</param>
    /// <param name="after">Index up to which entries were handed out before.</param>
    /// <returns>Completes when durable.</returns>
    public async Task InstallAsync(Snapshot snapshot, ulong after)
    {
        var received = Volatile.Read(ref _complete) ?? throw Invariant.Unreachable($"snapshot {snapshot.Index} was taken, none was received");
        Invariant.Holds(received.Metadata == snapshot.Metadata, $"snapshot {snapshot.Index} was taken, {received.Metadata.Index} was received");
        if (await Loops.Patience.WaitAsync(node.Gate.WaitAsync(after), Timeout.InfiniteTimeSpan, node.Time, stopping) != Loops.WaitOutcome.Done)
        {
            throw new OperationCanceledException(stopping);
        }

        await node.Housekeeping.InstallAsync(received.Delta);
        Volatile.Read(ref _installed)?.TrySetResult();
    }

    private Message? Read(ReadOnlyMemory<byte> bytes) =>
        MessageWire.TryRead(bytes, out var message) && message is { Type: MessageType.Snap, Snapshot: not null }
            && message.To == node.Headers.MemberId && message.From != 0 && message.From != message.To ? message : null;

    /// <summary>Begins to receive, unless a state is being received already.</summary>
    /// <returns>From whom one is being received; 0 if this one may begin.</returns>
    private ulong TryBegin(ulong from)
    {
        lock (_lock)
        {
            var sender = _sender;
            _sender = sender == 0 ? from : sender;
            return sender;
        }
    }

    /// <returns>Why it was not installed; null if it was, or is not needed any more.</returns>
    private async Task<string?> ReceiveBackendAsync(Message message, Stream image, CancellationToken cancelled)
    {
        var began = node.Time.GetTimestamp();
        node.Metrics.Received.Begin(message.From);
        await Loops.Patience.WaitAsync(node.Gate.WaitAsync(node.Facts.Committed), TransferLimits.ApplyWithin, node.Time, stopping);
        var download = new BackendDownload(node, node.View);
        string? failure = null;
        try
        {
            node.Logger.ReceivingState(message.From, node.View.Applied.Index, node.View.Revision);
            var received = await download.TakeAsync(message.Snapshot!, image, cancelled); // The caller has looked.
            failure = await TakeAsync(received, message) ? null : "the log has come further meanwhile";
            if (failure is null)
            {
                node.Logger.ReceivedState(message.From, received.Metadata.Index, received.RowCount, received.Delta.Segments.Segments.Sum(static segment => segment.End));
            }
        }
        catch (Exception e) when (e is TransferException or IOException)
        {
            failure = e.Message;
        }
        catch (OperationCanceledException)
        {
            failure = stopping.IsCancellationRequested ? "this member stops" : "the sender went away";
        }

        node.Metrics.Peers.Of(message.From).ReceivedBytes.Add(download.BytesTaken);
        node.Metrics.Received.End(message.From, failure is null, node.Time.GetElapsedTime(began));
        if (failure is not null && !stopping.IsCancellationRequested)
        {
            // Of a member that stops, the core may have taken the snapshot: whether the files count, the next start finds out.
            node.Logger.StateNotReceived(message.From, failure);
            download.Abandon();
        }

        Volatile.Write(ref _complete, null);
        Volatile.Write(ref _installed, null);
        return failure;
    }

    private async ValueTask<bool> NeedsAsync(SnapshotMetadata metadata)
    {
        try
        {
            return await node.RaftLoop.CallAsync(core => core.Needs(metadata));
        }
        catch (OperationCanceledException)
        {
            // The node stops.
            return false;
        }
    }

    private async Task ReceiveAsync(Message message, IReadOnlyList<string> urls)
    {
        await Task.Yield();
        var began = node.Time.GetTimestamp();
        node.Metrics.Received.Begin(message.From);

        // After a start what is known to be committed is still being applied: it need not be sent.
        await Loops.Patience.WaitAsync(node.Gate.WaitAsync(node.Facts.Committed), TransferLimits.ApplyWithin, node.Time, stopping);
        var view = node.View;
        var download = new StateDownload(node.World, view, ReceivedState.NumbersOf(node));
        var caller = new PullCaller(node.World, node.Headers.ClusterId, node.Headers.MemberId, urls, stopping);
        string? failure = null;
        try
        {
            await PullAsync(download, caller, DescribeBase(view), message.From);
            failure = await TakeAsync(download.Received, message) ? null : "the log has come further meanwhile";
        }
        catch (TransferException exception)
        {
            failure = exception.Message;
            _mustBeWhole = exception is OtherHistoryException;
        }
        catch (IOException exception)
        {
            failure = exception.Message;
        }
        catch (OperationCanceledException)
        {
            // The core may have taken the snapshot: whether the files count, the next start finds out.
            return;
        }

        node.Metrics.Received.End(message.From, failure is null, node.Time.GetElapsedTime(began));
        await FinishAsync(download, caller, message.From, failure);
    }

    private async Task PullAsync(StateDownload download, PullCaller caller, StateBase known, ulong from)
    {
        node.Logger.ReceivingState(from, known.AppliedIndex, known.Revision);
        var reported = node.Time.GetTimestamp();
        while (!download.IsComplete)
        {
            var pull = new StatePull { Session = download.Session, Sequence = download.Next, Base = download.Next == 0 ? known : null };
            var chunk = await caller.AskAsync(pull);
            node.Metrics.Peers.Of(from).ReceivedBytes.Add(chunk.Length);
            await download.TakeAsync(chunk);
            if (node.Time.GetElapsedTime(reported) >= TransferLimits.ProgressInterval)
            {
                reported = node.Time.GetTimestamp();
                node.Logger.ReceivedPart(from, download.RowCount, download.Head?.RowCount ?? 0, download.BytesTaken);
            }
        }
    }

    /// <summary>Describes what this member has, for the other to send the rest; as nothing, if it is another history's, or cannot be read: then all of it is replaced.</summary>
    private StateBase DescribeBase(ReadView view)
    {
        var known = new StateBase { AppliedIndex = view.Applied.Index };
        if (_mustBeWhole)
        {
            return known;
        }

        try
        {
            return new StateBase(known) { Revision = view.Revision, Checksum = Checksum.OfRevision(view, view.Revision) };
        }
        catch (CorruptionException damage)
        {
            node.Disks.Damage.Note(damage);
            return known;
        }
    }

    /// <summary>Lets the core take the snapshot, and waits until it is installed.</summary>
    /// <returns>False if the core does not need it any more.</returns>
    private async Task<bool> TakeAsync(ReceivedState received, Message message)
    {
        var installed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _complete, received);
        Volatile.Write(ref _installed, installed);
        var snapshot = new Snapshot(default, received.Metadata);
        if (!await node.RaftLoop.CallAsync(core => TryTake(core, message with { Snapshot = snapshot })))
        {
            return false;
        }

        if (await Loops.Patience.WaitAsync(installed.Task, Timeout.InfiniteTimeSpan, node.Time, stopping) != Loops.WaitOutcome.Done)
        {
            throw new OperationCanceledException(stopping);
        }

        return true;
    }

    /// <summary>Steps the message, as from the leader of now: what is committed is good in any term.</summary>
    private static bool TryTake(RaftNode core, Message message)
    {
        var status = core.BasicStatus;
        var (term, leader) = (status.HardState.Term, status.SoftState.Leader);
        if (leader != LocalTarget.None && leader != status.Id && term >= message.Snapshot!.Term) // The caller gives one.
        {
            message = message with { Term = term, From = leader };
        }

        return core.Step(message) == RaftError.None && core.PendingSnapshot == message.Snapshot;
    }

    private async Task FinishAsync(StateDownload download, PullCaller caller, ulong from, string? failure)
    {
        if (failure is null)
        {
            _mustBeWhole = false;
            node.Logger.ReceivedState(from, download.Head!.Index, download.RowCount, download.BytesTaken); // Complete: it has a head.
        }
        else
        {
            node.Logger.StateNotReceived(from, failure);
            download.Abandon();
        }

        await caller.EndAsync(download.Session, failure is null ? StatePull.Types.Outcome.Installed : StatePull.Types.Outcome.Failed);
        Volatile.Write(ref _complete, null);
        Volatile.Write(ref _installed, null);
        lock (_lock)
        {
            _sender = 0;
        }
    }
}
