using Cairn.Protocol.Transfer;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Server.Peers;
using Cairn.State;

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
    private StateDownload? _complete;
    private TaskCompletionSource? _installed;
    private ulong _sender;
    private bool _mustBeWhole;

    /// <summary>Answers an offer: takes it up, unless another one is being taken.</summary>
    /// <param name="offer">The offer.</param>
    /// <returns>Whether this member comes for it.</returns>
    public async ValueTask<PeerAnswer> AnswerAsync(StateOffer offer)
    {
        if (!MessageWire.TryRead(offer.Message.Memory, out var message) || message is not { Type: MessageType.Snap, Snapshot: { } snapshot }
            || message.To != node.Headers.MemberId || message.From is 0 || message.From == message.To)
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

        lock (_lock)
        {
            if (_sender != 0)
            {
                return _sender == message.From ? new PeerAnswer(200, default) : PeerAnswer.Refuse(409, $"a state is being received from {_sender:x}");
            }

            _sender = message.From;
        }

        _ = node.Guard(ReceiveAsync(message, [.. offer.PeerUrls]));
        return new PeerAnswer(200, default);
    }

    /// <summary>Goes over to the state that was received. May be called again after a failure of the disk.</summary>
    /// <param name="snapshot">What the core has taken.</param>
    /// <param name="after">Index up to which entries were handed out before.</param>
    /// <returns>Completes when durable.</returns>
    public async Task InstallAsync(Snapshot snapshot, ulong after)
    {
        var download = Volatile.Read(ref _complete) ?? throw Invariant.Unreachable($"snapshot {snapshot.Index} was taken, none was received");
        Invariant.Holds(download.Metadata == snapshot.Metadata, $"snapshot {snapshot.Index} was taken, {download.Metadata.Index} was received");
        if (await Loops.Patience.WaitAsync(node.Gate.WaitAsync(after), Timeout.InfiniteTimeSpan, node.Time, stopping) != Loops.WaitOutcome.Done)
        {
            throw new OperationCanceledException(stopping);
        }

        await node.Housekeeping.InstallAsync(download.Delta);
        Volatile.Read(ref _installed)?.TrySetResult();
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
        var download = new StateDownload(node, view);
        var caller = new PullCaller(node, urls, stopping);
        string? failure = null;
        try
        {
            await PullAsync(download, caller, DescribeBase(view), message.From);
            failure = await TakeAsync(download, message) ? null : "the log has come further meanwhile";
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
            await download.TakeAsync(await caller.AskAsync(pull));
            if (node.Time.GetElapsedTime(reported) >= TransferLimits.ProgressInterval)
            {
                reported = node.Time.GetTimestamp();
                node.Logger.ReceivedPart(from, download.RowCount, download.Head?.RowCount ?? 0, download.BytesTaken);
            }
        }
    }

    private StateBase DescribeBase(ReadView view) => _mustBeWhole
        ? new StateBase { AppliedIndex = view.Applied.Index }
        : new StateBase { AppliedIndex = view.Applied.Index, Revision = view.Revision, Checksum = Checksum.OfRevision(view, view.Revision) };

    /// <summary>Lets the core take the snapshot, and waits until it is installed.</summary>
    /// <returns>False if the core does not need it any more.</returns>
    private async Task<bool> TakeAsync(StateDownload download, Message message)
    {
        var installed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _complete, download);
        Volatile.Write(ref _installed, installed);
        var snapshot = new Snapshot(default, download.Metadata);
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
            node.Logger.ReceivedState(from, download.Metadata.Index, download.RowCount, download.BytesTaken);
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
