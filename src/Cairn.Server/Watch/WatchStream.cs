using System.Diagnostics.CodeAnalysis;
using Cairn.Protocol;
using Cairn.Server.Auth;
using Cairn.Server.Loops;
using Cairn.Server.Reads;
using Cairn.Storage;

namespace Cairn.Server.Watch;

/// <summary>The watchers of one client stream: requests go in on one side, messages are pulled from the other.</summary>
/// <remarks>
/// <para>
/// One caller at a time for <see cref="RequestAsync"/> (the requester), one (another) for <see cref="WaitAsync"/> and <see cref="TryTake"/> (the puller).
/// The pace is the puller's: a stream that nobody pulls costs a bounded amount of memory and delays no write.
/// </para>
/// <para>
/// The queue holds the watchers that may have something to send. The dispatcher puts a watcher in at the first change that it wants; the puller takes it out,
/// then reads how far the ring goes, then follows the ring to there. In this order nothing is missed: a change dispatched after the taking puts the watcher in
/// again, one dispatched before is in the ring that is followed.
/// </para>
/// </remarks>
public sealed class WatchStream : IDisposable
{
    private readonly Lock _lock = new();
    private readonly LostHistory _lost;
    private readonly WatchHub _hub;
    private readonly AsyncSignal _wake = new();
    private readonly AsyncSignal _room = new();
    private readonly Queue<Watcher> _queue = new();
    private readonly Queue<WatchDelivery> _control = new();
    private readonly WatcherTable _watchers = new();
    private readonly WatcherFeed _feed;
    private readonly CancellationTokenRegistration _cancellation;
    private long _progressTarget = -1;
    private bool _progressDue;
    private NodeError _ended;
    private bool _disposed;

    /// <summary>Opens a stream without watchers.</summary>
    /// <param name="hub">The hub.</param>
    /// <param name="context">Who watches.</param>
    /// <param name="gate">Knows what they may watch; null for everything.</param>
    /// <param name="confirmation">Finds out how far the cluster is; null for as far as the hub.</param>
    internal WatchStream(WatchHub hub, RequestContext context, AuthGate? gate = null, Confirmation? confirmation = null)
    {
        _hub = hub;
        _lost = new LostHistory(hub.History, context, confirmation);
        Guard = new WatchGuard(gate, context);
        _feed = new WatcherFeed(hub);
        RequiresLeader = context.RequireLeader;
        hub.Add(this);
        _cancellation = EndOn(context.Cancelled);
    }

    /// <summary>Why the stream ended (no leader for a client that requires one, shutdown, cancelled); <see cref="NodeError.None"/> while it runs.</summary>
    public NodeError Ended
    {
        get
        {
            lock (_lock)
            {
                return _ended;
            }
        }
    }

    /// <summary>Whether the client wants an end rather than silence while there is no leader.</summary>
    internal bool RequiresLeader { get; }

    /// <summary>Knows what the client may watch; the stream is woken after its rules changed.</summary>
    internal WatchGuard Guard { get; }

    /// <summary>Carries out one request of the client. Waits while too many answers to earlier requests have not been pulled.</summary>
    /// <param name="request">Create, cancel or progress; anything else is ignored.</param>
    /// <param name="cancellationToken">Ends the stream.</param>
    /// <returns>Completes when the request has been taken, or the stream has ended.</returns>
    public async ValueTask RequestAsync(WatchRequest request, CancellationToken cancellationToken)
    {
        if (!HasRoom())
        {
            using var cancellation = EndOn(cancellationToken);
            while (!HasRoom())
            {
                await _room.WaitAsync();
            }
        }

        switch (request.RequestUnionCase)
        {
            case WatchRequest.RequestUnionOneofCase.CreateRequest:
                await CreateAsync(request.CreateRequest);
                break;
            case WatchRequest.RequestUnionOneofCase.CancelRequest:
                Cancel(request.CancelRequest.WatchId);
                break;
            case WatchRequest.RequestUnionOneofCase.ProgressRequest:
                RequestProgress();
                break;
            default:
                break;
        }
    }

    /// <summary>Waits until <see cref="TryTake"/> may have something.</summary>
    /// <param name="cancellationToken">Ends the stream.</param>
    /// <returns>True to go on; false when the stream has ended, see <see cref="Ended"/>.</returns>
    public async ValueTask<bool> WaitAsync(CancellationToken cancellationToken)
    {
        using var cancellation = EndOn(cancellationToken);
        if (Ended == NodeError.None)
        {
            await _wake.WaitAsync();
        }

        return Ended == NodeError.None;
    }

    /// <summary>Takes the next message. May read history from disk, a bounded amount at a time.</summary>
    /// <param name="delivery">The message.</param>
    /// <returns>False when there is nothing now: wait again.</returns>
    /// <exception cref="CorruptionException">History on disk is not what was written.</exception>
    public bool TryTake([NotNullWhen(true)] out WatchDelivery? delivery)
    {
        JudgeAllAgain();
        while (true)
        {
            if (_feed.TryTake(out delivery) || TryTakeControl(out delivery))
            {
                return true;
            }

            if (!TryDequeue(out var watcher))
            {
                return TryTakeProgress(out delivery);
            }

            var outcome = Follow(watcher);
            if (outcome == FeedOutcome.Compacted)
            {
                Drop(watcher);
            }
            else if (outcome == FeedOutcome.More)
            {
                Enqueue(watcher);
            }
        }
    }

    /// <summary>Drops all watchers. Messages not yet pulled are gone.</summary>
    public void Dispose()
    {
        End(NodeError.Canceled);
        Watcher[] watchers;
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _disposed = true;
            LastNeeded = _watchers.FindOldestNeeded(_hub.Dispatched);
            watchers = _watchers.Clear();
            foreach (var watcher in watchers)
            {
                watcher.IsCancelled = true;
            }

            _queue.Clear();
        }

        _hub.Remove(this, watchers);
        _cancellation.Dispose();
    }

    /// <summary>Ends the stream, unless it has ended.</summary>
    /// <param name="reason">What the client is told.</param>
    internal void End(NodeError reason)
    {
        lock (_lock)
        {
            if (_ended == NodeError.None)
            {
                _ended = reason;
            }
        }

        _wake.Set();
        _room.Set();
    }

    /// <summary>First revision that some watcher had not got when the stream was disposed; <see cref="long.MaxValue"/> without watchers.</summary>
    internal long LastNeeded { get; private set; } = long.MaxValue;

    /// <summary>Finds the oldest revision that a watcher of this stream has still to get. Any thread.</summary>
    /// <param name="dispatched">Up to here, watchers that are not in the queue have everything.</param>
    /// <returns>The revision; <see cref="long.MaxValue"/> without watchers.</returns>
    internal long FindOldestNeeded(long dispatched)
    {
        lock (_lock)
        {
            return _watchers.FindOldestNeeded(dispatched);
        }
    }

    /// <summary>Counts the watchers that still have history to read.</summary>
    /// <returns>How many.</returns>
    internal int CountBehind()
    {
        lock (_lock)
        {
            return _watchers.All.Count(watcher => watcher.IsCatchingUp);
        }
    }

    /// <summary>Makes the puller look.</summary>
    internal void Wake() => _wake.Set();

    /// <summary>Puts a watcher into the queue: a change that it wants was appended. The dispatcher only, which then wakes the stream.</summary>
    /// <param name="watcher">A watcher of this stream.</param>
    /// <param name="revision">Revision of the change.</param>
    /// <returns>Whether the stream is to be woken for it: nothing was in its queue.</returns>
    internal bool Mark(Watcher watcher, long revision)
    {
        lock (_lock)
        {
            if (watcher.IsQueued || watcher.IsCancelled)
            {
                return false;
            }

            watcher.IsQueued = true;
            watcher.MarkedFrom = revision;
            _queue.Enqueue(watcher);
            return _queue.Count == 1;
        }
    }

    /// <summary>Lets idle watchers be told how far they are.</summary>
    internal void ProgressIsDue()
    {
        lock (_lock)
        {
            _progressDue = true;
        }

        _wake.Set();
    }

    private CancellationTokenRegistration EndOn(CancellationToken cancellationToken) =>
        cancellationToken.UnsafeRegister(static state => ((WatchStream)state!).End(NodeError.Canceled), this);

    private bool HasRoom()
    {
        lock (_lock)
        {
            return _control.Count < WatchLimits.ControlCapacity || _ended != NodeError.None;
        }
    }

    private async ValueTask CreateAsync(WatchCreateRequest request)
    {
        var (reason, userName) = await Guard.JudgeAsync(request);
        var current = _hub.History.CurrentRevision;
        var flaw = WatchCreation.FindFlaw(request, out var range);
        if ((reason ?? flaw) is { } refusal)
        {
            Refuse(refusal, current);
            return;
        }

        if (!TryAssignId(request.WatchId, out var id))
        {
            Refuse(WatchCreation.DuplicateId, current);
            return;
        }

        var start = request.StartRevision == 0 ? current + 1 : request.StartRevision;
        Answer(new WatchResponse { WatchId = id, Created = true }, current);
        if (await _lost.FindCompactedAsync(start) is { } compacted)
        {
            Answer(new WatchResponse { WatchId = id, Canceled = true, CompactRevision = compacted }, revision: 0);
            return;
        }

        var watcher = WatchCreation.Make(request, this, userName, id, range, start, isHistory: start <= current);
        Register(watcher);

        // Users or roles may have changed since the judgement; from here on the watcher is found by whoever looks at all of them.
        JudgeAgain(watcher);
    }

    private void Register(Watcher watcher)
    {
        lock (_lock)
        {
            if (_disposed)
            {
                return;
            }

            _watchers.Add(watcher);
        }

        // A change dispatched between the two lines marks the watcher; one dispatched before the first of them is what the answer tells.
        if (_hub.Register(watcher))
        {
            Enqueue(watcher);
        }
    }

    private FeedOutcome Follow(Watcher watcher)
    {
        try
        {
            return _feed.Follow(watcher);
        }
        catch (CorruptionException damage)
        {
            _hub.OnDamage(damage);
            throw;
        }
    }

    private bool TryAssignId(long wanted, out long id)
    {
        lock (_lock)
        {
            return _watchers.TryAssignId(wanted, out id);
        }
    }

    private void Cancel(long id)
    {
        if (TryRemove(id))
        {
            Answer(new WatchResponse { WatchId = id, Canceled = true }, _hub.History.CurrentRevision);
        }
    }

    private bool TryRemove(long id)
    {
        Watcher? watcher;
        lock (_lock)
        {
            if (!_watchers.TryRemove(id, out watcher))
            {
                return false;
            }

            watcher.IsCancelled = true;
        }

        _hub.Unregister(watcher);
        return true;
    }

    /// <summary>Ends a watcher whose history is gone; unless the client cancelled it first, it is told from where it can go on.</summary>
    private void Drop(Watcher watcher)
    {
        if (TryRemove(watcher.Id))
        {
            Answer(new WatchResponse { WatchId = watcher.Id, Canceled = true, CompactRevision = _hub.History.CompactedRevision }, revision: 0);
        }
    }

    /// <summary>Ends the watchers whose users may not see their keys any more.</summary>
    private void JudgeAllAgain()
    {
        Watcher[] watchers;
        lock (_lock)
        {
            watchers = Guard.TakeChange() ? [.. _watchers.All] : [];
        }

        Array.ForEach(watchers, JudgeAgain);
    }

    private void JudgeAgain(Watcher watcher)
    {
        if (Guard.FindReason(watcher) is { } reason && TryRemove(watcher.Id))
        {
            Answer(new WatchResponse { WatchId = watcher.Id, Canceled = true, CancelReason = reason }, _hub.History.CurrentRevision);
        }
    }

    private void RequestProgress()
    {
        lock (_lock)
        {
            _progressTarget = _hub.History.CurrentRevision;
        }

        _wake.Set();
    }

    private void Refuse(string reason, long revision) =>
        Answer(new WatchResponse { WatchId = -1, Created = true, Canceled = true, CancelReason = reason }, revision);

    private void Answer(WatchResponse frame, long revision)
    {
        var delivery = new WatchDelivery(_hub.Headers.Make(revision), frame, []);
        lock (_lock)
        {
            _control.Enqueue(delivery);
        }

        _wake.Set();
    }

    private bool TryTakeControl([NotNullWhen(true)] out WatchDelivery? delivery)
    {
        lock (_lock)
        {
            if (!_control.TryDequeue(out delivery))
            {
                return false;
            }
        }

        _room.Set();
        return true;
    }

    private bool TryDequeue([NotNullWhen(true)] out Watcher? watcher)
    {
        lock (_lock)
        {
            while (_queue.TryDequeue(out watcher))
            {
                Invariant.Holds(watcher.IsQueued);
                watcher.IsQueued = false;
                if (watcher.IsCancelled)
                {
                    continue;
                }

                // Nothing that it wants lies between Next and the mark: the dispatcher looked at every revision in order and marked the first.
                watcher.Next = Math.Max(watcher.Next, watcher.MarkedFrom);
                watcher.MarkedFrom = 0;
                return true;
            }
        }

        return false;
    }

    /// <summary>Puts a watcher back that has not seen everything from <see cref="Watcher.Next"/> on; a mark set meanwhile would skip what it has not seen.</summary>
    private void Enqueue(Watcher watcher)
    {
        lock (_lock)
        {
            watcher.MarkedFrom = 0;
            if (!watcher.IsQueued && !watcher.IsCancelled)
            {
                watcher.IsQueued = true;
                _queue.Enqueue(watcher);
            }
        }

        _wake.Set();
    }

    /// <summary>Tells how far the stream is. Called only after the queue was found empty, so that no event of a lower revision can follow.</summary>
    private bool TryTakeProgress([NotNullWhen(true)] out WatchDelivery? delivery)
    {
        delivery = null;
        var revision = _hub.Dispatched;
        lock (_lock)
        {
            if (_queue.Count > 0 || _control.Count > 0)
            {
                // Came in since: events go first.
                _wake.Set();
                return false;
            }

            if (_progressDue)
            {
                _progressDue = false;
                AddPeriodicProgress_NeedsLock(revision);
            }

            if (_progressTarget >= 0 && _progressTarget <= revision)
            {
                _progressTarget = -1;
                if (_watchers.All.Count > 0 && _watchers.All.All(watcher => watcher.ProgressFrom <= revision))
                {
                    _feed.Add(new WatchDelivery(_hub.Headers.Make(revision), new WatchResponse { WatchId = -1 }, []));
                }
            }
        }

        if (_feed.TryTake(out delivery))
        {
            return true;
        }

        if (_progressTarget >= 0)
        {
            _hub.WakeWhenDispatched(this, _progressTarget);
        }

        return false;
    }

    private void AddPeriodicProgress_NeedsLock(long revision)
    {
        foreach (var watcher in _watchers.All)
        {
            if (watcher.WantsProgress && !watcher.HadEvents && watcher.ProgressFrom <= revision)
            {
                _feed.Add(new WatchDelivery(_hub.Headers.Make(revision), new WatchResponse { WatchId = watcher.Id }, []));
            }

            watcher.HadEvents = false;
        }
    }
}
