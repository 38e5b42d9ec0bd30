using System.Collections.Immutable;
using Cairn.Protocol.Transfer;
using Cairn.Raft;
using Cairn.Raft.Wire;
using Cairn.Server.Peers;
using Cairn.State;
using Cairn.State.Members;
using Cairn.State.Transfer;
using Cairn.Storage;
using Google.Protobuf;

namespace Cairn.Server.Transfer;

/// <summary>Feeds members that need what the log does not have any more: offers them the state, and gives it out in the chunks that they ask for.</summary>
/// <remarks>
/// Any thread; one lock, never held across a call. What is given out is the state at the moment when the receiver begins, not that of the offer: it is newer,
/// and a state that is committed is good in any term, so a session goes on when this member does not lead any more. The writer is not stopped: rows are read
/// through a view, whose files stay readable, whatever the cleaner does.
/// </remarks>
/// <param name="node">The node.</param>
internal sealed class StateSender(NodeRuntime node)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, Feeding> _feedings = [];
    private readonly Dictionary<ulong, int> _failures = [];
    private readonly Throttle _throttle = new(node.Options.TransferBytesPerSecondMax, node.Time);
    private readonly Prng _prng = new(node.World.Seed ^ 0x57A7E);

    /// <summary>Offers a state to a member, and reports to the core what became of it. The raft loop.</summary>
    /// <param name="message">What the core sends: it says how new the state must be, no more.</param>
    /// <param name="stopping">Ends everything.</param>
    /// <returns>Completes when the core knows.</returns>
    public async Task OfferAsync(Message message, CancellationToken stopping)
    {
        var failure = await FeedAsync(message, stopping);
        await BackOffAsync(message.To, failure, stopping);
        node.RaftLoop.Completions.TryPost(Loops.RaftCompletion.OfCall(core => core.ReportSnapshot(message.To, failed: failure is not null)));
    }

    /// <summary>Answers a receiver.</summary>
    /// <param name="pull">What it wants.</param>
    /// <param name="stopping">Ends everything.</param>
    /// <param name="cancelled">It does not wait any longer.</param>
    /// <returns>A chunk, or why there is none.</returns>
    public async ValueTask<PeerAnswer> AnswerAsync(StatePull pull, CancellationToken stopping, CancellationToken cancelled)
    {
        if (pull.Format != TransferLimits.Format)
        {
            return PeerAnswer.Refuse(412, $"format {pull.Format} of chunks is not known here");
        }

        var feeding = Find(pull.MemberId) ?? (pull.IsWished ? Admit(pull.MemberId, stopping) : null);
        if (feeding is null)
        {
            return PeerAnswer.Refuse(pull.IsWished ? 503 : 404, "no state was offered to this member, or it was given up");
        }

        if (Interlocked.Exchange(ref feeding.IsBusy, 1) != 0)
        {
            return PeerAnswer.Refuse(503, "the question before is still being answered");
        }

        try
        {
            return await AnswerAsync(pull, feeding, cancelled);
        }
        catch (OperationCanceledException)
        {
            return PeerAnswer.None;
        }
        catch (CorruptionException exception)
        {
            feeding.Done.TrySetResult(exception.Message);
            return PeerAnswer.Refuse(500, exception.Message);
        }
        finally
        {
            feeding.LastHeard = node.Time.GetTimestamp();
            Volatile.Write(ref feeding.IsBusy, 0);
        }
    }

    private Feeding? Find(ulong memberId)
    {
        lock (_lock)
        {
            return _feedings.GetValueOrDefault(memberId);
        }
    }

    /// <summary>Lets a member begin to which nothing was offered: it lost its store, not its log, so that the leader knows of nothing.</summary>
    /// <returns>Null if enough others are being fed.</returns>
    private Feeding? Admit(ulong memberId, CancellationToken stopping)
    {
        Feeding? feeding;
        lock (_lock)
        {
            if (!_feedings.TryGetValue(memberId, out feeding) && TryAdd(memberId) is { } added)
            {
                feeding = added;
                added.Work = FeedAsync(memberId, added, static () => new(new PeerAnswer(200, default)), static () => Task.FromResult<string?>(null), stopping);
                _ = node.Guard(added.Work);
            }
        }

        return feeding;
    }

    private Feeding? TryAdd(ulong memberId)
    {
        if (_feedings.Count >= TransferLimits.SessionsMax)
        {
            return null;
        }

        var now = node.Time.GetTimestamp();
        var feeding = new Feeding { Began = now, LastHeard = now };
        _feedings.Add(memberId, feeding);
        return feeding;
    }

    /// <summary>Feeds a member; if it is being fed already, waits for the end of that.</summary>
    /// <returns>Why it has not what it needs; null if it has.</returns>
    private async Task<string?> FeedAsync(Message message, CancellationToken stopping)
    {
        Feeding? feeding;
        lock (_lock)
        {
            if (!_feedings.TryGetValue(message.To, out feeding))
            {
                if ((feeding = TryAdd(message.To)) is null)
                {
                    return "enough other members are being fed";
                }

                feeding.Work = FeedAsync(
                    message.To,
                    feeding,
                    () => MakeOfferAsync(message, stopping),
                    () => new BackendUpload(node, _throttle).RunAsync(message, UrlsOf(message.To), stopping),
                    stopping);
            }
        }

        return await feeding.Work;
    }

    private async Task<string?> FeedAsync(
        ulong memberId, Feeding feeding, Func<ValueTask<PeerAnswer>> offer, Func<Task<string?>> upload, CancellationToken stopping)
    {
        await Task.Yield();
        var answer = await offer();
        var failure = answer.Status == 0 ? "it is not reached" : $"{answer.Status} {answer.Text}";
        if (answer.Status == 200 || IsNoCairn(answer, memberId))
        {
            node.Metrics.Sent.Begin(memberId);
            failure = answer.Status == 200 ? await WaitAsync(feeding, stopping) : await upload();
            node.Metrics.Sent.End(memberId, failure is null, node.Time.GetElapsedTime(feeding.Began));
        }

        lock (_lock)
        {
            _feedings.Remove(memberId);
        }

        return failure;
    }

    /// <summary>Waits until the receiver has what it needs, or is given up.</summary>
    private async Task<string?> WaitAsync(Feeding feeding, CancellationToken stopping)
    {
        while (true)
        {
            var patience = TransferLimits.SilenceMax - node.Time.GetElapsedTime(feeding.LastHeard);
            if (patience <= TimeSpan.Zero)
            {
                return "nothing was heard of it any more";
            }

            switch (await Loops.Patience.WaitAsync(feeding.Done.Task, patience, node.Time, stopping))
            {
                case Loops.WaitOutcome.Done:
                    return await feeding.Done.Task;
                case Loops.WaitOutcome.Cancelled:
                    return "this member stops";
                default:
                    break;
            }
        }
    }

    /// <summary>Whether a member does not know of offers, and was never seen to be a Cairn.</summary>
    private bool IsNoCairn(PeerAnswer answer, ulong memberId) => answer.Status == 404 && node.View.Members.Find(memberId) is { Incarnation: 0 };

    private ImmutableArray<string> UrlsOf(ulong memberId) => node.World.Calls is null ? []
        : [.. node.Fence.PlaceOf(memberId).Union(node.View.Members.Find(memberId)?.PeerUrls ?? [], StringComparer.Ordinal)];

    /// <summary>Where the receiver finds this process: where it is first, if it was told, since the cluster may know its member where another process of it stands, and may need the receiver to learn better.</summary>
    private IEnumerable<string> OwnUrls(MemberRecord? self) => self is null ? node.Options.PeerUrls
        : node.Options.PublishesPeerUrls ? node.Options.PeerUrls.Union(self.PeerUrls, StringComparer.Ordinal) : self.PeerUrls;

    private async ValueTask<PeerAnswer> MakeOfferAsync(Message message, CancellationToken stopping)
    {
        var bytes = new byte[MessageWire.Size(message)];
        MessageWire.Write(message, bytes);
        var offer = new StateOffer { ClusterId = node.Headers.ClusterId, Message = UnsafeByteOperations.UnsafeWrap(bytes) };
        offer.PeerUrls.AddRange(OwnUrls(node.View.Members.Find(node.Headers.MemberId)));
        offer.Formats.Add(TransferLimits.Format);
        var refusal = PeerAnswer.None;
        foreach (var url in UrlsOf(message.To))
        {
            using var limit = new CancellationTokenSource(TransferLimits.AnswerWithin, node.Time);
            using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, stopping);
            var answer = await node.World.Calls!.AskAsync(url, new PeerCall(StateTransfer.OfferPath, offer.ToByteArray()), both.Token); // Null has no URLs.
            if (answer.Status == 200)
            {
                return answer;
            }

            refusal = answer.Status == 0 ? refusal : answer;
        }

        return refusal;
    }

    private async Task BackOffAsync(ulong memberId, string? failure, CancellationToken stopping)
    {
        int failures;
        lock (_lock)
        {
            failures = _failures[memberId] = failure is null ? 0 : _failures.GetValueOrDefault(memberId) + 1;
        }

        if (failure is null)
        {
            return;
        }

        node.Logger.StateNotSent(memberId, failure);
        try
        {
            await Task.Delay(Min(TransferLimits.BackOffMin * (1 << Math.Min(failures, 8)), TransferLimits.BackOffMax), node.Time, stopping);
        }
        catch (OperationCanceledException)
        {
            // This member stops.
        }
    }

    private static TimeSpan Min(TimeSpan left, TimeSpan right) => left < right ? left : right;

    private async ValueTask<PeerAnswer> AnswerAsync(StatePull pull, Feeding feeding, CancellationToken cancelled)
    {
        if (pull.Outcome != StatePull.Types.Outcome.Open)
        {
            var isInstalled = pull.Outcome == StatePull.Types.Outcome.Installed;
            if (feeding.Done.TrySetResult(isInstalled ? null : "it could not take it") && isInstalled)
            {
                node.Logger.StateSent(pull.MemberId, feeding.Session?.BytesGiven ?? 0, node.Time.GetElapsedTime(feeding.Began));
            }

            return new PeerAnswer(200, default);
        }

        if (pull.Session == 0 && pull.Sequence == 0)
        {
            if (await BeginAsync(pull) is not { } begun)
            {
                return PeerAnswer.Refuse(409, "this member is behind the one that asks");
            }

            feeding.Session = begun;
        }

        var session = feeding.Session;
        if (session is null || (pull.Session != 0 && pull.Session != session.Id) || !session.TryGive(pull.Sequence, out var chunk))
        {
            return PeerAnswer.Refuse(404, $"there is no chunk {pull.Sequence} in session {pull.Session:x}");
        }

        await _throttle.PassAsync(chunk.Length, cancelled);
        node.Metrics.Peers.Of(pull.MemberId).SentBytes.Add(chunk.Length);
        return new PeerAnswer(200, chunk);
    }

    private async Task<SendSession?> BeginAsync(StatePull pull)
    {
        var (capture, view) = await node.ApplyLoop.CallAsync(static state => (state.Capture(), state.View));
        Invariant.Holds(capture.Applied == view.Applied && capture.Revision == view.Revision);
        var known = pull.Base ?? new StateBase();
        if (known.AppliedIndex > capture.Applied.Index || known.Revision > view.Revision)
        {
            return null;
        }

        var isSame = IsSameHistory(known, view);
        var source = new StateSource(view, isSame ? Math.Max(known.Revision, 0) : 0);
        ulong id;
        lock (_lock)
        {
            id = _prng.NextUInt64() | 1;
        }

        node.Logger.SendingState(pull.MemberId, capture.Applied.Index, source.BaseRevision, view.Revision, source.RowCount, source.RowBytes);
        return new SendSession(id, capture, source, isWhole: !isSame, node.World.TransferChunkBytes);
    }

    /// <summary>Rows of a revision from the compaction on are all there, so members of one history have the same. Of earlier ones the list of kept rows tells.</summary>
    private static bool IsSameHistory(StateBase known, ReadView view) =>
        known.Revision > 0 && (known.Revision < view.CompactedRevision || Checksum.OfRevision(view, known.Revision) == known.Checksum);

    /// <summary>What is known of one member that is being fed.</summary>
    private sealed class Feeding
    {
        public int IsBusy;

        private long _lastHeard;

        public TaskCompletionSource<string?> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string?> Work { get; set; } = Task.FromResult<string?>(null);

        public SendSession? Session { get; set; }

        public required long Began { get; init; }

        public long LastHeard
        {
            get => Volatile.Read(ref _lastHeard);
            set => Volatile.Write(ref _lastHeard, value);
        }
    }
}
